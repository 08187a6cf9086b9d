"""Batch: what one step learns from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from groupshot.samples.photos import Shot
from groupshot.shapes import Latent, Masks, Region

TOGETHER = 8
"""Pictures that pass through a network at once where nothing is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Latents, what each of them shows in words, and where."""

    latents: Latent
    captions: tuple[str, ...]
    names: tuple[str, ...]
    """The k concepts that have masks, the same for all latents: `luna`."""
    masks: Masks
    """Where they are, as large as the latents; 0 for a concept that the caption does not name."""
    valid: Region
    """Where a latent is of a picture: 0 on the empty canvas around one that was made small."""


Samples = Callable[[int, Generator], Batch]
"""Gives the batch of a step; all its chance comes from that step's own generator."""


def unmasked(latents: Latent, captions: tuple[str, ...]) -> Batch:
    """A batch that says nothing about where."""
    b, _, h, w = latents.shape
    return Batch(
        latents=latents,
        captions=captions,
        names=(),
        masks=latents.new_zeros(b, 0, h, w),
        valid=latents.new_ones(b, 1, h, w),
    )


def pooled(masks: Masks, side: int) -> Tensor:
    """Masks made smaller (b × k × side × side), as means over area.

    Break-A-Scene takes the nearest pixel instead, one of 64 for each place of a latent: a tail of
    three pixels is then there or not by chance. A mean keeps the mask's area, which losses divide
    by, and says how much of a place is the concept's.
    """
    return F.adaptive_avg_pool2d(masks, (side, side))


def union(masks: Masks) -> Region:
    """Where any of the masks is."""
    return masks.amax(1, keepdim=True)


def turns(shots: tuple[Shot, ...]) -> Callable[[int, int, Generator], list[int]]:
    """`turn(step, size, g)`: numbers of random shots, so that concepts come equally often."""
    of: dict[str, list[int]] = {}
    for i, shot in enumerate(shots):
        for name in shot.shows:
            of.setdefault(name, []).append(i)
    names = list(of)

    def turn(step: int, size: int, generator: Generator) -> list[int]:
        shown = [of[names[(step * size + j) % len(names)]] for j in range(size)]
        return [numbers[drawn(len(numbers), generator)] for numbers in shown]

    return turn


def drawn(below: int, generator: Generator) -> int:
    """A random whole number from 0 to below - 1."""
    return int(torch.randint(below, (1,), generator=generator).item())


def tossed(generator: Generator) -> bool:
    """A coin."""
    return drawn(2, generator) == 1
