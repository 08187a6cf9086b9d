"""Collages: two cut-outs on a plain canvas, of three kinds, with words for who is on which side.

CLIF's contrastive augmented dataset (arXiv 2405.06914, fig. 4): Global sets a concept beside a
common thing, Region a part of it, and Mix two concepts beside each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL.Image import Image as Picture
from torch import Generator

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.keep import Kept
from groupshot.samples.backdrops import plain
from groupshot.samples.batch import drawn
from groupshot.samples.composites import collage
from groupshot.samples.cutouts import Cutout
from groupshot.samples.pieces import Cutouts, Pieces
from groupshot.samples.spots import Rules
from groupshot.shapes import ImageFeatures

T = TypeVar("T")

TINY = 1e-9
"""What is as good as no share."""

Couple = tuple[Cutout, Cutout]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collage:
    """A picture of two things, and what is to be said of it."""

    kind: str
    picture: Picture
    phrase: str
    """ "<luna>'s hat on the left and a dog on the right": for any template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Some collages as a CLIP sees them, and the caption of each."""

    images: ImageFeatures
    captions: tuple[str, ...]
    phrases: tuple[str, ...]
    """The captions without their templates: where these are the same, both fit both."""


def beside_common(pieces: Pieces, name: str, g: Generator) -> Couple:
    """Global: a concept and a common thing."""
    return pick(pieces.wholes[name], g), thing(pieces.common, g)


def part_beside_common(pieces: Pieces, name: str, g: Generator) -> Couple:
    """Region: a part of a concept and a common thing; who has no parts is taken whole."""
    return pick(pieces.parts.get(name, pieces.wholes[name]), g), thing(pieces.common, g)


def beside_another(pieces: Pieces, name: str, g: Generator) -> Couple:
    """Mix: two concepts."""
    other = pick([each for each in pieces.wholes if each != name], g)
    return pick(pieces.wholes[name], g), pick(pieces.wholes[other], g)


KINDS: Mapping[str, Callable[[Pieces, str, Generator], Couple]] = {
    "global": beside_common,
    "region": part_beside_common,
    "mix": beside_another,
}
"""How the two of each kind are chosen, given the one whose turn it is."""


def collages(
    pieces: Pieces, numbers: Mapping[str, int], size: int, rules: Rules, g: Generator
) -> list[Collage]:
    """So many of each kind on white canvases of `size` pixels; the concepts take turns.

    Raises a UserError where common things are wanted, and there are none.
    """
    if not pieces.common and numbers["global"] + numbers["region"]:
        raise UserError(
            "none of the common things that the base drew could be found and cut out: name others "
            "with common=…, another segmenter, or set global_share=0 and region_share=0"
        )
    names, canvas = list(pieces.wholes), plain(size)
    made: list[Collage] = []
    for kind, count in numbers.items():
        for i in range(count):
            couple = KINDS[kind](pieces, names[i % len(names)], g)
            each = collage(couple, canvas, "{}", rules, g)
            made.append(Collage(kind=kind, picture=each.picture, phrase=each.caption))
    return made


def counts(shares: Mapping[str, float], total: int, concepts: int) -> dict[str, int]:
    """How many of each kind are made, by their shares; one concept alone has no Mix.

    Raises a UserError where that is none at all.
    """
    mixed = 1 if concepts > 1 else 0
    weights = {k: max(0.0, share) * (mixed if k == "mix" else 1) for k, share in shares.items()}
    ends = torch.tensor([0.0, *weights.values()], dtype=torch.double).cumsum(0)
    steps = (ends / ends[-1].clamp(min=TINY) * total).round().long().diff().tolist()
    if not any(steps):
        said = ", ".join(f"{kind}_share={share:g}" for kind, share in shares.items())
        raise UserError(
            f"{total} collages for {concepts} {'concepts' if mixed else 'concept'} with {said} are "
            "none at all: raise them, or set contrastive=false"
        )
    return dict(zip(weights, steps, strict=True))


def seen_as(made: Sequence[Collage], features: ImageFeatures) -> Kept:
    """Features by phrase, as `keep` stores them: {phrase: collage × d}."""
    rows: dict[str, list[int]] = {}
    for i, each in enumerate(made):
        rows.setdefault(each.phrase, []).append(i)
    return {phrase: features[numbers] for phrase, numbers in rows.items()}


def matches(base: Base, seen: Kept, size: int) -> Callable[[int, Generator], Matched]:
    """Batches of different collages, all as likely, each in one of the base's templates."""
    phrases = [phrase for phrase in sorted(seen) for _ in seen[phrase]]
    images = torch.cat([seen[phrase] for phrase in sorted(seen)])
    templates = base.card.templates

    def batch(step: int, generator: Generator) -> Matched:
        rows = torch.randperm(len(phrases), generator=generator)[:size]
        said = tuple(phrases[i] for i in rows.tolist())
        return Matched(
            images=images[rows].to(base.device),
            captions=tuple(pick(templates, generator).format(phrase) for phrase in said),
            phrases=said,
        )

    return batch


def thing(cutouts: Cutouts, g: Generator) -> Cutout:
    """Something common: all nouns are as likely."""
    return pick(cutouts[pick(list(cutouts), g)], g)


def pick(things: Sequence[T], generator: Generator) -> T:
    """Any one of them."""
    return things[drawn(len(things), generator)]
