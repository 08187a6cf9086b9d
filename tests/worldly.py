"""The miniature pipeline with the world's vocabulary, and a CLIP pair of its own."""

from pathlib import Path
from unittest.mock import patch

import torch
from miniature import save_miniature
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from groupshot.files import load_json, save_json, save_tensors
from groupshot.toybox.world import WORDS

SIDE, WIDTH, SHARED = 16, 16, 8
"""Pixels a side; width of the vision tower; dimensions in which pictures and prompts meet."""


def save_worldly(folder: Path) -> Path:
    """Save one whose pictures are of 16 x 16 pixels, as are those that its tower sees."""
    with patch("miniature.WORDS", WORDS):
        return with_pair(save_miniature(folder))


def with_pair(folder: Path) -> Path:
    """A saved miniature with a CLIP pair of its own; all other weights stay what they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vision().save_pretrained(folder / "image_encoder")
        text = CLIPTextModel.from_pretrained(folder / "text_encoder").config.hidden_size
        projection = {"weight": torch.randn(SHARED, text), "logit_scale": torch.zeros(())}
    halves = {name: tensor.half() for name, tensor in projection.items()}  # as a base is shipped
    save_tensors(folder / "text_projection" / "model.safetensors", halves)
    size = {"shortest_edge": SIDE}
    CLIPImageProcessorPil(size=size, crop_size=SIDE).save_pretrained(folder / "feature_extractor")
    index = load_json(folder / "model_index.json")
    index["image_encoder"] = ["transformers", "CLIPVisionModelWithProjection"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessorPil"]
    save_json(folder / "model_index.json", index)
    return folder


def vision() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=SIDE // 2,
        projection_dim=SHARED,
    )
    return CLIPVisionModelWithProjection(config)
