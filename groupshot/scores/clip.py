"""CLIP-T and CLIP-I, what the papers report: with the CLIP that fits the base."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.clip import Clip, own
from groupshot.clip import fitting as published
from groupshot.samples import with_article
from groupshot.scores.asks import Drawn

UNKNOWN = "thing"
"""What a concept without a class word is called."""


@runtime_checkable
class Pair(Protocol):
    """Whoever can say how near prompts and pictures are to each other."""

    def said(self, prompts: Sequence[str]) -> Tensor:
        """A unit vector for each prompt, [b, d]."""
        ...

    def seen(self, pictures: Sequence[Image.Image]) -> Tensor:
        """A unit vector for each picture, [b, d]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPair:
    """A base's text encoder and vision tower, and what brings both together."""

    clip: Clip

    @torch.no_grad()
    def said(self, prompts: Sequence[str]) -> Tensor:
        """What the text encoder, as it stands, makes of prompts."""
        return F.normalize(self.clip.said(prompts), dim=-1)

    def seen(self, pictures: Sequence[Image.Image]) -> Tensor:
        """What the vision tower makes of pictures."""
        return F.normalize(self.clip.seen(pictures), dim=-1)


def pair_of(base: Base) -> Pair | None:
    """The pair that a base brings along, if it does: a vision tower, and the projection beside."""
    clip = own(base)
    return None if clip is None else ClipPair(clip=clip)


def fitting(base: Base) -> Pair:
    """That pair, or the published CLIP that fits; a UserError where it cannot be had."""
    return ClipPair(clip=own(base) or published(base, base.encoders[0]))


def alignments(pair: Pair, cast: Cast, drawn: Drawn) -> tuple[float, float]:
    """CLIP-T and CLIP-I of what was drawn of a cast, as mean cosines.

    CLIP-T of a picture and its prompt, with a class word for every new one; CLIP-I of a picture and
    every photo of each concept that it was asked to show. Custom Diffusion's text alignment is 2.5
    times CLIP-T.
    """
    classes = {c.name: with_article(c.noun or UNKNOWN) for c in cast.concepts}
    photos = {name: pair.seen(of).mean(0) for name, of in photos_by_name(cast).items()}
    told: list[float] = []
    shown: list[float] = []
    for ask, pictures in drawn.items():
        seen = pair.seen(pictures)
        told += (seen @ pair.said([ask.worded({n: classes[n] for n in ask.names})])[0]).tolist()
        shown += [(seen @ photos[name]).mean().item() for name in ask.names]
    return fmean(told), fmean(shown)


def photos_by_name(cast: Cast) -> dict[str, list[Image.Image]]:
    """Every photo that shows a concept, by the concept."""
    photos = {concept.name: [p.image() for p in concept.photos] for concept in cast.concepts}
    for shared in cast.together:
        for name in shared.shows:
            photos[name].append(shared.photo.image())
    return photos
