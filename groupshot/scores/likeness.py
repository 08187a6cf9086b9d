"""Likeness: who is in a picture, and are they themselves, as the toybox's reader sees it.

An attribute is distinguishing between two members of a cast where they differ in it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from groupshot.cast import asked
from groupshot.errors import UserError
from groupshot.files import load_json
from groupshot.toybox.casts import TRUTH
from groupshot.toybox.reader import Reading, Seen

Looks = Mapping[str, str]
"""A character's attributes by name: kind, colour, second, pattern, accessory, …, mark."""

Truth = Mapping[str, Looks]
"""What each member of a drawn cast looks like, by name."""

NOTHING = "none"
"""The value of an attribute that is not worn: nobody can take it from another."""


@runtime_checkable
class Judge(Protocol):
    """Whoever can say what pictures show, and how far apart they are: the reader is one."""

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Read pictures back."""
        ...

    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """A vector of unit length for each picture, [b, d]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like the members of a cast, in the order asked, the characters of one picture are."""

    wanted: tuple[Looks, ...]
    """What each member looks like, of what can be seen in the pose that was asked for."""
    found: tuple[Seen | None, ...]
    """The character that each member is taken to be."""
    present: bool
    """Exactly the count and classes asked, and nobody to be taken for another."""
    identity: tuple[float, ...]
    """The share of each member's attributes that its character has; 0 without a character."""
    mixed: tuple[bool, ...]
    """Whose character has something that tells another member from it."""
    faults: tuple[Looks | None, ...]
    """What each member's character has otherwise; None without a character."""

    @property
    def all_right(self) -> bool:
        """Everyone is present and wholly themselves, and nobody is mixed."""
        return self.present and min(self.identity) == 1 and not any(self.mixed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares from 0 to 1, of the pictures or of the members that were asked for in them."""

    present: float
    """Pictures with exactly the count and classes asked, and nobody taken for another."""
    identity: float
    """Attributes of a member that its character has; a missing character has none."""
    mixed: float
    """Members whose character has something that tells another member from it."""
    missing: float
    """Members without a character; never hidden in `mixed`."""
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
    return mean(
        likeness(reading, asked(prompt, tuple(truth)), truth)
        for prompt, drawn in pictures.items()
        for reading in judge.read(list(drawn))
    )


Hidden = Mapping[str, Collection[str]]
"""Attributes that cannot be told in the pose that was asked for, by member."""


def likeness(
    reading: Reading, names: Sequence[str], truth: Truth, hidden: Hidden | None = None
) -> Likeness:
    """Score one picture in which exactly these members were asked for, by what can be seen."""
    wanted = [seeable(truth[name], (hidden or {}).get(name, ())) for name in names]
    found = assigned(reading.known, wanted)
    pairs = [(own, looks(seen)) for own, seen in zip(wanted, found, strict=True)]
    rivals = [others(name, truth) for name in names]
    whole = len(reading.characters) == len(names)
    classes = Counter(own["kind"] for own, _ in pairs)
    swapped = any(
        mistaken(it, own, o) for (own, it), r in zip(pairs, rivals, strict=True) for o in r
    )
    return Likeness(
        wanted=tuple(wanted),
        found=tuple(found),
        present=whole and classes == Counter(kinds(reading.known)) and not swapped,
        identity=tuple(agreement(own, it) for own, it in pairs),
        mixed=tuple(
            any(mixes(it, own, o) for o in r) for (own, it), r in zip(pairs, rivals, strict=True)
        ),
        faults=tuple(faults(own, it) for own, it in pairs),
    )


def seeable(own: Looks, hidden: Collection[str]) -> Looks:
    """A member's attributes but for those that are hidden."""
    return {key: value for key, value in own.items() if key not in hidden}


def kinds(seen: Iterable[Seen]) -> list[str]:
    """The class of each character."""
    return [character.attributes["kind"] for character in seen]


def looks(seen: Seen | None) -> Looks | None:
    """The attributes of a character, if there is one."""
    return None if seen is None else seen.attributes


def assigned(seen: Sequence[Seen], wanted: Sequence[Looks]) -> list[Seen | None]:
    """Give each wanted member one character, so that most attributes agree; None for nobody."""
    found: list[Seen | None] = [None] * len(wanted)
    if seen:
        agreements = np.array([[agreement(own, s.attributes) for s in seen] for own in wanted])
        for i, j in zip(*linear_sum_assignment(agreements, maximize=True), strict=True):
            found[i] = seen[j]
    return found


def others(name: str, truth: Truth) -> list[Looks]:
    """The other members of the cast."""
    return [own for other, own in truth.items() if other != name]


def agreement(own: Looks, seen: Looks | None) -> float:
    """The share of a member's attributes that a character has."""
    return 0.0 if seen is None else fmean(seen[key] == value for key, value in own.items())


def faults(own: Looks, seen: Looks | None) -> Looks | None:
    """What a character has in place of a member's attributes."""
    return None if seen is None else {k: seen[k] for k, value in own.items() if seen[k] != value}


def mixes(seen: Looks | None, own: Looks, other: Looks) -> bool:
    """Tell whether a character has anything of the other member that its own has not."""
    return seen is not None and any(
        seen[key] == other[key] != own[key] and other[key] != NOTHING for key in own
    )


def mistaken(seen: Looks | None, own: Looks, other: Looks) -> bool:
    """Tell whether a character shares more of what tells two members apart with the other."""
    if seen is None:
        return False
    apart = [key for key in own if own[key] != other[key]]
    return sum(seen[k] == other[k] for k in apart) > sum(seen[k] == own[k] for k in apart)


def mean(pictures: Iterable[Likeness]) -> Scores:
    """The mean over pictures, and over all that were asked for in them."""
    judged = list(pictures)
    members = [
        (own, mixed, seen is None)
        for each in judged
        for own, mixed, seen in zip(each.identity, each.mixed, each.found, strict=True)
    ]
    identity, mixed, missing = (fmean(column) for column in zip(*members, strict=True))
    return Scores(
        present=fmean(each.present for each in judged),
        identity=identity,
        mixed=mixed,
        missing=missing,
        all_right=fmean(each.all_right for each in judged),
    )


def attributes(pictures: Iterable[Likeness]) -> dict[str, float]:
    """Of the members that have a character, the share of which each attribute is right."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for each in pictures:
        for own, wrong in zip(each.wanted, each.faults, strict=True):
            if wrong is not None:
                for key in own:
                    right[key].append(key not in wrong)
    return {key: fmean(values) for key, values in right.items()}
