"""Sightings: where each concept is in each photo of a cast, by hand or by a segmenter."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image as Picture

from groupshot.cast import Cast, Concept
from groupshot.castfile import Side
from groupshot.errors import UserError
from groupshot.keep import Kept
from groupshot.masks.segmenter import Candidate, Segmenter
from groupshot.photo import MARKED
from groupshot.shapes import HardMask

HAND = "hand mask"
"""The source of what the user painted, or cut out with an alpha channel."""

REST = "the rest"
"""The source of a background's mask: what no other concept of the photo covers."""

SAME = 0.5
"""A candidate is somebody who is found already if more of it than this is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sighting:
    """A photo, whom it shows, and where each of them is."""

    path: Path
    photo: str
    """Its path inside the cast's folder: `luna/1.jpg`."""
    picture: Picture
    masks: Mapping[str, HardMask]
    """By concept, in the order of the cast's list."""
    sources: Mapping[str, str]
    """By concept: HAND, REST, or the name of a segmenter."""
    files: Mapping[str, Path]
    """By concept: where its hand mask lies, or would lie."""

    @property
    def shares(self) -> dict[str, float]:
        """How much of the photo each concept covers."""
        return {name: float(mask.mean()) for name, mask in self.masks.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A photo before anything is looked for in it."""

    path: Path
    picture: Picture
    concepts: tuple[Concept, ...]
    """Whom it shows, in the order of its `shows` as far as no `where` says otherwise."""
    hand: Mapping[str, HardMask]
    """What is masked by hand."""
    files: Mapping[str, Path]
    """Where the hand mask of each concept lies, or would lie."""
    where: Mapping[str, Side]
    """On which side of the others some of them are."""


def sightings(cast: Cast, segmenter: Segmenter | None = None) -> Iterator[Sighting]:
    """Every photo of the cast with its masks, in the order of `samples.shots`.

    A hand mask counts before a segmenter. Of everything that the segmenter finds of a class the
    surest are taken, as many as the photo shows; where it shows several of one class, the names in
    its `shows` are taken as from left to right, unless its `where` says otherwise. A background
    without a hand mask is what no other concept of its photo covers. Raises a UserError that names
    the photo, and the hand mask to paint, where somebody is not found.
    """
    return (sighted(cast, shown, segmenter) for shown in photos(cast))


def photos(cast: Cast) -> Iterator[Shown]:
    """Every photo of the cast, those of one concept first."""
    for concept in cast.concepts:
        for photo in concept.photos:
            mask, file = photo.mask(), photo.path.with_suffix(".mask.png")
            yield Shown(
                path=photo.path,
                picture=photo.image(),
                concepts=(concept,),
                hand={} if mask is None else {concept.name: hard(mask)},
                files={concept.name: file},
                where={},
            )
    named = {concept.name: concept for concept in cast.concepts}
    for each in cast.together:
        path = each.photo.path
        yield Shown(
            path=path,
            picture=each.photo.image(),
            concepts=tuple(named[name] for name in each.from_left),
            hand={name: hard(mask) for name, mask in each.masks.items()},
            files={name: path.with_suffix(f".{name}.mask.png") for name in each.shows},
            where=each.where,
        )


def hard(mask: Picture) -> HardMask:
    """A mask of 256 greys as there or not."""
    return np.asarray(mask) >= MARKED


def sighted(cast: Cast, shown: Shown, segmenter: Segmenter | None) -> Sighting:
    """One photo with everybody in it found."""
    masks = dict(shown.hand)
    things = [c for c in shown.concepts if c.kind == "thing" and c.name not in masks]
    for noun in dict.fromkeys(concept.noun for concept in things):
        alike = [concept for concept in things if concept.noun == noun]
        masks |= told_apart(shown, alike, list(masks.values()), segmenter)
    blank = np.zeros((shown.picture.height, shown.picture.width), dtype=bool)
    rest: HardMask = ~np.logical_or.reduce([blank, *masks.values()])
    sources = dict.fromkeys([c.name for c in shown.concepts], REST)
    sources |= dict.fromkeys(masks, segmenter.name if segmenter else HAND)
    sources |= dict.fromkeys(shown.hand, HAND)
    if REST in sources.values() and not rest.any():
        raise UserError(f"{shown.path} has nothing left for its background: correct its masks")
    order = [name for name in cast.names if name in sources]
    return Sighting(
        path=shown.path,
        photo=inside(cast, shown.path),
        picture=shown.picture,
        masks={name: masks.get(name, rest) for name in order},
        sources={name: sources[name] for name in order},
        files=shown.files,
    )


def told_apart(
    shown: Shown,
    alike: Sequence[Concept],
    claimed: Sequence[HardMask],
    segmenter: Segmenter | None,
) -> dict[str, HardMask]:
    """Concepts of one class in a photo, found by a segmenter and named from left to right."""
    noun = alike[0].noun
    if noun is None or segmenter is None:
        raise UserError(unmasked(shown, alike[0]))
    candidates = unclaimed(segmenter.found(shown.picture, noun), claimed)
    if len(candidates) < len(alike):
        raise UserError(missing(shown, alike, len(candidates), segmenter.name))
    surest = from_left(candidates[: len(alike)])
    return {concept.name: one.mask for concept, one in zip(alike, surest, strict=True)}


def unclaimed(candidates: Sequence[Candidate], claimed: Sequence[HardMask]) -> list[Candidate]:
    """The candidates that are somebody else than those found already, the surest first."""
    return [
        one
        for one in sorted(candidates, key=lambda c: -c.score)
        if one.mask.any()
        and not any((one.mask & other).sum() > SAME * one.mask.sum() for other in claimed)
    ]


def from_left(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates by where their middle is, from left to right."""
    return sorted(candidates, key=lambda c: float(np.nonzero(c.mask)[1].mean()))


def unmasked(shown: Shown, concept: Concept) -> str:
    """What to say of a photo that has no mask of a concept where nothing could find it."""
    lacks = f"{shown.path} has no mask of {concept.name}"
    paint = f"paint {shown.files[concept.name]}, white on {concept.name}"
    if concept.noun is None:
        return (
            f"{lacks}, and {concept.name} no class word to find it by: {paint}, or write "
            f"`{concept.name}: {{class: cat}}` under `concepts:` in cast.yaml"
        )
    return f"{lacks}: {paint}, or name a segmenter"


def missing(shown: Shown, alike: Sequence[Concept], n: int, name: str) -> str:
    """What to say where a segmenter has found too few."""
    files = " and ".join(str(shown.files[concept.name]) for concept in alike)
    who = " and ".join(concept.name for concept in alike)
    found = f"{f'only {n}' if n else 'no'} {alike[0].noun}"
    return f"{name} finds {found} in {shown.path}: paint {files}, white on {who}"


def inside(cast: Cast, path: Path) -> str:
    """A photo's path inside the cast's folder."""
    return path.relative_to(cast.folder).as_posix()


def by_hand(cast: Cast) -> Iterator[Sighting]:
    """Hand masks, and backgrounds as what they leave; a UserError where one is missing."""
    for shown in photos(cast):
        for concept in shown.concepts:
            if concept.kind == "thing" and concept.name not in shown.hand:
                raise UserError(
                    f"{shown.path} has no mask of {concept.name}: paint "
                    f"{shown.files[concept.name]}, white on {concept.name}, or leave hand_masks out"
                )
    return sightings(cast)


def kept(seen: Iterable[Sighting]) -> Kept:
    """Masks as `keep` stores them: PHOTO:NAME, such as `luna/1.jpg:luna`, is bool [h, w]."""
    return {
        f"{each.photo}:{name}": torch.from_numpy(mask)
        for each in seen
        for name, mask in each.masks.items()
    }


def restored(cast: Cast, masks: Kept) -> tuple[dict[str, HardMask], ...]:
    """Masks as they were kept, by concept, for every photo in the order of `samples.shots`."""
    alone = [photo.path for concept in cast.concepts for photo in concept.photos]
    paths = [inside(cast, path) for path in (*alone, *(t.photo.path for t in cast.together))]
    return tuple(
        {name: masks[key].numpy() for name in cast.names if (key := f"{path}:{name}") in masks}
        for path in paths
    )
