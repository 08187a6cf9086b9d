"""Clip: how near prompts and pictures are, by a base's text encoder and the tower that fits it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPModel

from groupshot.base import Base, folder
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.masks.loading import network, opened
from groupshot.shapes import Ids, Image, ImageFeatures, TextFeatures

PROJECTION = "text_projection/model.safetensors"
"""The file in a base's folder that maps its text encoder's summary to where pictures are."""

TOGETHER = 32
"""Pictures that pass through the tower at once."""

FITTING = {(768, 12): "openai/clip-vit-large-patch14"}
"""The CLIP that a text encoder was taken from, by its width and layers: that of SD 1.x."""

Pooling = Callable[[Base, Ids], Tensor]
"""The position at which each prompt is summed up: [b]."""


def at_end(base: Base, ids: Ids) -> Tensor:
    """The first end of text, which has read all of the prompt and nothing else."""
    return (ids == base.pipe.tokenizer.eos_token_id).int().argmax(1)


def at_highest(base: Base, ids: Ids) -> Tensor:
    """The highest number, where transformers pools by old configurations, SD's among them.

    New tokens are numbered above the end of text, so that what follows the newest is not read:
    CLIF's code (`papers.md`, 1.5) pools so.
    """
    return ids.argmax(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A base's text encoder as it stands, a vision tower, and what brings both together."""

    base: Base
    tower: Callable[[Image], ImageFeatures]
    prepared: Callable[[Sequence[Picture]], Image]
    """Pictures as the tower wants them, of whatever size they are."""
    projection: Tensor
    """[d, width]: what maps the text encoder's states to where pictures are."""
    scale: float
    """What cosines are multiplied by, e^τ: 100 in OpenAI's."""

    def said(self, prompts: Sequence[str], pooling: Pooling = at_end) -> TextFeatures:
        """What the text encoder makes of prompts, with a gradient; not of unit length."""
        return summed_up(self.base, prompts, pooling) @ self.projection.T

    @torch.no_grad()
    def seen(self, pictures: Sequence[Picture]) -> ImageFeatures:
        """What the tower makes of pictures; not of unit length."""
        starts = range(0, len(pictures), TOGETHER)
        some = (self.prepared(pictures[i : i + TOGETHER]) for i in starts)
        return torch.cat([self.tower(each.to(self.base.device)) for each in some])


def summed_up(base: Base, prompts: Sequence[str], pooling: Pooling = at_end) -> Tensor:
    """The text encoder's last states at one position of each prompt: [b, width].

    What comes after all of these positions is left out: the encoder looks back only.
    """
    ids = base.ids(prompts)
    where = pooling(base, ids)
    states = base.text_encoder(ids[:, : int(where.max()) + 1])[0]
    return states[torch.arange(len(ids), device=ids.device), where]


def own(base: Base) -> Clip | None:
    """The pair that a base was shipped with, if it was."""
    file = folder(base.source) / PROJECTION
    tower: Any = base.pipe.image_encoder
    if tower is None or not file.is_file():
        return None
    held = load_tensors(file)[0]
    return Clip(
        base=base,
        tower=lambda pixels: tower(pixels).image_embeds,
        prepared=preparation(base.pipe.feature_extractor),
        projection=held["weight"].to(base.table.weight),
        scale=held["logit_scale"].float().exp().item(),
    )


def named(base: Base, source: str) -> Clip:
    """The vision half of a CLIP, a folder or a model of the hub, for a base that has none.

    Raises a UserError where it is no CLIP, or one with another text encoder than the base's.
    """
    model: Any = network(CLIPModel, source, base.device)
    theirs, ours = (shape(each) for each in (model.config.text_config, base.text_encoder.config))
    if theirs != ours:
        raise UserError(
            f"{source} reads with {theirs[1]} layers of {theirs[0]} features, the base with "
            f"{ours[1]} of {ours[0]}: name the CLIP that the base's text encoder was taken from"
        )
    return Clip(
        base=base,
        tower=lambda pixels: model.visual_projection(model.vision_model(pixels).pooler_output),
        prepared=preparation(opened(CLIPImageProcessorPil, source)),
        projection=model.text_projection.weight,
        scale=model.logit_scale.exp().item(),
    )


def clip_of(base: Base, source: str = "") -> Clip:
    """The CLIP named `source`, or else the base's own; a UserError that names one if it has none.

    Whether a text encoder is truly the one that a tower was trained with cannot be seen: only its
    size is compared.
    """
    clip = named(base, source) if source else own(base)
    if clip is None:
        fits = FITTING.get(shape(base.text_encoder.config))
        advice = (
            f"{fits} fits it, write clip={fits}"
            if fits
            else "name the CLIP that its text encoder was taken from, clip=FOLDER or OWNER/MODEL"
        )
        raise UserError(f"{base.source} has no CLIP vision tower: {advice}")
    return clip


def shape(config: Any) -> tuple[int, int]:
    """Width and layers of a text encoder."""
    return config.hidden_size, config.num_hidden_layers


def preparation(processor: Any) -> Callable[[Sequence[Picture]], Image]:
    """What a tower's image processor does."""
    return lambda pictures: processor(list(pictures), return_tensors="pt").pixel_values
