"""The miniature pipeline with the world's vocabulary, and a CLIP pair of its own."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from miniature import save_miniature
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from groupshot.base import Encoder
from groupshot.clip import Clip
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


def whole(
    folder: Path, encoder: Encoder, extra: int = 0, like: Clip | None = None, **changes: Any
) -> Path:
    """Save the CLIP that a text encoder could have been taken from, `extra` layers of it left out.

    With `like` its tower and projections are those of a pair.
    """
    text = encoder.model.config.to_dict() | changes
    text["num_hidden_layers"] += extra
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model: Any = CLIPModel(
            CLIPConfig(
                text_config=text, vision_config=vision().config.to_dict(), projection_dim=SHARED
            )
        )
    if not changes:
        weights = {k: v for k, v in encoder.model.state_dict().items() if "projection" not in k}
        model.text_model.load_state_dict(
            {k.removeprefix("text_model."): v for k, v in weights.items()}, strict=not extra
        )
    if like is not None:
        tower: Any = like.vision
        model.vision_model.load_state_dict(tower.vision_model.state_dict())
        model.visual_projection.load_state_dict(tower.visual_projection.state_dict())
        model.text_projection.weight.data.copy_(like.projection)
        model.logit_scale.data.fill_(torch.tensor(like.scale).log())
    model.save_pretrained(folder / "clip")
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    processor.save_pretrained(folder / "clip")
    return folder / "clip"
