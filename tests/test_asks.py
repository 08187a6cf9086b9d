"""What is asked of a cast: the right number of everything, in words that the world knows."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from groupshot.cast import Cast, Concept
from groupshot.errors import UserError
from groupshot.photo import Photo
from groupshot.scores import scenes
from groupshot.scores.asks import (
    ALONE,
    FRONT,
    HUG,
    INTERACTION,
    LISTED,
    OCCLUSION,
    OF_THREE,
    OF_TWO,
    RIDE,
    ROW,
    SIDE,
    SIDES,
    THREE,
    TWO,
    asks,
)
from groupshot.toybox.world import PLACES, WORDS, dream, identity
from groupshot.toybox.world.captions import BONDS

DEGREES = {SIDE: 4, OCCLUSION: 4, INTERACTION: 4}


def cast(*nouns: str, alone: bool = True, place: str | None = None) -> Cast:
    """A cast of these classes; the names are a, b, c …"""
    photos = (Photo(path=Path("1.png")),) if alone else ()
    concepts = [
        Concept(name=name, noun=noun, photos=photos)
        for name, noun in zip("abcdefghij", nouns, strict=False)
    ]
    if place:
        concepts.append(Concept(name="bay", noun=place, kind="background"))
    return Cast(folder=Path(), concepts=tuple(concepts))


def degrees(of: Cast) -> Counter[str]:
    return Counter(ask.degree for ask in asks(of))


def test_one_is_asked_for_alone_everywhere():
    of = asks(cast("cat"))
    assert [ask.prompt for ask in of[:2]] == ["<a> on the beach", "<a> in the desert"]
    assert {ask.background for ask in of} == set(PLACES) - {"plain"}
    assert degrees(cast("cat")) == {ALONE: 12}


@pytest.mark.parametrize("nouns", [("cat", "cat"), ("dog", "dog", "cat")])
def test_two_and_three_are_asked_for_in_three_degrees(nouns):
    of = cast(*nouns)
    assert degrees(of) == DEGREES
    assert all(sorted(ask.names) == sorted(of.names) for ask in asks(of))
    assert len({ask.prompt for ask in asks(of)}) == 12
    firsts = Counter(ask.names[0] for ask in asks(of))
    assert max(firsts.values()) <= 12 / len(nouns) + 1, "nobody is always the first"


def test_who_was_never_seen_alone_is_asked_for_alone_too():
    of = cast("cat", "dog", alone=False)
    assert degrees(of) == DEGREES | {ALONE: 4}
    assert [ask.names for ask in asks(of)[12:]] == [("a",), ("b",), ("a",), ("b",)]


def test_a_background_of_ones_own_is_asked_for_every_other_time():
    of = asks(cast("cat", "dog", alone=False, place="snow"))
    own = [ask for ask in of if ask.place]
    assert len(own) == len(of) / 2
    assert all(ask.background == "snow" for ask in own)
    assert own[0].prompt == "<b> on the left and <a> on the right in <bay>"
    plain = own[0].worded({"a": "a cat", "b": "a dog"})
    assert plain == "a dog on the left and a cat on the right in the snow"


def test_a_crowd_is_asked_for_two_three_and_all_up_to_six():
    nouns = [noun for noun in ("cat", "dog", "fox", "bear", "frog") for _ in range(2)]
    for size in (4, 6, 8, 10):
        of = asks(cast(*nouns[:size]))
        every = {"all": 4} if size <= 6 else {}
        assert Counter(ask.asked for ask in of) == {"two": 12, "three": 12} | every
        assert Counter(a.degree for a in of if a.asked == "two") == DEGREES
        for ask in of:
            kinds = [nouns["abcdefghij".index(name)] for name in ask.names]
            assert ask.asked == "all" or len(set(kinds)) == len(kinds) - 1, "two of one class"
    assert asks(cast(*nouns[:6]))[-1].prompt.startswith("<d>, <e>, <f>, <a>, <b> and <c> ")
    assert asks(cast(*nouns[:6]))[-1].degree == LISTED


def test_backgrounds_alone_are_nothing_to_score():
    only = Concept(name="bay", noun="beach", kind="background")
    with pytest.raises(UserError, match="only backgrounds"):
        asks(Cast(folder=Path("bays"), concepts=(only,)))


def test_the_words_are_the_worlds_own():
    for table in (OF_TWO, OF_THREE):
        for phrases in table.values():
            for phrase, _ in phrases:
                assert set(re.findall(r"[a-z]+", phrase.words)) <= set(WORDS)
                if phrase.relation in BONDS:
                    known = [words.format(a="{0}", b="{1}") for words in BONDS[phrase.relation]]
                    assert phrase.words in known


def test_seeds_of_two_asks_never_meet():
    seeds = [ask.seed for ask in asks(cast("cat", "cat"))]
    assert min(b - a for a, b in zip(seeds, seeds[1:], strict=False)) >= 1000


@pytest.mark.parametrize(
    ("phrase", "relations", "who", "so"),
    [
        (SIDES, {(0, 1): "beside"}, (0, 1), True),
        (SIDES, {(0, 1): "beside"}, (1, 0), False),
        (TWO, {(0, 1): "beside"}, (1, 0), True),
        (TWO, {(0, 1): "hugging"}, (0, 1), False),
        (ROW, {(0, 1): "beside", (0, 2): "beside", (1, 2): "beside"}, (0, 1, 2), True),
        (ROW, {(0, 1): "beside", (0, 2): "beside", (1, 2): "beside"}, (0, 2, 1), False),
        (THREE, {(0, 1): "beside", (0, 2): "beside", (1, 2): "hugging"}, (2, 1, 0), False),
        (FRONT, {(0, 1): "in front of"}, (0, 1), True),
        (FRONT, {(0, 1): "in front of"}, (1, 0), False),
        (FRONT, {(1, 0): "in front of"}, (1, 0), True),
        (HUG, {(0, 1): "hugging"}, (1, 0), True),
        (RIDE, {(0, 1): "riding"}, (1, 0), False),
        (RIDE, {(0, 2): "riding", (0, 1): "beside"}, (0, 2, 1), True),
        (RIDE, {(0, 2): "riding", (0, 1): "beside"}, (0, 1, 2), False),
    ],
)
def test_how_they_stand(phrase, relations, who, so):
    assert phrase.holds(relations, who) is so


@pytest.mark.parametrize("nouns", [("cat",), ("cat", "cat"), ("dog", "dog", "cat"), ("fox",) * 4])
def test_a_scene_is_what_was_asked_for(nouns):
    rng = np.random.default_rng(0)
    of = cast(*nouns)
    people = {n: identity(rng, "cast", kind=k) for n, k in zip(of.names, nouns, strict=True)}
    for ask in asks(of):
        made = scenes.scene(ask, people, rng)
        there = [placed.identity for placed in made.characters]
        who = [there.index(people[name]) for name in ask.names]
        assert len(there) == len(who)
        assert made.background == ask.background
        assert ask.phrase.holds(scenes.relations(made), who)
        assert not re.search(r"[<{]", scenes.described(ask, people))


def test_relations_of_a_scene_are_told_as_of_a_reading():
    scene = dream(np.random.default_rng(0), count=3, relation="riding")
    told = scenes.relations(scene)
    bond = scene.bonds[0]
    assert told[bond.first, bond.second] == "riding"
    assert len(told) == 3
    assert sorted(told.values()) == ["beside", "beside", "riding"]


def test_the_clearest_of_several_scenes_hides_less():
    rng = np.random.default_rng(0)
    people = {name: identity(rng, "cast", kind="cat") for name in "ab"}
    ask = asks(cast("cat", "cat"))[4]
    any_of = [scenes.clearness(scenes.scene(ask, people, rng)) for _ in range(5)]
    assert 0.3 < min(any_of) < max(any_of) <= 1
    alone = scenes.scene(asks(cast("cat"))[0], people, rng)
    assert scenes.clearness(alone) == 1
