"""Scores: who is in a picture, and are they themselves, as the toybox's reader sees it.

An attribute is distinguishing between two members of a cast where they differ in it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from groupshot.cast import asked
from groupshot.errors import UserError
from groupshot.files import load_json
from groupshot.toybox.casts import TRUTH
from groupshot.toybox.reader import Reading

Looks = Mapping[str, str]
"""A character's attributes by name: kind, colour, second, pattern, accessory, …, mark."""

Truth = Mapping[str, Looks]
"""What each member of a drawn cast looks like, by name."""


@runtime_checkable
class Judge(Protocol):
    """Whoever can say what pictures show: the toybox's reader is one."""

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Read pictures back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares from 0 to 1, over pictures or over the concepts that were asked for."""

    present: float
    """Pictures with exactly the count and classes asked, and nobody taken for another."""
    identity: float
    """Attributes of a concept that its character has; a missing character has none."""
    mixed: float
    """Concepts whose character has something that tells another member from it."""
    missing: float
    """Concepts without a character; never hidden in `mixed`."""
    all_right: float
    """Pictures in which everyone is present, wholly themselves, and nobody mixed."""


def truth_of(folder: Path) -> Truth:
    """Read what a drawn cast's members look like; UserError where the cast was not drawn."""
    if not (folder / TRUTH).is_file():
        raise UserError(
            f"{folder} has no {TRUTH}: only casts that the toybox drew can be scored exactly"
        )
    return load_json(folder / TRUTH)


def evaluated(pictures: Mapping[str, Sequence[Image.Image]], truth: Truth, judge: Judge) -> Scores:
    """Let a judge score pictures, by the prompt that each was drawn for."""
    scores = [
        score(reading, asked(prompt, tuple(truth)), truth)
        for prompt, drawn in pictures.items()
        for reading in judge.read(list(drawn))
    ]
    return mean(scores)


def score(reading: Reading, names: Sequence[str], truth: Truth) -> Scores:
    """Score one picture in which exactly these members were asked for."""
    seen = [character.attributes for character in reading.known]
    found = assigned(seen, [truth[name] for name in names])
    alike = [agreement(truth[name], looks) for name, looks in zip(names, found, strict=True)]
    blends = [
        any(mixes(looks, truth[name], other) for other in others(name, truth))
        for name, looks in zip(names, found, strict=True)
    ]
    present = (
        len(reading.characters) == len(names)
        and Counter(c["kind"] for c in seen) == Counter(truth[name]["kind"] for name in names)
        and not any(
            mistaken(looks, truth[name], other)
            for name, looks in zip(names, found, strict=True)
            for other in others(name, truth)
        )
    )
    return Scores(
        present=float(present),
        identity=fmean(alike),
        mixed=fmean(blends),
        missing=fmean(looks is None for looks in found),
        all_right=float(present and min(alike) == 1 and not any(blends)),
    )


def assigned(seen: Sequence[Looks], wanted: Sequence[Looks]) -> list[Looks | None]:
    """Give each wanted member one character, so that most attributes agree; None for nobody."""
    found: list[Looks | None] = [None] * len(wanted)
    agreements = np.array([[agreement(want, look) for look in seen] for want in wanted])
    if seen:
        for i, j in zip(*linear_sum_assignment(agreements, maximize=True), strict=True):
            found[i] = seen[j]
    return found


def others(name: str, truth: Truth) -> list[Looks]:
    """The other members of the cast."""
    return [looks for other, looks in truth.items() if other != name]


def agreement(own: Looks, looks: Looks | None) -> float:
    """The share of a member's attributes that a character has."""
    return 0.0 if looks is None else fmean(looks[key] == value for key, value in own.items())


def mixes(looks: Looks | None, own: Looks, other: Looks) -> bool:
    """Tell whether a character has anything of the other member that its own has not."""
    return looks is not None and any(looks[key] == other[key] != own[key] for key in own)


def mistaken(looks: Looks | None, own: Looks, other: Looks) -> bool:
    """Tell whether a character shares more of what tells two members apart with the other."""
    if looks is None:
        return False
    apart = [key for key in own if own[key] != other[key]]
    return sum(looks[k] == other[k] for k in apart) > sum(looks[k] == own[k] for k in apart)


def mean(scores: Sequence[Scores]) -> Scores:
    """The mean over pictures that were asked for equally many concepts each."""
    return Scores(
        present=fmean(s.present for s in scores),
        identity=fmean(s.identity for s in scores),
        mixed=fmean(s.mixed for s in scores),
        missing=fmean(s.missing for s in scores),
        all_right=fmean(s.all_right for s in scores),
    )
