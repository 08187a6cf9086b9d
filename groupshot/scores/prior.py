"""The prior: whether a class is still what it was, or has turned into the concepts.

A run and the untouched base draw class words from the same noise; what is compared is how often
which class, main colour and pattern are read.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from groupshot.base import Base, fingerprint
from groupshot.files import load_json, save_json
from groupshot.pictures import drawn
from groupshot.samples import with_article
from groupshot.scores.likeness import Judge, Looks, Truth
from groupshot.toybox.reader import Reading

TRAITS = ("kind", "colour", "pattern")
"""What is counted."""

Read = list[Looks | None]
"""The largest character of each picture, None where there is nobody."""


def prior(before: Iterable[Looks | None], after: Sequence[Looks | None], truth: Truth) -> float:
    """1 − the distance between what was drawn before and after − the share that is a concept.

    The distance is the total variation of the histograms over `TRAITS`; below 0 it is 0.
    """
    leaked = sum(any(resembles(one, own) for own in truth.values()) for one in after) / len(after)
    return max(0.0, 1 - distance(histogram(before), histogram(after)) - leaked)


def histogram(read: Iterable[Looks | None]) -> Counter[tuple[str, ...]]:
    """How often each combination of traits was read; nobody is one of them."""
    return Counter(tuple(one[trait] for trait in TRAITS) if one else () for one in read)


def distance(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    """Total variation, from 0 (alike) to 1 (nothing in common)."""
    sums = one.total(), other.total()
    return sum(abs(one[k] / sums[0] - other[k] / sums[1]) for k in one.keys() | other.keys()) / 2


def resembles(one: Looks | None, own: Looks) -> bool:
    """Whether a character reads as a concept: in most attributes besides the class."""
    if one is None or one["kind"] != own["kind"]:
        return False
    besides = [key for key in own if key != "kind"]
    return sum(one[key] == own[key] for key in besides) > len(besides) / 2


def largest(reading: Reading) -> Looks | None:
    """The character that fills most of the picture."""
    known = sorted(reading.known, key=lambda seen: int(seen.mask.sum()))
    return known[-1].attributes if known else None


def class_pictures(base: Base, judge: Judge, noun: str, n: int, seed: int = 0) -> Read:
    """What the base, as it stands, draws when it is asked for a class: n pictures, read."""
    templates = base.card.templates
    read: Read = []
    for i, template in enumerate(templates):
        count = len(range(i, n, len(templates)))
        prompt = template.format(with_article(noun))
        pictures = tqdm(drawn(base, prompt, n=count, seed=seed), prompt, count, unit="picture")
        read += [largest(reading) for reading in judge.read(list(pictures))]
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What untouched bases draw of classes, kept as JSON files: it is the same for every run."""

    folder: Path
    pictures: int
    """How many are drawn in all, shared by the classes of a cast."""

    def things(self, truth: Truth) -> set[str]:
        """The classes of a cast, if any pictures of them are wanted."""
        return {own["kind"] for own in truth.values()} if self.pictures else set()

    def drawn(self, base: Base, judge: Judge, nouns: Collection[str], seed: int = 0) -> Read:
        """Pictures of these classes by the base as it stands; with another seed, of other noise."""
        each = self.each(nouns)
        return [r for noun in sorted(nouns) for r in class_pictures(base, judge, noun, each, seed)]

    def read(self, base: Base, judge: Judge, nouns: Collection[str]) -> Read:
        """The same by a base without anything attached, from the second time on from its files."""
        read: Read = []
        for noun in sorted(nouns):
            name = f"{fingerprint(base.source)}-{base.precision}-{noun}-{self.each(nouns)}"
            file = self.folder / f"{name}.json"
            if not file.is_file():
                save_json(file, class_pictures(base, judge, noun, self.each(nouns)))
            read += load_json(file)
        return read

    def each(self, nouns: Collection[str]) -> int:
        """How many pictures of every class."""
        return math.ceil(self.pictures / max(1, len(nouns)))
