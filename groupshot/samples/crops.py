"""Crops: random squares of photos, encoded once and drawn again and again."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image as Pictures
from PIL import ImageOps
from PIL.Image import Image as Picture
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.keep import Kept
from groupshot.samples.batch import TOGETHER, Batch, Samples, drawn, turns, unmasked
from groupshot.samples.captions import caption
from groupshot.samples.photos import PhotoMask, Shot
from groupshot.shapes import Image, Latent

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; the ends are exclusive."""


def pixels(pictures: Sequence[Picture]) -> Image:
    """Pictures of one size as a tensor."""
    arrays = [np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1


def square(picture: Picture, least: float, generator: Generator) -> Box:
    """A random square of at least `least` of the shorter side."""
    share, x, y = torch.rand(3, generator=generator).tolist()
    side = round(min(picture.size) * (least + (1 - least) * share))
    left, top = round(x * (picture.width - side)), round(y * (picture.height - side))
    return left, top, left + side, top + side


def cropped(picture: Picture, size: int, least: float, generator: Generator) -> Picture:
    """A random square of at least `least` of the shorter side, at `size`."""
    return scaled(picture, size, square(picture, least, generator))


def scaled(picture: Picture, size: int, box: Box) -> Picture:
    """A square of a picture, at `size`."""
    return picture.resize((size, size), Pictures.Resampling.LANCZOS, box=box)


def encoded(base: Base, pictures: Sequence[Picture]) -> Latent:
    """Pictures of one size as latents, a few at a time."""
    parts = range(0, len(pictures), TOGETHER)
    return torch.cat([base.encoded(pixels(pictures[i : i + TOGETHER])) for i in parts])


def squares(shots: Sequence[Shot], count: int, least: float, g: Generator) -> list[Box]:
    """`count` random squares of every shot in turn."""
    return [square(shot.picture, least, g) for shot in shots for _ in range(count)]


def views(base: Base, shots: tuple[Shot, ...], count: int, least: float, g: Generator) -> Kept:
    """`count` crops of every shot, encoded once: {"views": shot × crop × latent}."""
    boxes = squares(shots, count, least, g)
    photos = [shot.picture for shot in shots for _ in range(count)]
    crops = [scaled(photo, base.size, box) for photo, box in zip(photos, boxes, strict=True)]
    return {"views": encoded(base, crops).unflatten(0, (len(shots), count))}


def both_ways(base: Base, shots: tuple[Shot, ...], count: int, least: float, g: Generator) -> Kept:
    """`count` crops of every shot and their mirror images, encoded once, with their boxes.

    {"views": shot × crop × 2 × latent, "boxes": shot × crop × 4}. The boxes lie in the photo, so
    that masks that are found later can be cropped alike.
    """
    boxes = squares(shots, count, least, g)
    photos = [shot.picture for shot in shots for _ in range(count)]
    crops = [scaled(photo, base.size, box) for photo, box in zip(photos, boxes, strict=True)]
    sides = [side for crop in crops for side in (crop, ImageOps.mirror(crop))]
    return {
        "views": encoded(base, sides).unflatten(0, (len(shots), count, 2)),
        "boxes": torch.tensor(boxes).unflatten(0, (len(shots), count)),
    }


def crop_masks(
    masks: Sequence[Mapping[str, PhotoMask]], names: Sequence[str], boxes: Tensor, side: int
) -> Tensor:
    """Masks of photos, cropped to boxes and pooled: shot × crop × name × side × side.

    0 for a name that a photo has no mask of.
    """
    blank = torch.zeros(side, side)
    small = [
        mask_crop(there[name], tuple(box), side) if name in there else blank
        for there, of_shot in zip(masks, boxes.tolist(), strict=True)
        for box in of_shot
        for name in names
    ]
    return torch.stack(small).unflatten(0, (*boxes.shape[:2], len(names)))


def mask_crop(mask: PhotoMask, box: Box, side: int) -> Tensor:
    """What lies in a box of a mask, as `side` × `side` means over area (see `pooled`)."""
    whole = Pictures.fromarray(mask.astype(np.float32))
    return torch.from_numpy(np.array(whole.resize((side, side), Pictures.Resampling.BOX, box=box)))


def batches(base: Base, shots: tuple[Shot, ...], views: Tensor, size: int) -> Samples:
    """Batches that show each concept equally often: random shot, crop and caption."""
    turn, templates = turns(shots), base.card.templates

    def batch(step: int, generator: Generator) -> Batch:
        rows = turn(step, size, generator)
        crops = [drawn(views.shape[1], generator) for _ in rows]
        spoken = [templates[drawn(len(templates), generator)] for _ in rows]
        captions = [caption(t, shots[i].shows) for t, i in zip(spoken, rows, strict=True)]
        return unmasked(views[rows, crops].to(base.device), tuple(captions))

    return batch
