"""Segmenters of a few thousand random weights, in the formats of the real ones."""

from pathlib import Path
from typing import Any

import torch
from miniature import tokenizer
from transformers import (
    BertTokenizer,
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    SamConfig,
    SamImageProcessorPil,
    SamModel,
    ViTImageProcessorPil,
)

SIDE = 32
"""What they see a picture as, in pixels."""

TEXT = {
    "vocab_size": 1000,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 999,
    "pad_token_id": 999,
}
SIGHT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}


def saved(folder: Path, kind: Any, config: Any, *helpers: Any) -> str:
    """A network with weights from a fixed seed and what prepares its input, in a new folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kind(config).save_pretrained(folder)
    for helper in helpers:
        helper.save_pretrained(folder)
    return str(folder)


def owl(folder: Path) -> str:
    config = Owlv2Config(text_config=TEXT, vision_config=SIGHT, projection_dim=16)
    images, words = Owlv2ImageProcessorPil(size={"height": SIDE, "width": SIDE}), tokenizer()
    words.model_max_length = 16
    return saved(folder, Owlv2ForObjectDetection, config, images, words)


def dino(folder: Path) -> str:
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin",
            "embed_dim": 8,
            "depths": [1, 1, 1],
            "num_heads": [1, 1, 1],
            "window_size": 4,
            "out_features": ["stage2", "stage3"],
        },
        text_config={"model_type": "bert", "max_position_embeddings": 32} | TEXT,
        num_feature_levels=3,
        num_queries=5,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_text_len=16,
    )
    words = folder / "words.txt"
    folder.mkdir(parents=True, exist_ok=True)
    words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "a", "cat"]))
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE})
    return saved(folder, GroundingDinoForObjectDetection, config, images, BertTokenizer(str(words)))


def sam(folder: Path) -> str:
    config = SamConfig(
        vision_config={
            "hidden_size": 16,
            "mlp_dim": 32,
            "output_channels": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": 8,
            "window_size": 2,
            "num_pos_feats": 8,
            "global_attn_indexes": [0],
        },
        prompt_encoder_config={
            "hidden_size": 16,
            "image_size": SIDE,
            "patch_size": 8,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )
    square = {"height": SIDE, "width": SIDE}
    images = SamImageProcessorPil(
        size={"longest_edge": SIDE},
        pad_size=square,
        mask_size={"longest_edge": 32},
        mask_pad_size={"height": 32, "width": 32},
    )
    return saved(folder, SamModel, config, images)


def clipseg(folder: Path) -> str:
    config = CLIPSegConfig(
        text_config=TEXT,
        vision_config=SIGHT | {"num_hidden_layers": 2},
        projection_dim=16,
        reduce_dim=8,
        extract_layers=[0, 1],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    images = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return saved(folder, CLIPSegForImageSegmentation, config, images, tokenizer())


def sam2(folder: Path) -> str:
    """As the hub keeps it: its preparation needs torchvision."""
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

    small = {"hidden_size": 32}
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "image_size": [64, 64],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4, 4, 4, 4],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config=small | {"image_size": 64, "mask_input_channels": 4},
        mask_decoder_config=small
        | {"mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    )
    images = Sam2ImageProcessor(size={"height": 64, "width": 64})
    return saved(folder, Sam2Model, config, images)
