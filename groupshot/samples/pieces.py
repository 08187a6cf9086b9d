"""Pieces: what collages are made of: concepts, whole and in parts, and common things.

CLIF's over-segmented concept dataset (arXiv 2405.06914, fig. 4).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from PIL.Image import Image as Picture
from torch import Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.masks.parts import Parted
from groupshot.masks.segmenter import Segmenter
from groupshot.samples.batch import TOGETHER
from groupshot.samples.captions import known, part_of, with_article
from groupshot.samples.cutouts import Cutout, cut
from groupshot.samples.photos import Shot
from groupshot.shapes import HardMask

Masked = Sequence[tuple[Shot, Mapping[str, HardMask]]]
"""Photos, and where each concept is in them."""

Cutouts = Mapping[str, Sequence[Cutout]]
"""By concept, or by class noun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Cut-outs of three sorts."""

    wholes: Cutouts
    """Every thing of the cast, at least once."""
    parts: Cutouts
    """Of those that have any; who has none is not there."""
    common: Cutouts
    """What the base knew already; a noun of which nothing could be cut out is not there."""


def wholes(cast: Cast, masked: Masked, size: int) -> dict[str, list[Cutout]]:
    """Every thing of a cast, cut out of each photo that allows it; backgrounds are no things.

    Raises a UserError that names a thing of which no photo allows it.
    """
    things = [concept.name for concept in cast.concepts if concept.kind == "thing"]
    if not things:
        raise UserError(
            f"{cast.folder} has only backgrounds, and CLIF contrasts things that can be cut out: "
            "use another method, or contrastive=false"
        )
    return {name: whole(name, masked, size) for name in things}


def whole(name: str, masked: Masked, size: int) -> list[Cutout]:
    """One thing, cut out of each photo that allows it."""
    found: list[Cutout] = []
    reasons: list[str] = []
    for shot, masks in masked:
        if name in masks:
            try:
                found.append(cut(shot, masks[name], name, f"<{name}>", size))
            except UserError as reason:
                reasons.append(str(reason))
    if not found:
        raise UserError(f"no photo gives a cut-out of {name}, which CLIF needs. {reasons[0]}")
    return found


def parts(
    names: Sequence[str], masked: Masked, parted: Parted, lexicon: Collection[str], size: int
) -> dict[str, list[Cutout]]:
    """Whatever things can be taken apart into, as far as it has a name that a base knows.

    A part that nobody has a name for is called as the whole is: a mark that no words describe is
    then learned as the concept's own.
    """
    found: dict[str, list[Cutout]] = {}
    for shot, masks in masked:
        for name in (name for name in names if name in masks):
            for part in parted(shot.picture, masks[name]):
                words = part_of(name, part.name) if part.name else f"<{name}>"
                if not part.name or known([part.name], lexicon):
                    with suppress(UserError):  # parts may well be too small to be shown
                        made = cut(shot, part.mask, name, words, size)
                        found.setdefault(name, []).append(made)
    return found


def common(
    base: Base, latents: Mapping[str, Tensor], segmenter: Segmenter
) -> dict[str, list[Cutout]]:
    """The surest thing of its class in each of the base's own pictures of it (`priors`).

    A picture that shows none, or none that can be cut out, is passed over.
    """
    found: dict[str, list[Cutout]] = {}
    for noun in latents:
        for picture in pictures(base, latents[noun]):
            candidates = [each for each in segmenter.found(picture, noun) if each.score > 0]
            shot = Shot(picture=picture, shows=(), source=f"a picture of {with_article(noun)}")
            for one in sorted(candidates, key=lambda each: -each.score)[:1]:
                with suppress(UserError):
                    made = cut(shot, one.mask, "", with_article(noun), base.size)
                    found.setdefault(noun, []).append(made)
    return found


def pictures(base: Base, latents: Tensor) -> Iterator[Picture]:
    """Latents as pictures, a few at a time."""
    for start in range(0, len(latents), TOGETHER):
        yield from base.pictures(latents[start : start + TOGETHER])
