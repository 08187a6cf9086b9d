"""Grounds: places with nobody in them, from photos without their subjects, to put others there."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageOps
from PIL.Image import Image as Picture
from torch import Generator

from groupshot.samples.backdrops import Backdrop, emptied, left_over, plain
from groupshot.samples.batch import tossed
from groupshot.samples.crops import scaled, square
from groupshot.samples.cutouts import box_of
from groupshot.samples.photos import PhotoMask, Shot
from groupshot.samples.spots import Interval
from groupshot.shapes import HardMask

SHADOW = (0.36, 0.09)
"""How far to the sides of its middle, and above and below its feet, a shadow on the ground is taken
to reach, as shares of the subject's longer side: a little further than the toybox's."""

NEARBY = 0.1
"""How much higher or lower than its own subjects others may stand in a photo, as a share of it."""


Masked = tuple[Shot, Mapping[str, PhotoMask]]
"""A photo, and where in it each concept is that it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A place of any proportions, and where in it one can stand."""

    picture: Picture
    feet: Interval
    """How far down the lower edge of a thing may be, as a share of the height."""
    words: str = ""
    """What ends the caption: "on the beach"; nothing where it is not known."""
    name: str = ""
    """The concept that it is, if it is one."""


def bare(size: int) -> Ground:
    """White, where anyone may be anywhere."""
    return Ground(picture=plain(size).picture, feet=(0.0, 1.0))


def photographed(photos: Sequence[Masked], places: Collection[str], size: int) -> Iterator[Ground]:
    """The photos, nobody in them; those that their subjects fill are left out.

    `places` are the concepts that are backgrounds: they stay, and captions name them.
    """
    for shot, there in photos:
        subjects = [there[name] for name in shot.shows if name not in places]
        shown = [name for name in shot.shows if name in places]
        words = f"in front of <{shown[0]}>" if shown else ""
        yield from vacated(shot, subjects, size, words, "".join(shown[:1]))


def vacated(
    shot: Shot, subjects: Sequence[PhotoMask], size: int, words: str, name: str = ""
) -> Iterator[Ground]:
    """A photo without its subjects and their shadows: one ground, or none where they fill it."""
    if not subjects:
        yield Ground(picture=shot.picture, feet=(0.5, 1.0), words=words, name=name)
        return
    marked = np.logical_or.reduce([shaded(mask) for mask in subjects])
    if left_over(shot, marked, size):
        yield Ground(
            picture=emptied(shot, marked, size), feet=stood(subjects), words=words, name=name
        )


def shaded(mask: PhotoMask) -> HardMask:
    """A subject and the ground at its feet, where its shadow may be."""
    marked = mask > 0.5
    left, top, right, bottom = box_of(marked)
    longer = max(right - left, bottom - top)
    across, high = (max(1, round(share * longer)) for share in SHADOW)
    middle = (left + right) // 2
    marked[max(0, bottom - high) : bottom + high, max(0, middle - across) : middle + across] = True
    return marked


def stood(subjects: Sequence[PhotoMask]) -> Interval:
    """Where those who stood in a photo had their feet, and a little above and below."""
    feet = [box_of(mask > 0.5)[3] / len(mask) for mask in subjects]
    return max(0.0, min(feet) - NEARBY), min(1.0, max(feet) + NEARBY)


def backdrop(ground: Ground, size: int, least: float, g: Generator) -> tuple[Backdrop, Interval]:
    """A random square of a ground, every other time mirrored, and where in it one can stand."""
    box = square(ground.picture, least, g)
    seen = scaled(ground.picture, size, box)
    picture = ImageOps.mirror(seen) if tossed(g) else seen
    _, top, _, bottom = box
    high, low = (share * ground.picture.height for share in ground.feet)
    feet = tuple(min(1.0, max(0.0, (y - top) / (bottom - top))) for y in (high, low))
    made = Backdrop(picture=picture.convert("RGB"), words=ground.words, name=ground.name)
    return made, (feet[0], feet[1])
