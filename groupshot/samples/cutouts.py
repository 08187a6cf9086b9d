"""Cut-outs: subjects without their backgrounds."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image as Pictures
from PIL.Image import Image as Picture

from groupshot.errors import UserError
from groupshot.samples.crops import Box
from groupshot.samples.lights import Light, light
from groupshot.samples.mattes import Colours, Share, matted
from groupshot.samples.photos import PhotoMask, Shot
from groupshot.shapes import HardMask

MARGIN = 0.15
"""How much of the surroundings is looked at, as a share of the subject's longer side."""

FULL = 0.95
"""A subject with more of its photo than this leaves no background to cut it from."""

SMALLEST = 1 / 12
"""The least that a subject's longer side may have in its photo, as a share of the canvas."""

FEWEST = 16
"""The least pixels that it may have, in a photo as large as the canvas."""

SEEN = 1 / 255
"""The smallest share of a pixel that can be seen."""


class Edges(NamedTuple):
    """At which edges of its photo a subject is cut off."""

    left: bool = False
    top: bool = False
    right: bool = False
    bottom: bool = False

    @property
    def mirrored(self) -> "Edges":
        """The same, seen in a mirror."""
        return Edges(left=self.right, top=self.top, right=self.left, bottom=self.bottom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """Something without its background, and what it is called."""

    picture: Picture
    """RGBA, as large as what is to be seen."""
    name: str
    """The concept whose mask it has in a picture; empty for what is nobody's."""
    words: str
    """What captions call it: "<luna>", "<luna>'s hat", "a dog"."""
    light: Light
    """Of what surrounded it."""
    cut: Edges
    """Where its photo ends; there it can only stand at the edge of a canvas."""


def cut(shot: Shot, mask: PhotoMask, name: str, words: str, size: int) -> Cutout:
    """What the mask marks (over 0.5) in a photo, no larger than a canvas of `size` pixels.

    Raises a UserError where that is nothing, too small to be shown, or the whole photo.
    """
    inside = mask > 0.5
    check(shot, inside, words, size)
    left, top, right, bottom = box_of(inside)
    edges = Edges(left == 0, top == 0, right == inside.shape[1], bottom == inside.shape[0])
    photo, inside = closer(shot.picture, inside, size)
    matte = matted(photo, inside)
    surroundings = light(photo, (matte.alpha < SEEN).astype(float))
    return Cutout(
        picture=layered(matte.colours, matte.alpha),
        name=name,
        words=words,
        light=surroundings,
        cut=edges,
    )


def check(shot: Shot, inside: HardMask, words: str, size: int) -> None:
    """Refuse a mask from which nothing can be cut."""
    if not inside.any():
        raise UserError(
            f"The mask of {words} in {shot.source} marks nothing: paint a hand mask, or leave "
            "the photo out."
        )
    if inside.mean() > FULL:
        raise UserError(
            f"The mask of {words} covers {inside.mean():.0%} of {shot.source}, so there is "
            "nothing to cut it from: use a photo with some background, or paint a hand mask."
        )
    if not large_enough(inside, size):
        left, top, right, bottom = box_of(inside)
        raise UserError(
            f"{words} has only {right - left} x {bottom - top} pixels in {shot.source}: use a "
            "photo that shows it larger."
        )


def large_enough(mask: PhotoMask, size: int) -> bool:
    """Whether what a mask marks can be shown on a canvas: parts may well be too small or thin."""
    left, top, right, bottom = box_of(mask > 0.5)
    longer = max(right - left, bottom - top)
    scale = min(1.0, size / max(1, longer))
    return longer >= SMALLEST * size and float((mask > 0.5).sum()) * scale**2 >= FEWEST


def closer(
    picture: Picture, inside: HardMask, size: int
) -> tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """A photo and its mask around what is marked, which has at most `size` pixels a side."""
    left, top, right, bottom = box_of(inside)
    longer = max(right - left, bottom - top)
    margin = max(4, round(MARGIN * longer))
    height, width = inside.shape
    box = (
        max(0, left - margin),
        max(0, top - margin),
        min(width, right + margin),
        min(height, bottom + margin),
    )
    scale = min(1.0, size / longer)
    shape = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
    photo = picture.convert("RGB").resize(shape, Pictures.Resampling.LANCZOS, box=box)
    marked = Pictures.fromarray(inside.astype(np.float32)).resize(
        shape, Pictures.Resampling.BOX, box=box
    )
    return np.asarray(photo, dtype=float) / 255, np.asarray(marked) > 0.5


def layered(colours: Colours, alpha: Share) -> Picture:
    """Colours and their share of each pixel as an RGBA picture, trimmed to what is to be seen."""
    left, top, right, bottom = box_of(alpha >= SEEN)
    stacked = np.dstack([colours, alpha])[top:bottom, left:right]
    return Pictures.fromarray((stacked * 255).round().astype(np.uint8))


def box_of(mask: HardMask) -> Box:
    """The smallest box around a mask; all zeros for an empty one."""
    return Pictures.fromarray(mask).getbbox() or (0, 0, 0, 0)
