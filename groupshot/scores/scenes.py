"""Scenes that are what was asked for: the ceiling of every score, and the measure of diversity."""

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean

import numpy as np
from PIL import Image

from groupshot.scores.asks import BESIDE, Ask, Relations
from groupshot.toybox import world
from groupshot.toybox.world import PARTS, Identity, Scene
from groupshot.toybox.world.drawing import answers, layers

People = Mapping[str, Identity]

TRIES = 12
"""Scenes of which the clearest is taken."""
TELLING = ("head", "body", "belly", "accessory", "mark")
"""The parts by which someone is known."""


def pictures(ask: Ask, people: People, n: int) -> list[Image.Image]:
    """n drawings of an ask, the same every time."""
    rng = np.random.default_rng((ask.seed, n))
    return [drawing(scene(ask, people, rng)) for _ in range(n)]


def clear_pictures(ask: Ask, people: People, n: int) -> list[Image.Image]:
    """n drawings in which as little as possible is hidden: nobody could draw the ask better."""
    rng = np.random.default_rng((ask.seed, n, TRIES))
    return [
        drawing(max((scene(ask, people, rng) for _ in range(TRIES)), key=clearness))
        for _ in range(n)
    ]


def drawing(made: Scene) -> Image.Image:
    """A scene as a picture."""
    return Image.fromarray(world.draw(made).image)


def clearness(made: Scene) -> float:
    """How much shows of what people are known by, as a mean over people and parts."""
    return fmean(share for (_, part), share in showing(made).items() if part in TELLING)


def showing(made: Scene) -> dict[tuple[Identity, str], float]:
    """Of every part that somebody has: the share of its pixels with nobody before them."""
    stack = layers(made)
    seen = answers(stack)
    shares: dict[tuple[Identity, str], float] = {}
    for owner, placed in enumerate(made.characters, 1):
        whole = answers([(who, shape) for who, shape in stack if who == owner])[..., 1]
        mine = np.where(seen[..., 0] == owner, seen[..., 1], 0)
        for number in np.unique(whole[whole > 0]):
            share = (mine == number).sum() / (whole == number).sum()
            shares[placed.identity, PARTS[number]] = float(share)
    return shares


def scene(ask: Ask, people: People, rng: np.random.Generator) -> Scene:
    """A scene of which the ask is true; whatever it does not say is drawn."""
    who = [people[name] for name in ask.names]
    relation = ask.phrase.relation or BESIDE
    while True:
        order = who if ask.phrase.ordered else [who[i] for i in rng.permutation(len(who))]
        made = world.staged(rng, order, relation=relation, background=ask.background)
        there = [placed.identity for placed in made.characters]
        if ask.phrase.holds(relations(made), [there.index(each) for each in who]):
            return made


def relations(made: Scene) -> Relations:
    """How its characters stand to each other, as a reading says it."""
    told = {(bond.first, bond.second): bond.relation for bond in made.bonds}
    pairs = combinations(range(len(made.characters)), 2)
    return told | {p: BESIDE for p in pairs if not {p, p[::-1]} & told.keys()}


def described(ask: Ask, people: People) -> str:
    """The prompt with all that has a name said of everyone; of five and more, colour and class."""
    rng = np.random.default_rng(ask.seed)
    detail = 3 if len(ask.names) <= 4 else 1
    return ask.worded({name: world.described(rng, people[name], detail) for name in ask.names})
