"""Resizing: photos made small on an empty canvas or zoomed into, with words for it.

The augmentation of Custom Diffusion's code (Kumari et al., arXiv 2212.04488), so that a concept is
not bound to one size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image as Pictures
from PIL.Image import Image as Picture
from torch import Generator

from groupshot.base import Base
from groupshot.keep import Kept
from groupshot.samples.batch import Batch, Samples, drawn, turns
from groupshot.samples.captions import caption, known, prefixed
from groupshot.samples.crops import cropped, encoded
from groupshot.samples.photos import Shot
from groupshot.shapes import Region

SMALLER, SMALLEST = 2 / 3, 1 / 3
"""The share of photos that become smaller, and their smallest size, as a share of the canvas."""

LARGER = (1.2, 1.4)
"""The sizes of the others."""

SMALL = 0.6
"""What is smaller than this is laid on an empty canvas; what is between stays as it was."""

FAR, AS_IT_WAS, CLOSE = 0, 1, 2

WORDS = {FAR: ("a far away", "very small"), AS_IT_WAS: (), CLOSE: ("zoomed in", "close up")}
"""What begins the caption, one of two as likely."""


class View(NamedTuple):
    """A resized photo."""

    picture: Picture
    valid: Region
    """Where it is of the photo, at the latent's resolution."""
    zoom: int
    """FAR, AS_IT_WAS or CLOSE."""


def resized(base: Base, shots: Sequence[Shot], count: int, generator: Generator) -> Kept:
    """`count` views of every shot, encoded once.

    {"views": shot × view × latent, "valid": shot × view × 1 × h × w, "zoom": shot × view}.
    """
    side = base.shape[-1]
    made = [view(shot.picture, base.size, side, generator) for shot in shots for _ in range(count)]
    each = len(shots), count
    return {
        "views": encoded(base, [one.picture for one in made]).unflatten(0, each),
        "valid": torch.cat([one.valid for one in made]).unflatten(0, each),
        "zoom": torch.tensor([one.zoom for one in made]).unflatten(0, each),
    }


def view(picture: Picture, size: int, side: int, generator: Generator) -> View:
    """One view at `size` pixels, its latent `side` places a side."""
    smaller, share = torch.rand(2, generator=generator).tolist()
    low, high = (SMALLEST, 1.0) if smaller < SMALLER else LARGER
    scale = low + (high - low) * share
    everywhere = torch.ones(1, 1, side, side)
    if scale < SMALL:
        return far(picture, size, side, scale, generator)
    if scale > 1:
        whole = cropped(picture, round(scale * size), 1.0, generator)
        left, top = (drawn(whole.width - size + 1, generator) for _ in range(2))
        closer = whole.crop((left, top, left + size, top + size))
        return View(closer, everywhere, CLOSE)
    return View(cropped(picture, size, 1.0, generator), everywhere, AS_IT_WAS)


def far(picture: Picture, size: int, side: int, scale: float, generator: Generator) -> View:
    """A small view on a canvas of zeros, valid but for a rim of one place of the latent."""
    small = cropped(picture, round(scale * size), 1.0, generator)
    left, top = (drawn(size - small.width + 1, generator) for _ in range(2))
    canvas = Pictures.new("RGB", (size, size), (128, 128, 128))  # as near to 0 as bytes come
    canvas.paste(small, (left, top))
    valid, place = torch.zeros(1, 1, side, side), size // side
    rows, columns = (slice(a // place + 1, (a + small.width) // place - 1) for a in (top, left))
    valid[..., rows, columns] = 1
    return View(canvas, valid, FAR)


def resized_batches(base: Base, shots: tuple[Shot, ...], views: Kept, size: int) -> Samples:
    """Batches of `resized` views that show each concept equally often.

    Where a base has no words for a size, its captions do not mention it.
    """
    turn, templates = turns(shots), base.card.templates
    words = {zoom: known(said, base.lexicon) for zoom, said in WORDS.items()}
    latents, valid, zooms = views["views"], views["valid"], views["zoom"]

    def said(text: str, zoom: int, generator: Generator) -> str:
        fitting = words[zoom]
        return prefixed(fitting[drawn(len(fitting), generator)], text) if fitting else text

    def batch(step: int, generator: Generator) -> Batch:
        rows = turn(step, size, generator)
        picked = [drawn(latents.shape[1], generator) for _ in rows]
        captions: list[str] = []
        for i, zoom in zip(rows, zooms[rows, picked].tolist(), strict=True):
            plain = caption(templates[drawn(len(templates), generator)], shots[i].shows)
            captions.append(said(plain, zoom, generator))
        return Batch(
            latents=latents[rows, picked].to(base.device),
            captions=tuple(captions),
            names=(),
            masks=torch.zeros(size, 0, *latents.shape[-2:], device=base.device),
            valid=valid[rows, picked].to(base.device),
        )

    return batch
