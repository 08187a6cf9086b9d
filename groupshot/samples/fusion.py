"""Fusion: subjects, strangers and places from everywhere, recombined into composites.

FaR's Concept Fusion (arXiv 2504.03292). How anything is drawn there is not known to us: every
choice is ours, and a field.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from PIL import ImageOps
from torch import Generator

from groupshot.errors import UserError
from groupshot.samples.batch import drawn, tossed
from groupshot.samples.captions import caption
from groupshot.samples.composites import Composite, Placed, collage, composite
from groupshot.samples.crops import Box, mask_crop, scaled, square
from groupshot.samples.cutouts import Cutout, box_of, cut
from groupshot.samples.grounds import Ground, Masked, backdrop
from groupshot.samples.photos import PhotoMask, Shot
from groupshot.samples.spots import ENLARGED, Interval, Rules
from groupshot.samples.subsets import HALF, share, subset

T = TypeVar("T")

TRIES = 20
"""Squares of an oblong photo that are tried for one that shows somebody."""

Draw = Callable[[Generator], Composite]
"""Gives a random picture, and all that is true of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What is drawn at random about a composite."""

    rules: Rules
    """Of one alone."""
    crowding: float
    """Of k, each is k to the minus this as large."""
    most: int
    """The most concepts in one."""
    strangers: float
    """The chance that someone of a class stands beside them."""
    sided: float
    """The chance that two are said to be on the left and on the right."""
    least: float
    """The smallest part of a place that is shown, as a share of its shorter side."""

    def among(self, k: int, feet: Interval) -> Rules:
        """The rules for each of k, whose feet the place says."""
        low, high = (side / k**self.crowding for side in self.rules.size)
        return replace(self.rules, size=(low, high), feet=feet)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fusion:
    """All that composites are made of."""

    subjects: Mapping[str, Sequence[Cutout]]
    """The cut-outs of each concept."""
    strangers: Sequence[Cutout]
    grounds: Sequence[Ground]
    templates: Sequence[str]
    mixture: Mixture
    size: int
    """Side of the canvas, in pixels."""

    def draw(self, g: Generator) -> Composite:
        """A random composite of 1..K concepts, each number as likely."""
        mixture = self.mixture
        names = subset(list(self.subjects), g)[: mixture.most]
        things = [one_of(self.subjects[name], g) for name in names]
        if self.strangers and chance(mixture.strangers, g):
            things.append(one_of(self.strangers, g))
        behind, feet = backdrop(one_of(self.grounds, g), self.size, mixture.least, g)
        rules, template = mixture.among(len(things), feet), one_of(self.templates, g)
        if len(things) == 2 and chance(mixture.sided, g):
            return collage((things[0], things[1]), behind, template, rules, g)
        return composite(things, behind, template, rules, g)


def subjects(
    photos: Sequence[Masked], places: Collection[str], smallest: float, size: int
) -> dict[str, list[Cutout]]:
    """The cut-outs of every concept that is no background (`places`).

    Left out is who could not be shown with `smallest` of a canvas of `size` pixels but by enlarging
    more than looks sharp. Raises a UserError, which names a photo, for a concept of whom nothing
    remains, or of whom nothing can be cut.
    """
    least = smallest * size / ENLARGED
    seen: dict[str, list[Cutout]] = {}
    for shot, masks in photos:
        for name in shot.shows:
            if name in places:
                continue
            own = seen.setdefault(name, [])
            if longer(masks[name], size) >= least:
                own.append(cut(shot, masks[name], name, f"<{name}>", size))
    for name, own in seen.items():
        if not own:
            raise UserError(too_small(name, photos, least, size))
    return seen


def longer(mask: PhotoMask, size: int) -> float:
    """Of what a mask marks, the longer side, at most the canvas's; an empty one is `cut`'s case."""
    left, top, right, bottom = box_of(mask > 0.5)
    return min(size, max(right - left, bottom - top)) or size


def too_small(name: str, photos: Sequence[Masked], least: float, size: int) -> str:
    """What to say of a concept that is too small in all of its photos."""
    sides = {shot.source: longer(m[name], size) for shot, m in photos if name in shot.shows}
    best = max(sides, key=sides.__getitem__)
    return (
        f"{name} has at most {sides[best]:.0f} pixels a side in its photos ({best}), and would "
        f"only be enlarged in composites, which want {least:.0f}: use larger photos, or learn "
        "without composites (fusion=false)"
    )


def photo_draw(photos: Sequence[Masked], templates: Sequence[str], size: int, least: float) -> Draw:
    """Draws random squares of the photos, with masks, so that concepts come equally often."""
    of: dict[str, list[Masked]] = {}
    for photo in photos:
        for name in photo[0].shows:
            of.setdefault(name, []).append(photo)
    names = list(of)

    def draw(g: Generator) -> Composite:
        shot, masks = one_of(of[one_of(names, g)], g)
        box, shown = view(shot, masks, least, g)
        words = caption(one_of(templates, g), shown)
        made = Composite(
            picture=scaled(shot.picture, size, box).convert("RGB"),
            caption=words,
            placed=tuple(framed(name, masks[name], box, size) for name in shown),
        )
        return mirrored(made) if tossed(g) else made

    return draw


def view(
    shot: Shot, masks: Mapping[str, PhotoMask], least: float, g: Generator
) -> tuple[Box, Sequence[str]]:
    """A random square of a photo, and whom it shows: of an oblong one not always everyone."""
    box = square(shot.picture, least, g)
    for _ in range(TRIES):
        if shown := [name for name in shot.shows if share(masks[name], box) >= HALF]:
            return box, shown
        box = square(shot.picture, least, g)
    return box, shot.shows


def framed(name: str, mask: PhotoMask, box: Box, size: int) -> Placed:
    """A concept in a square of its photo."""
    return Placed(name=name, words=f"<{name}>", mask=mask_crop(mask, box, size).numpy())


def mirrored(made: Composite) -> Composite:
    """The same, seen in a mirror; its caption must not speak of sides."""
    return Composite(
        picture=ImageOps.mirror(made.picture),
        caption=made.caption,
        placed=tuple(
            replace(each, mask=np.ascontiguousarray(each.mask[:, ::-1])) for each in made.placed
        ),
    )


def either(
    share: float, one: Callable[[Generator], T], other: Callable[[Generator], T]
) -> Callable[[Generator], T]:
    """Draws the one with a chance of `share`, else the other."""
    return lambda g: (one if chance(share, g) else other)(g)


def chance(share: float, generator: Generator) -> bool:
    """True with a probability of `share`."""
    return torch.rand((), generator=generator).item() < share


def one_of(things: Sequence[T], generator: Generator) -> T:
    """Any one of them."""
    return things[drawn(len(things), generator)]
