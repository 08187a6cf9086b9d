"""Confusion: which concepts are likely to be taken for each other, told from the text alone.

CLIF (arXiv 2405.06914, fig. 2) finds that concepts are confused the more, the nearer their
embeddings are. `python -m groupshot.benchmarks.confusion` measures that here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.clip import summed_up
from groupshot.samples import known, with_article

NEAR = 0.5
"""Who is nearer to another than this share of what class words usually are is likely confused.

Ours, and not calibrated: no two of the toybox's class words are as near, so that there it finds
those of one class only.
"""

ORDINARY = ("cat", "dog", "bear", "bird", "robot", "chair", "car", "person", "house", "flower")
"""Class words that nobody takes for each other."""

SHOWN = 4
"""Pairs that are named; of more, their number is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """Two concepts that are likely to be confused."""

    names: tuple[str, str]
    nouns: tuple[str, str]
    distance: float
    """Between their class words, as a share of what is usual."""

    def __str__(self) -> str:
        one, other = self.names
        what = f"both a {self.nouns[0]}" if len(set(self.nouns)) == 1 else " and ".join(self.nouns)
        return f"<{one}> and <{other}> ({what}, {self.distance:.0%} of the usual distance)"


@torch.no_grad()
def embeddings(base: Base, phrases: Sequence[str]) -> Tensor:
    """What a base's text encoder, as it stands, makes of phrases: unit vectors, [phrase, d]."""
    template = base.card.templates[0]
    return F.normalize(summed_up(base, [template.format(each) for each in phrases]), dim=-1)


def distances(base: Base, phrases: Sequence[str]) -> Tensor:
    """The Euclidean distance of every two phrases, from 0 to 2: [phrase, phrase]."""
    found = embeddings(base, phrases)
    return torch.cdist(found, found, compute_mode="donot_use_mm_for_euclid_dist")


def usual(base: Base) -> float:
    """The median distance of class words that the base knows and nobody confuses."""
    phrases = [with_article(noun) for noun in known(ORDINARY, base.lexicon)]
    pairs = list(combinations(range(len(phrases)), 2))
    found = distances(base, phrases)
    return median([found[i, j].item() for i, j in pairs] or [1.0])  # of two directions 60° apart


def likely(base: Base, nouns: Mapping[str, str]) -> list[Likely]:
    """The pairs of concepts whose class words are near each other, the nearest first.

    New words begin as their class words: who has the same begins as the same.
    """
    words = list(dict.fromkeys(nouns.values()))
    near = distances(base, [with_article(word) for word in words]) / usual(base)
    found = [
        Likely(
            names=(one, other),
            nouns=(nouns[one], nouns[other]),
            distance=near[words.index(nouns[one]), words.index(nouns[other])].item(),
        )
        for one, other in combinations(nouns, 2)
    ]
    return sorted((each for each in found if each.distance < NEAR), key=lambda each: each.distance)


def told(base: Base, cast: Cast) -> Iterator[str]:
    """What is to be said of a cast before it is learned, in a few lines; nothing if all is well."""
    nouns = {c.name: c.noun for c in cast.concepts if c.noun is not None and c.kind == "thing"}
    pairs = likely(base, nouns) if len(nouns) > 1 else []
    things = [concept.name for concept in cast.concepts if concept.kind == "thing"]
    if len(things) == 1:
        yield (
            f"<{things[0]}> is alone in its cast: nobody to be confused with, and what "
            "contrasts concepts (clif) has only common things to contrast it with"
        )
    alike = [(a.name, b.name, a.noun) for a, b in cast.entangled if a.noun and a.noun == b.noun]
    for one, other, noun in alike[:SHOWN]:
        yield TOSS.format(one, other, noun)
    for each in pairs[:SHOWN]:
        yield f"likely to be confused: {each}"
    if len(pairs) > SHOWN:
        yield f"and {len(pairs) - SHOWN} more pairs"
    if pairs:
        yield HELP


TOSS = (
    "<{0}> and <{1}> (both a {2}) are only seen together: without hand masks, which is which is a "
    "coin toss unless `shows` names them from left to right; `where: {{{0}: left}}` in cast.yaml "
    "decides it"
)
"""What to say of two of one class that nothing tells apart."""

HELP = (
    "what may help: a method that tells them apart while learning (far holds the attention to each "
    "word to its own, clif contrasts the words), and different class words where both are true"
)
"""What to do about it; far first, since of the two it is what helped on the bench."""
