"""Subsets of those whom a photo shows, named and masked alone.

Union sampling of Break-A-Scene (Avrahami et al., arXiv 2305.16311, §3.2): whoever is always seen
with others is so told apart from them.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.keep import Kept
from groupshot.samples.batch import Batch, Samples, drawn, tossed, turns
from groupshot.samples.crops import Box, crop_masks
from groupshot.samples.photos import PhotoMask, Shot

T = TypeVar("T")

HALF = 0.5
"""A crop shows whom it keeps at least this share of: less would teach a name by a hand or a tail,
and nothing that it is to be looked for nowhere."""

TEMPLATE = "a photo of {}"
"""The paper's one prompt, its tokens joined by " and "."""


def naming(names: Sequence[str]) -> str:
    """ "a photo of <luna> and <rex>"."""
    return TEMPLATE.format(" and ".join(f"<{name}>" for name in names))


def subset(things: Sequence[T], generator: Generator) -> list[T]:
    """k ~ U{1..K} of K things, each subset of k as likely, in random order."""
    count = 1 + drawn(len(things), generator)
    order = torch.randperm(len(things), generator=generator).tolist()
    return [things[i] for i in order[:count]]


def unions(
    base: Base,
    shots: tuple[Shot, ...],
    views: Kept,
    masks: Sequence[Mapping[str, PhotoMask]],
    size: int,
) -> Samples:
    """Batches of random subsets of the concepts in a photo, every other one mirrored.

    `views` are `both_ways`; `masks` hold for each shot a mask of each concept that it shows. What
    a subset leaves out has no mask in its batch, though it is in the picture. Of an oblong photo
    only crops count that show somebody, and in each only those whom it shows.
    """
    names = tuple(dict.fromkeys(name for shot in shots for name in shot.shows))
    crops, turn = views["views"], turns(shots)
    small = crop_masks(masks, names, views["boxes"], crops.shape[-1])
    pooled = torch.stack([small, small.flip(-1)], dim=2)
    shown_in = [
        showing(shot.shows, there, boxes)
        for shot, there, boxes in zip(shots, masks, views["boxes"], strict=True)
    ]

    def batch(step: int, generator: Generator) -> Batch:
        rows = turn(step, size, generator)
        picked = [list(shown_in[i])[drawn(len(shown_in[i]), generator)] for i in rows]
        sides = [int(tossed(generator)) for _ in rows]
        said = [subset(shown_in[i][crop], generator) for i, crop in zip(rows, picked, strict=True)]
        shown = torch.tensor([[name in chosen for name in names] for chosen in said])
        latents = crops[rows, picked, sides].to(base.device)
        there = pooled[rows, picked, sides] * shown[..., None, None]
        return Batch(
            latents=latents,
            captions=tuple(map(naming, said)),
            names=names,
            masks=there.to(base.device),
            valid=torch.ones_like(latents[:, :1]),
        )

    return batch


def showing(
    names: Sequence[str], masks: Mapping[str, PhotoMask], boxes: Tensor
) -> dict[int, list[str]]:
    """By the number of each crop of a photo that shows somebody: whom.

    Where none does, the one that keeps most of somebody shows them.
    """
    kept = [{name: share(masks[name], tuple(box)) for name in names} for box in boxes.tolist()]
    least = min(HALF, max(max(of.values(), default=0.0) for of in kept))
    shown = {i: [name for name in names if of[name] >= least] for i, of in enumerate(kept)}
    return {i: some for i, some in shown.items() if some or not names}


def share(mask: PhotoMask, box: Box) -> float:
    """How much of a mask, or of what would fill a box, is inside the box.

    All of it in a square photo, whose crops leave little out.
    """
    left, top, right, bottom = box
    most = min(float(mask.sum()), (right - left) * (bottom - top))
    if mask.shape[0] == mask.shape[1] or not most:
        return 1.0
    return float(mask[top:bottom, left:right].sum()) / most
