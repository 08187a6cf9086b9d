"""Casts from seeds: identities that the base never saw, as each suite of the bench wants them.

A seed gives the same cast on every machine, and what is special about a cast is told by its seed,
so that any run of seeds holds equal shares.
"""

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np

from groupshot.toybox import world
from groupshot.toybox.casts import (
    TOGETHER,
    Snapshot,
    Troupe,
    apart,
    numbered,
    photographed,
    snapshot,
    together,
)
from groupshot.toybox.world import Identity

Rng = np.random.Generator
People = dict[str, Identity]

NAMES = (
    *("luna", "milo", "rex", "bella", "bolt", "poppy", "bruno", "nala", "otto"),
    *("kiki", "coco", "felix", "daisy", "oscar", "ruby", "leo", "hazel", "gus"),
)
PLACE = "home"
"""The name of a concept that is a background."""

ONE_STYLE, ACROSS = "one style", "across styles"
TWO_CLASSES, ONE_CLASS = "two classes", "one class"
THREE_CLASSES, TWO_ALIKE = "three classes", "two of one class"
WITH_PLACE, AMONG_STRANGERS = "with a background", "among strangers"

SIZES = (2, 4, 6, 8, 10)
"""How many are learned at once in the casts of a crowd."""


def single(seed: int) -> Troupe:
    """Someone alone."""
    rng = seeded("single", seed)
    people = named(rng, [kind(rng)])
    return Troupe(people=people, album=apart(people, key("single", seed), style=style(rng)))


def pair(seed: int) -> Troupe:
    """Two of one class: for even seeds in one drawing style, for odd ones in a style each."""
    rng = seeded("pairs", seed)
    people = named(rng, [kind(rng)] * 2)
    first = style(rng)
    if seed % 2 == 0:
        album = apart(people, key("pairs", seed), style=first)
        return Troupe(people=people, album=album, variant=ONE_STYLE)
    flat, shaded = (apart(people, key("pairs", seed), style=each) for each in world.STYLES)
    one, other = (flat, shaded) if first == "flat" else (shaded, flat)
    album = {path: (one if path.startswith(NAMES[0]) else other)[path] for path in flat}
    return Troupe(people=people, album=album, variant=ACROSS)


def trio(seed: int) -> Troupe:
    """Three, the first two of one class."""
    rng = seeded("trios", seed)
    two, one = kinds(rng, 2)
    people = named(rng, [two, two, one])
    return Troupe(people=people, album=apart(people, key("trios", seed), style=style(rng)))


def entangled(seed: int) -> Troupe:
    """Two that are never seen alone: of two classes, of one, or with more in the photos."""
    rng = seeded("entangled", seed)
    alike = seed % 3 == 1
    people = named(rng, [kind(rng)] * 2 if alike else kinds(rng, 2))
    how, at = style(rng), key("entangled", seed)
    if seed % 3 < 2:
        album = together(people, at, style=how)
        return Troupe(people=people, album=album, variant=ONE_CLASS if alike else TWO_CLASSES)
    return (at_home if seed // 3 % 2 == 0 else among_strangers)(rng, people, how)


def entangled_trio(seed: int) -> Troupe:
    """Three that are never seen alone: for odd seeds two of them of one class."""
    rng = seeded("entangled-trios", seed)
    alike = seed % 2 == 1
    first, second, third = kinds(rng, 3)
    people = named(rng, [first, first if alike else second, third])
    album = together(people, key("entangled-trios", seed), style=style(rng))
    return Troupe(people=people, album=album, variant=TWO_ALIKE if alike else THREE_CLASSES)


def at_home(rng: Rng, people: People, how: str) -> Troupe:
    """Both in front of the same background, which is a concept too."""
    spot = world.BACKGROUNDS[int(rng.integers(len(world.BACKGROUNDS)))]
    scenery = int(rng.integers(2**31))
    pictures = photographed(
        rng, list(people.values()), 5, style=how, background=spot, background_seed=scenery
    )
    album = numbered(TOGETHER, [snapshot(picture, people, PLACE) for picture in pictures])
    return Troupe(people=people, album=album, places={PLACE: spot}, variant=WITH_PLACE)


def among_strangers(rng: Rng, people: People, how: str) -> Troupe:
    """Each photo shows both, or one of them, and someone of another class who is in no other."""
    one, other = ({name: who} for name, who in people.items())
    photos: list[Snapshot] = []
    for shown in islice(cycle((people, one, other)), 6):
        stranger = someone(rng, [each.kind for each in people.values()])
        (picture,) = photographed(rng, [*shown.values(), stranger], 1, style=how)
        photos.append(snapshot(picture, shown))
    return Troupe(people=people, album=numbered(TOGETHER, photos), variant=AMONG_STRANGERS)


def crowd(seed: int, size: int) -> Troupe:
    """The first so many of eighteen: each has one other of its class, at whatever size."""
    rng = seeded("crowd", seed)
    everyone = named(rng, [each for each in kinds(rng, len(NAMES) // 2) for _ in range(2)])
    people = dict(islice(everyone.items(), size))
    return Troupe(people=people, album=apart(people, key("crowd", seed), style=style(rng)))


def key(suite: str, seed: int) -> tuple[int, ...]:
    """A seed of its own for every suite."""
    return *suite.encode(), seed


def seeded(suite: str, seed: int) -> Rng:
    """Where all chance in a cast comes from."""
    return np.random.default_rng(key(suite, seed))


def kind(rng: Rng) -> str:
    """A class."""
    return kinds(rng, 1)[0]


def kinds(rng: Rng, n: int) -> list[str]:
    """Different classes."""
    return [str(each) for each in rng.permutation(world.KINDS)[:n]]


def style(rng: Rng) -> str:
    """A drawing style."""
    return world.STYLES[int(rng.integers(len(world.STYLES)))]


def named(rng: Rng, classes: Sequence[str]) -> People:
    """Reserved identities of these classes, no two of any ten in a row alike in colour or mark."""
    people: People = {}
    for name, noun in zip(NAMES, classes, strict=False):
        who = world.identity(rng, "cast", kind=noun)
        while any(alike(who, other) for other in list(people.values())[-9:]):
            who = world.identity(rng, "cast", kind=noun)
        people[name] = who
    return people


def alike(one: Identity, other: Identity) -> bool:
    """Whether two could be taken for each other by their colour or by their mark."""
    return one.colour == other.colour or one.mark == other.mark


def someone(rng: Rng, taken: Sequence[str]) -> Identity:
    """A stranger of a class that is not taken."""
    free = [each for each in kinds(rng, len(world.KINDS)) if each not in taken]
    return world.identity(rng, "nameable", kind=free[0])
