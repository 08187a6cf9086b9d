"""Scenes from a seed: who they show is told by a population, where everyone stands by relations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from groupshot.toybox.world.anatomy import POSES
from groupshot.toybox.world.scenes import Bond, Placed, Scene
from groupshot.toybox.world.vocabulary import (
    ACCESSORIES,
    BACKGROUNDS,
    COLOURS,
    KINDS,
    MARKS,
    PATTERNS,
    RELATIONS,
    SIZE,
    SLOTS,
    STYLES,
    Identity,
)

Rng = np.random.Generator
T = TypeVar("T")

POPULATIONS: dict[str, tuple[bool, float]] = {
    "nameable": (False, 0.0),
    "marked": (False, 0.75),
    "cast": (True, 1.0),
    "unseen": (True, 0.0),
}
"""Who is drawn: reserved identities or the others, and the share of them that has a mark.

U-Net and CLIP pair see only `nameable`, reader and VAE also `marked`; casts are made of `cast`,
and prompts of `unseen` ask the base for combinations that it never saw.
"""

COUNTS = (0.35, 0.40, 0.15, 0.06, 0.04)
"""Share of scenes with one, two, three, four, and five to ten characters."""
TOUCHING = {"in front of": 0.15, "holding hands": 0.1, "hugging": 0.2, "riding": 0.25}
"""Shares of scenes with two to four characters in which a pair does more than stand side by side,
where it is to be learned: half of whoever is hugged or ridden is hidden, which takes more scenes.
"""
TALLEST = {1: (62, 98), 2: (50, 80), 3: (44, 62), 4: (36, 52)}
"""Range of heights in pixels by number of characters; `CROWD` beyond."""
CROWD = (26, 36)
GAPS = {
    "beside": (0.74, 1.05),
    "in front of": (0.42, 0.54),
    "holding hands": (0.84, 1.0),
    "hugging": (0.56, 0.66),
    "riding": (-0.08, 0.08),
}
"""Distance of two neighbours, in units of their mean height."""


def pick(rng: Rng, values: Sequence[T]) -> T:
    """One of the values, each as likely."""
    return values[int(rng.integers(len(values)))]


def identity(rng: Rng, population: str = "nameable", **fixed: Any) -> Identity:
    """Someone of that population; attributes may be fixed."""
    reserved, marked = POPULATIONS[population]
    while True:
        someone = anyone(rng, marked, **fixed)
        if someone is not None and someone.reserved == reserved:
            return someone


def anyone(rng: Rng, marked: float, **fixed: Any) -> Identity | None:
    """A random identity, or nobody if the attributes drawn don't go together."""
    colour, second = (str(c) for c in rng.choice(list(COLOURS), 2, replace=False))
    accessory = "none" if rng.random() < 0.3 else pick(rng, ACCESSORIES[1:])
    mark = pick(rng, MARKS[1:]) if rng.random() < marked else "none"
    drawn: dict[str, Any] = {
        "kind": pick(rng, KINDS),
        "colour": colour,
        "second": second,
        "pattern": pick(rng, PATTERNS),
        "accessory": accessory,
        "mark": mark,
    }
    drawn |= fixed
    if "accessory_colour" not in fixed:
        worn = pick(rng, [c for c in COLOURS if c != drawn["colour"]])
        drawn["accessory_colour"] = "none" if drawn["accessory"] == "none" else worn
    slots = [SLOTS.get(drawn[key], key) for key in ("accessory", "mark")]
    if drawn["colour"] == drawn["second"] or slots[0] == slots[1]:
        return None
    return Identity(**drawn)


def dream(
    rng: Rng,
    *,
    population: str = "nameable",
    count: int | None = None,
    relation: str | None = None,
    **fixed: Any,
) -> Scene:
    """A scene; half of those with several characters show at least two of one class."""
    n = drawn_count(rng) if count is None else count
    people = [identity(rng, population) for _ in range(n)]
    if n > 1 and rng.random() < 0.5:
        people[1] = identity(rng, population, kind=people[0].kind)
    rng.shuffle(people)  # pyright: ignore[reportArgumentType]
    return staged(rng, people, relation=relation, **fixed)


def drawn_count(rng: Rng) -> int:
    """How many characters a scene has, by `COUNTS`."""
    n = int(rng.choice(len(COUNTS), p=COUNTS)) + 1
    return n if n < 5 else int(rng.integers(5, 11))


def touching(rng: Rng, count: int) -> str:
    """A relation for the bound pair of so many characters, by `TOUCHING`."""
    beside = RELATIONS[0]
    if not 1 < count < 5:
        return beside
    shares = {beside: 1 - sum(TOUCHING.values()), **TOUCHING}
    return str(rng.choice([*shares], p=[*shares.values()]))


def staged(
    rng: Rng, people: Sequence[Identity], *, relation: str | None = None, **fixed: Any
) -> Scene:
    """The people, from left to right, in a scene; `relation` binds one pair of them."""
    n = len(people)
    if relation is None:
        relation = pick(rng, RELATIONS) if 1 < n < 5 and rng.random() < 0.55 else RELATIONS[0]
    characters, bonds = crowd(rng, people) if n > 4 else group(rng, people, relation)
    scene = Scene(
        style=pick(rng, STYLES),
        background=pick(rng, BACKGROUNDS),
        background_seed=int(rng.integers(2**31)),
        characters=characters,
        bonds=bonds,
    )
    return replace(scene, **fixed)


