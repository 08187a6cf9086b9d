"""Casts from seeds: always the same, of identities that the base never saw, each with a mark."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from groupshot.bench.suites import SUITES
from groupshot.cast import Cast
from groupshot.toybox import troupes
from groupshot.toybox.casts import (
    TRUE_MASKS,
    Troupe,
    masked,
    save,
    save_hand_masks,
    save_true_masks,
    truth,
)
from groupshot.toybox.world import PLAIN

SEEDS = range(2)


@cache
def drawn(suite: str, seed: int) -> Troupe:
    """The largest cast of a seed, drawn once for all tests."""
    return SUITES[suite].troupe(seed, SUITES[suite].sizes[-1])


@pytest.mark.parametrize("suite", SUITES)
def test_members_are_reserved_marked_and_told_apart(suite):
    for seed in SEEDS:
        people = drawn(suite, seed).people.values()
        assert all(who.reserved and who.mark != "none" for who in people)
        for one, other in combinations(people, 2):
            assert one.mark != other.mark
            assert one.colour != other.colour


@pytest.mark.parametrize("suite", SUITES)
def test_a_seed_gives_the_same_cast_whatever_its_size(suite):
    one, same = drawn(suite, 1), SUITES[suite].troupe(1, SUITES[suite].sizes[0])
    assert list(one.people.items())[: len(same.people)] == list(same.people.items())
    assert drawn(suite, 0).people != one.people
    for path, photo in same.album.items():
        np.testing.assert_array_equal(photo.picture.image, one.album[path].picture.image)


def styles(troupe: Troupe, name: str) -> set[str]:
    return {s.picture.scene.style for p, s in troupe.album.items() if p.startswith(f"{name}/")}


def test_pairs_share_a_class_and_every_other_one_is_across_styles():
    for seed in SEEDS:
        pair = drawn("pairs", seed)
        assert len({who.kind for who in pair.people.values()}) == 1
        luna, milo = (styles(pair, name) for name in pair.people)
        assert len(luna) == len(milo) == 1
        assert (luna == milo) == (seed % 2 == 0)
        assert pair.variant == (troupes.ONE_STYLE if seed % 2 == 0 else troupes.ACROSS)


def test_two_of_a_trio_share_a_class():
    for seed in SEEDS:
        a, b, c = (who.kind for who in drawn("trios", seed).people.values())
        assert a == b != c


def test_a_third_each_of_the_entangled():
    casts = [drawn("entangled", seed) for seed in range(6)]
    assert [cast.variant for cast in casts] == [
        troupes.TWO_CLASSES,
        troupes.ONE_CLASS,
        troupes.WITH_PLACE,
        troupes.TWO_CLASSES,
        troupes.ONE_CLASS,
        troupes.AMONG_STRANGERS,
    ]
    for cast in casts:
        a, b = (who.kind for who in cast.people.values())
        assert (a == b) == (cast.variant == troupes.ONE_CLASS)
        assert all(path.startswith("together/") for path in cast.album)


def test_of_every_other_entangled_trio_two_share_a_class():
    for seed in SEEDS:
        cast = drawn("entangled-trios", seed)
        a, b, c = (who.kind for who in cast.people.values())
        assert (a == b) == (cast.variant == troupes.TWO_ALIKE) == (seed % 2 == 1)
        assert c not in (a, b)
        assert all(len(photo.shows) == 3 for photo in cast.album.values())


def test_a_photo_names_those_it_shows_from_left_to_right():
    for photo in drawn("entangled", 1).album.values():
        middles = [
            np.argwhere(photo.picture.owners == i)[:, 1].mean() for i in photo.shows.values()
        ]
        assert middles == sorted(middles)


def test_a_background_that_is_a_concept_is_the_same_in_every_photo():
    cast = drawn("entangled", 2)
    ((name, kind),) = cast.places.items()
    scenes = [photo.picture.scene for photo in cast.album.values()]
    assert {scene.background for scene in scenes} == {kind}
    assert len({scene.background_seed for scene in scenes}) == 1
    assert all(photo.shows[name] == 0 for photo in cast.album.values())


def test_strangers_are_in_one_photo_each_and_of_no_member_s_class():
    cast = drawn("entangled", 5)
    members = list(cast.people.values())
    strangers = [
        placed.identity
        for photo in cast.album.values()
        for placed in photo.picture.scene.characters
        if placed.identity not in members
    ]
    assert len(set(strangers)) == len(cast.album) == 6
    assert not {who.kind for who in strangers} & {who.kind for who in members}
    seen = [name for photo in cast.album.values() for name in photo.shows]
    assert [seen.count(name) for name in cast.people] == [4, 4]


def test_everyone_in_a_crowd_has_one_other_of_their_class():
    people = list(troupes.crowd(0, 18).people.values())
    kinds = [who.kind for who in people]
    assert len(kinds) == 18
    assert all(kinds.count(kind) == 2 for kind in kinds)
    assert not any(
        troupes.alike(*pair) for i in range(9) for pair in combinations(people[i : i + 10], 2)
    )


@pytest.mark.parametrize("suite", SUITES)
def test_saved_they_are_casts_with_a_truth(suite, tmp_path):
    troupe = drawn(suite, 0)
    save(tmp_path, troupe)
    save_true_masks(tmp_path, troupe.album)
    cast = Cast.load(tmp_path)
    assert cast.names == (*troupe.people, *troupe.places)
    assert truth(tmp_path) == troupe.people
    assert all(photo.mask() is None for c in cast.concepts for photo in c.photos)
    for path, photo in troupe.album.items():
        assert all((tmp_path / TRUE_MASKS / masked(path, name)).is_file() for name in photo.shows)
        assert photo.picture.scene.background != PLAIN


def test_hand_masks_are_those_of_the_world(tmp_path):
    for name, troupe in (("apart", drawn("pairs", 0)), ("together", drawn("entangled", 2))):
        save(tmp_path / name, troupe)
        save_hand_masks(tmp_path / name, troupe.album)
        cast = Cast.load(tmp_path / name)
        path, photo = next(iter(troupe.album.items()))
        if name == "apart":
            masks = {cast.concepts[0].name: cast.concepts[0].photos[0].mask()}
        else:
            masks = cast.together[0].masks
        assert masks.keys() == photo.shows.keys(), path
        for who, mask in masks.items():
            assert mask is not None
            np.testing.assert_array_equal(
                np.asarray(mask) > 127, photo.picture.owners == photo.shows[who]
            )


def test_the_sides_of_two_of_a_class_are_told(tmp_path):
    for seed, told in ((0, 0), (1, 2)):
        save(tmp_path / str(seed), troupes.entangled(seed))
        photos = Cast.load(tmp_path / str(seed)).together
        assert all(len(photo.where) == told for photo in photos)
    assert all(list(photo.where) == list(photo.shows) for photo in photos)
    assert all(list(photo.where.values()) == ["left", "right"] for photo in photos)


def test_of_three_it_is_told_which_of_two_of_a_class_is_at_an_end(tmp_path):
    save(tmp_path, troupes.entangled_trio(1))
    cast = Cast.load(tmp_path)
    for photo in cast.together:
        left, _, right = photo.shows
        ends = {left: "left", right: "right"}
        assert photo.where == {k: side for k, side in ends.items() if k != "rex"}
    assert cast.entangled == ()
