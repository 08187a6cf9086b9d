"""The drawn world: exact answers, honest captions, a stable split."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from groupshot.toybox import world
from groupshot.toybox.casts import EXAMPLES
from groupshot.toybox.world import Bond, Identity, Placed, Scene, dreaming

PEOPLE = {
    "cat": Identity(kind="cat", colour="red", second="white"),
    "dog": Identity(kind="dog", colour="blue", second="yellow"),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scenes(n: int, **wanted: object) -> list[Scene]:
    return [world.dream(rng(seed), **wanted) for seed in range(n)]  # type: ignore[arg-type]


def test_a_seed_draws_the_same_picture_twice():
    one, two = (world.draw(world.dream(rng(7))) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.parts, two.parts)


def test_drawing_is_fast_enough():
    def seconds(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    def draw() -> None:
        for scene in scenes(30):
            world.draw(scene)

    def count() -> None:  # as slow as the machine is, and as busy
        for _ in range(30):
            sum(i * i for i in range(100_000))

    assert min(seconds(draw) / seconds(count) for _ in range(4)) <= 4  # 1.2 of an idle core


STANDING = [*((each, 2) for each in world.RELATIONS), *(("beside", n) for n in (3, 4, 10))]
"""Of three of whom two touch, a rider was seen to have a little less."""


@pytest.mark.parametrize(("relation", "count"), STANDING)
def test_two_fifths_of_everyone_stay_visible(relation: str, count: int):
    for scene in scenes(80 // count, population="marked", count=count, relation=relation):
        picture = world.draw(scene)
        for i, one in enumerate(scene.characters):
            alone = world.draw(replace(scene, characters=(one,), bonds=())).owners > 0
            assert (picture.owners == i + 1).sum() >= 0.4 * alone.sum()


def test_who_is_in_front_covers_who_is_behind():
    for scene in scenes(20, count=2, relation="in front of"):
        (bond,) = scene.bonds
        front, back = scene.characters[bond.first], scene.characters[bond.second]
        assert front.y > back.y
        picture = world.draw(scene)
        alone = world.draw(replace(scene, characters=(front,), bonds=())).owners > 0
        assert ((picture.owners == bond.first + 1) == alone).mean() > 0.97


def test_masks_hold_the_main_colour():
    person = Placed(identity=PEOPLE["cat"], x=64.0, y=118.0, height=90.0)
    scene = Scene(style="flat", background="sea", background_seed=1, characters=(person,))
    picture = world.draw(scene)
    head = picture.image[picture.parts == world.PARTS.index("head")]
    assert np.abs(head.mean(0) - world.COLOURS["red"]).max() < 25
    assert set(np.unique(picture.owners)) == {0, 1}
    assert (picture.parts > 0).sum() == (picture.owners > 0).sum()


def test_boxes_enclose_masks():
    picture = world.draw(world.dream(rng(3), count=3))
    for i, (x0, y0, x1, y1) in enumerate(picture.boxes):
        inside = np.zeros_like(picture.owners, bool)
        inside[y0:y1, x0:x1] = True
        mask = picture.owners == i + 1
        assert mask.any() and not (mask & ~inside).any()


def test_reserved_identities_are_a_stable_fifth():
    people = [world.identity(rng(s), "nameable") for s in range(50)]
    assert not any(p.reserved for p in people)
    assert all(p.reserved for cast in EXAMPLES.values() for p in cast.values())
    drawn = [p for s in range(400) if (p := dreaming.anyone(rng(s), 0.0))]
    assert 0.13 < np.mean([p.reserved for p in drawn]) < 0.27
    marked = replace(people[0], mark="belly star")
    assert marked.reserved == people[0].reserved


@pytest.mark.parametrize(("population", "reserved"), [("nameable", False), ("unseen", True)])
def test_what_captions_name_has_no_mark(population: str, reserved: bool):
    for scene in scenes(30, population=population):
        for one in scene.characters:
            assert one.identity.mark == "none"
            assert one.identity.reserved == reserved


def test_no_caption_names_a_mark():
    for scene in scenes(60, population="cast"):
        said = world.caption(scene, rng(1), 3)
        assert not any(mark in said for mark in world.MARKS[1:])


def test_captions_use_only_words_of_the_lexicon():
    for seed, scene in enumerate(scenes(200, population="nameable")):
        said = world.caption(scene, rng(seed))
        assert set(said.replace(",", " ,").split()) <= set(world.WORDS), said


def test_captions_say_who_stands_left():
    scene = world.staged(rng(), list(PEOPLE.values()), relation="beside")
    left, right = (c.identity.kind for c in scene.characters)
    for seed in range(40):
        said = world.caption(scene, rng(seed), 1)
        if "left of" in said or "to the left" in said:
            assert said.index(left) < said.index(right), said
        if "right of" in said or "to the right" in said:
            assert said.index(right) < said.index(left), said


def test_a_mirror_swaps_left_and_right():
    scene = world.dream(rng(5), count=2, relation="riding")
    mirror = world.mirrored(scene)
    assert [c.identity for c in mirror.characters] == [c.identity for c in scene.characters][::-1]
    rider = scene.characters[scene.bonds[0].first].identity
    assert mirror.characters[mirror.bonds[0].first].identity == rider
    assert world.mirrored(mirror).bonds == scene.bonds


def test_collages_are_plain_around_their_cutouts():
    for seed in range(10):
        made = world.collage(rng(seed))
        assert made.image[made.owners == 0].min() >= 250
        assert (made.owners > 0).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"second": "red"},
        {"accessory": "hat"},
        {"accessory": "hat", "accessory_colour": "blue", "mark": "crown"},
    ],
)
def test_impossible_identities_are_refused(wrong: dict[str, str]):
    with pytest.raises(ValueError):
        Identity(**({"kind": "cat", "colour": "red", "second": "white"} | wrong))


def test_characters_run_from_left_to_right():
    one = Placed(identity=PEOPLE["cat"], x=90.0, y=110.0, height=50.0)
    with pytest.raises(ValueError, match="left to right"):
        Scene(
            style="flat",
            background="sea",
            background_seed=0,
            characters=(one, replace(one, x=30.0)),
            bonds=(Bond(relation="hugging", first=0, second=1),),
        )