Cast = tuple[tuple[Placed, ...], tuple[Bond, ...]]


def group(rng: Rng, people: Sequence[Identity], relation: str) -> Cast:
    """One to four characters, neighbours `i, i + 1` bound by the relation."""
    n = len(people)
    low, high = TALLEST[n]
    size = rng.uniform(low, high)
    heights = size * rng.uniform(0.88, 1.12, n)
    i = int(rng.integers(n - 1)) if n > 1 else 0
    names = [relation if k == i else RELATIONS[0] for k in range(n - 1)]
    gaps = [
        rng.uniform(*GAPS[name]) * (heights[k] + heights[k + 1]) / 2 for k, name in enumerate(names)
    ]
    x = np.concatenate([[0.0], np.cumsum(gaps)])
    room = SIZE - 0.36 * (heights[0] + heights[-1])
    if (width := x[-1] - x[0]) > room:
        heights, x = heights * room / width, x * room / width
    x += 0.36 * heights[0] + rng.uniform(0, 1) * (SIZE - 0.36 * (heights[0] + heights[-1]) - x[-1])
    y = rng.uniform(112, 122) + rng.uniform(-3, 3, n)
    placed = [placed_at(rng, p, a, b, h) for p, a, b, h in zip(people, x, y, heights, strict=True)]
    if relation == RELATIONS[0] or n == 1:
        return left_to_right(placed, None)
    one, two, bond = BINDINGS[relation](rng, placed[i], placed[i + 1])
    placed[i : i + 2] = one, two
    return left_to_right(placed, Bond(relation=relation, first=i + bond, second=i + 1 - bond))


def placed_at(rng: Rng, who: Identity, x: float, y: float, height: float) -> Placed:
    """A character with feet at (x, y), in a random pose."""
    return Placed(
        identity=who,
        x=float(x),
        y=float(y),
        height=float(height),
        tilt=float(rng.normal(0, 3.5)),
        flip=bool(rng.random() < 0.5),
        pose=pick(rng, list(POSES)),
        seed=int(rng.integers(2**31)),
    )


def left_to_right(placed: list[Placed], bond: Bond | None) -> Cast:
    """The characters in order of x, and the bond between the same two."""
    order = sorted(range(len(placed)), key=lambda k: placed[k].x)
    where = {k: rank for rank, k in enumerate(order)}
    bonds = (
        () if bond is None else (replace(bond, first=where[bond.first], second=where[bond.second]),)
    )
    return tuple(placed[k] for k in order), bonds


Bound = tuple[Placed, Placed, int]
"""Two neighbours, placed, and which of them (0 left, 1 right) is the bond's first."""


def in_front(rng: Rng, a: Placed, b: Placed) -> Bound:
    """One of the two steps forward; the other stands further up."""
    first = int(rng.integers(2))
    front, back = (a, b) if first == 0 else (b, a)
    back = replace(back, y=front.y - rng.uniform(0.1, 0.2) * back.height)
    return (front, back, 0) if first == 0 else (back, front, 1)


def hand_in_hand(rng: Rng, a: Placed, b: Placed) -> Bound:
    """Both on the same ground."""
    return a, replace(b, y=a.y + rng.uniform(-1.5, 1.5)), 0


def embraced(rng: Rng, a: Placed, b: Placed) -> Bound:
    """Both lean towards each other."""
    lean = rng.uniform(3, 8)
    return replace(a, tilt=lean), replace(b, tilt=-lean, y=a.y + rng.uniform(-1.5, 1.5)), 0


def mounted(rng: Rng, a: Placed, b: Placed) -> Bound:
    """One of the two sits on the other, both small enough for the picture."""
    rider = int(rng.integers(2))
    up, down = (a, b) if rider == 0 else (b, a)
    total = up.height * 0.95 + down.height * 0.56
    shrink = min(1.0, (down.y - 14) / total)
    down = replace(down, height=down.height * shrink, tilt=down.tilt * 0.4)
    up = replace(up, height=up.height * shrink * 0.95, tilt=up.tilt * 0.6)
    up = replace(up, y=down.y - down.height * rng.uniform(0.54, 0.62))
    return (up, down, 0) if rider == 0 else (down, up, 1)


BINDINGS: dict[str, Callable[[Rng, Placed, Placed], Bound]] = {
    "in front of": in_front,
    "holding hands": hand_in_hand,
    "hugging": embraced,
    "riding": mounted,
}


def crowd(rng: Rng, people: Sequence[Identity]) -> Cast:
    """Five and more: one row if they fit, otherwise two."""
    n = len(people)
    rows = [n] if n <= 5 else [n // 2, n - n // 2]
    placed: list[Placed] = []
    for k, m in enumerate(rows):
        base = 116 - (len(rows) - 1 - k) * rng.uniform(36, 42)
        step = (SIZE - 16) / m
        high = min(CROWD[1], step * 1.25)
        for j in range(m):
            h = rng.uniform(min(CROWD[0], high), high)
            x = 8 + step * (j + 0.5 + rng.uniform(-0.08, 0.08))
            who = people[len(placed)]
            placed.append(placed_at(rng, who, x, base + rng.uniform(-2, 2), h))
    return left_to_right(placed, None)
