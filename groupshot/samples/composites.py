"""Composites: cut-outs laid on a backdrop, with a caption and the exact mask of each.

CLIF's collages (two on a plain canvas, left and right) and FaR's composites (any number in front of
anything) are made by one compositor and differ in where things are put and what is said of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Pictures
from PIL import ImageOps
from PIL.Image import Image as Picture
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.samples.backdrops import Backdrop
from groupshot.samples.batch import Batch, pooled
from groupshot.samples.captions import listed, sided
from groupshot.samples.crops import Box, pixels
from groupshot.samples.cutouts import Cutout, box_of
from groupshot.samples.lights import light, relit
from groupshot.samples.mattes import Colours, Share
from groupshot.samples.spots import Rules, Spot, back_to_front, beside, middle, scattered
from groupshot.shapes import Image, Masks

Layers = Float[np.ndarray, "k H W"]
"""The share of each pixel that each of k things has."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """One thing in a composite."""

    name: str
    """The concept that it is, or is a part of; empty for what is nobody's."""
    words: str
    """What captions call it."""
    mask: Share
    """The share of each pixel that is its own, after what is in front of it."""

    @property
    def box(self) -> Box:
        """The smallest box around what is more than half its own; all zeros if nothing is."""
        return box_of(self.mask > 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composite:
    """A picture made of cut-outs, and all that is true of it."""

    picture: Picture
    caption: str
    placed: tuple[Placed, ...]
    """In the order of the cut-outs; a backdrop that is a concept comes last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unencoded:
    """A batch of pictures that no base has encoded yet, on the CPU."""

    images: Image
    captions: tuple[str, ...]
    names: tuple[str, ...]
    """As in a Batch, and so are the masks."""
    masks: Masks


def collage(
    things: tuple[Cutout, Cutout], backdrop: Backdrop, template: str, rules: Rules, g: Generator
) -> Composite:
    """Two things, one on the left and one on the right, and a caption that says which is which.

    CLIF's (arXiv 2405.06914, fig. 4), whose canvas is `plain`.
    """
    spots = beside(things, backdrop.picture.width, rules, g)
    picture, placed = laid(things, spots, backdrop, rules.light)
    left, right = sorted(range(2), key=lambda i: middle(spots[i].box))
    said = sided(things[left].words, things[right].words)
    return Composite(picture=picture, caption=told(template, said, backdrop), placed=placed)


def composite(
    things: Sequence[Cutout], backdrop: Backdrop, template: str, rules: Rules, g: Generator
) -> Composite:
    """Things anywhere in front of a backdrop, and a caption that names them in random order.

    FaR's (arXiv 2504.03292), as far as its abstract tells.
    """
    spots = scattered(things, backdrop.picture.width, rules, g)
    picture, placed = laid(things, spots, backdrop, rules.light)
    order = torch.randperm(len(things), generator=g).tolist()
    said = listed([things[i].words for i in order])
    return Composite(picture=picture, caption=told(template, said, backdrop), placed=placed)


def told(template: str, said: str, backdrop: Backdrop) -> str:
    """The caption: what was placed, and where if it is known."""
    return " ".join(words for words in (template.format(said), backdrop.words) if words)


def laid(
    things: Sequence[Cutout], spots: Sequence[Spot], backdrop: Backdrop, strength: float
) -> tuple[Picture, tuple[Placed, ...]]:
    """Things at their spots, those that stand lower in front, and what is to be seen of each."""
    canvas = np.asarray(backdrop.picture.convert("RGB"), dtype=np.float32) / 255
    picture = canvas.copy()
    masks = np.zeros((len(things), *canvas.shape[:2]), dtype=np.float32)
    for i in back_to_front(spots):
        left, top, right, bottom = spots[i].box
        here = slice(top, bottom), slice(left, right)
        colours, alpha = posed(things[i], spots[i])
        new = light(canvas[here], np.ones_like(alpha))
        colours = relit(colours, things[i].light, new, strength)
        masks[:, *here] *= 1 - alpha
        masks[i, *here] = alpha
        picture[here] += alpha[..., None] * (colours - picture[here])
    shown = Pictures.fromarray((picture * 255).round().astype(np.uint8))
    return shown, (*whose(things, masks), *behind(backdrop, masks))


def posed(thing: Cutout, spot: Spot) -> tuple[Colours, Share]:
    """A thing as it is at its spot: mirrored, turned and scaled."""
    picture = ImageOps.mirror(thing.picture) if spot.flip else thing.picture
    if spot.turn:
        picture = picture.rotate(spot.turn, Pictures.Resampling.BICUBIC, expand=True)
    left, top, right, bottom = spot.box
    picture = picture.resize((right - left, bottom - top), Pictures.Resampling.LANCZOS)
    layers = np.asarray(picture, dtype=np.float32) / 255
    return layers[..., :3], layers[..., 3]


def whose(things: Sequence[Cutout], masks: Layers) -> list[Placed]:
    """Each thing with its mask."""
    return [
        Placed(name=thing.name, words=thing.words, mask=mask)
        for thing, mask in zip(things, masks, strict=True)
    ]


def behind(backdrop: Backdrop, masks: Layers) -> list[Placed]:
    """The backdrop, if it is a concept: all that is nobody else's."""
    rest = 1 - masks.sum(0)
    return [Placed(name=backdrop.name, words=backdrop.words, mask=rest)] if backdrop.name else []


def stacked(made: Sequence[Composite], names: Sequence[str], side: int) -> Unencoded:
    """Composites as one batch, their masks for latents of a side.

    A concept's mask is that of all that bears its name.
    """
    return Unencoded(
        images=pixels([each.picture for each in made]),
        captions=tuple(each.caption for each in made),
        names=tuple(names),
        masks=pooled(torch.stack([mask_stack(each, names) for each in made]), side),
    )


def composed(base: Base, batch: Unencoded) -> Batch:
    """A batch, encoded."""
    latents = base.encoded(batch.images)
    return Batch(
        latents=latents,
        captions=batch.captions,
        names=batch.names,
        masks=batch.masks.to(base.device),
        valid=torch.ones_like(latents[:, :1]),
    )


def mask_stack(made: Composite, names: Sequence[str]) -> Tensor:
    """The mask of each name in a composite: k × H × W."""
    blank = np.zeros(made.picture.size[::-1])
    own = [sum((p.mask for p in made.placed if p.name == name), blank) for name in names]
    return torch.from_numpy(np.stack(own)).float()
