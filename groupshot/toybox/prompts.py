"""Prompts that ask the base for what it never saw, and how a reading of its picture is scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from groupshot.toybox.reader import Reading, Seen
from groupshot.toybox.world import RELATIONS, Identity, Scene, caption, dream, identity, staged

Scores = dict[str, list[float]]
"""Each figure's single results, from 0 to 1."""

GROUPS = ("one", "two", "same")
"""One character, two of different classes, two of one."""
AGREEING = ("kind", "colour", "pattern", "accessory", "accessory_colour")
"""What decides which character is which."""
SYMMETRIC = ("holding hands", "hugging")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is asked for."""

    group: str
    """One of GROUPS."""
    scene: Scene
    words: str
    seed: int
    """Of the noise that its picture begins with."""

    @property
    def identities(self) -> list[Identity]:
        """Who is asked for, from left to right."""
        return [placed.identity for placed in self.scene.characters]


def prompts(n: int, seed: int) -> list[Prompt]:
    """`n` prompts: a third one character, a third two classes, a third two of one class."""
    return [prompted(i, np.random.default_rng((seed, i))) for i in range(n)]


def prompted(i: int, rng: np.random.Generator) -> Prompt:
    """The i-th prompt: relations take turns, and so do pattern and every attribute in words."""
    group = GROUPS[i % len(GROUPS)]
    scene = dream(rng, population="unseen", count=1) if group == "one" else couple(group, i, rng)
    words = caption(scene, rng, 2 + i // 3 % 2)
    return Prompt(group=group, scene=scene, words=words, seed=int(rng.integers(2**31)))


def couple(group: str, i: int, rng: np.random.Generator) -> Scene:
    """Two characters whose main colours differ, of one class or of two."""
    relation = RELATIONS[i // 3 % len(RELATIONS)]
    while True:
        first = identity(rng, "unseen")
        fixed = {"kind": first.kind} if group == "same" else {}
        second = identity(rng, "unseen", **fixed)
        alike = first.kind == second.kind
        if first.colour != second.colour and alike == (group == "same"):
            return staged(rng, [first, second], relation=relation)


def score(prompt: Prompt, reading: Reading) -> Iterator[tuple[str, float]]:
    """Every figure that the picture says something about, with its result."""
    asked, found = prompt.identities, matched(prompt.identities, reading.known)
    yield "background", float(reading.background == prompt.scene.background)
    if prompt.group == "one":
        for name in ("kind", "colour", "pattern", "accessory"):
            yield f"one.{LABELS.get(name, name)}", right(asked[0], found[0], name)
        return
    yield f"{prompt.group}.present", float(len(reading.known) == len(asked))
    for who, seen in zip(asked, found, strict=True):
        yield f"{prompt.group}.colour", right(who, seen, "colour")
    if prompt.group == "two":
        yield "two.class", min(right(w, s, "kind") for w, s in zip(asked, found, strict=True))
    yield from standing(prompt, reading, found)


LABELS = {"kind": "class"}


def standing(
    prompt: Prompt, reading: Reading, found: list[Seen | None]
) -> Iterator[tuple[str, float]]:
    """Whether two characters stand to each other as asked."""
    pair = [position(reading, seen) for seen in found]
    if not prompt.scene.bonds:
        if "left" in prompt.words or "right" in prompt.words:
            yield "side", float(-1 < pair[0] < pair[1])
        return
    bond = prompt.scene.bonds[0]
    ordered = (pair[bond.first], pair[bond.second])
    turned = (ordered[1], ordered[0])
    keys = [ordered, turned] if bond.relation in SYMMETRIC else [ordered]
    so = float(any(reading.relations.get(k) == bond.relation for k in keys))
    yield from (("interaction", so), (f"interaction.{bond.relation}", so))


def position(reading: Reading, seen: Seen | None) -> int:
    """The character's index from the left, -1 for nobody."""
    return next((i for i, one in enumerate(reading.characters) if one is seen), -1)


def right(who: Identity, seen: Seen | None, name: str) -> float:
    """1 where the character has the attribute that was asked for."""
    return float(seen is not None and seen.attributes[name] == getattr(who, name))


def matched(asked: list[Identity], seen: tuple[Seen, ...]) -> list[Seen | None]:
    """For each one asked for the character that it is, by most agreeing attributes in all."""
    pool: list[Seen | None] = [*seen, *[None] * max(0, len(asked) - len(seen))]
    ways = permutations(pool, len(asked))
    return list(max(ways, key=lambda way: agreement(asked, way)))


def agreement(asked: list[Identity], way: tuple[Seen | None, ...]) -> float:
    """How many attributes agree when everyone asked for is the one at their place."""
    pairs = zip(asked, way, strict=True)
    return sum(right(who, seen, name) for who, seen in pairs for name in AGREEING)
