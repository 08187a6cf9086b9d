from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pytest
from PIL import Image

from groupshot.errors import UserError
from groupshot.scores import Scores, assigned, evaluated, mean, score, truth_of
from groupshot.toybox.reader import Reading, Seen
from groupshot.toybox.world import ATTRIBUTES

LOOKS = {
    "luna": ("cat", "gray", "white", "striped", "scarf", "teal", "belly star"),
    "milo": ("cat", "orange", "white", "striped", "headphones", "blue", "eye patch"),
    "bolt": ("robot", "teal", "orange", "split", "cape", "purple", "mohawk"),
}
TRUTH = {name: dict(zip(ATTRIBUTES, looks, strict=True)) for name, looks in LOOKS.items()}
LUNA, MILO, BOLT = TRUTH.values()
PAIR = ("luna", "milo")


def reading(*looks: dict[str, str], strangers: int = 0) -> Reading:
    empty = np.zeros((128, 128), dtype=np.uint8)
    characters = tuple(
        Seen(attributes=each, known=known, box=(0.0, 0.0, 1.0, 1.0), mask=empty > 0, parts=empty)
        for each, known in [(each, True) for each in looks] + [(LUNA, False)] * strangers
    )
    return Reading(characters=characters, background="beach", style="flat", bonds=())


def near(present: float, identity: float, mixed: float, missing: float, all_right: float):
    return pytest.approx((present, identity, mixed, missing, all_right))


def test_everyone_themselves_in_any_order():
    assert astuple(score(reading(MILO, LUNA), PAIR, TRUTH)) == near(1, 1, 0, 0, 1)


def test_a_missing_one_counts_nothing_and_is_not_mixed():
    assert astuple(score(reading(MILO), PAIR, TRUTH)) == near(0, 0.5, 0, 0.5, 0)
    assert astuple(score(reading(), PAIR, TRUTH)) == near(0, 0, 0, 1, 0)


def test_one_too_many():
    assert astuple(score(reading(LUNA, MILO, BOLT), PAIR, TRUTH)) == near(0, 1, 0, 0, 0)
    assert astuple(score(reading(LUNA, MILO, strangers=1), PAIR, TRUTH)) == near(0, 1, 0, 0, 0)


def test_the_other_ones_collar_is_mixed_but_still_present():
    collared = LUNA | {"accessory": "headphones", "accessory_colour": "blue"}
    assert astuple(score(reading(collared, MILO), PAIR, TRUTH)) == near(1, 6 / 7, 0.5, 0, 0)


def test_a_fault_that_is_nobodys_is_not_mixed():
    bare = LUNA | {"mark": "none"}
    assert astuple(score(reading(bare, MILO), PAIR, TRUTH)) == near(1, 13 / 14, 0, 0, 0)


def test_two_of_one_are_not_two():
    double = score(reading(MILO, MILO), PAIR, TRUTH)
    assert (double.present, double.mixed, double.missing) == (0, 0.5, 0)


def test_members_who_were_not_asked_for_mix_too():
    assert score(reading(LUNA | {"mark": "mohawk"}), ("luna",), TRUTH).mixed == 1


def test_most_agreeing_attributes_decide_who_is_who():
    assert assigned([MILO, LUNA], [LUNA, MILO]) == [LUNA, MILO]
    assert assigned([MILO], [LUNA, MILO]) == [None, MILO]
    assert assigned([], [LUNA]) == [None]


def test_mean_over_pictures():
    right = Scores(present=1, identity=1, mixed=0, missing=0, all_right=1)
    wrong = Scores(present=0, identity=0.5, mixed=1, missing=0, all_right=0)
    assert astuple(mean([right, wrong])) == (0.5, 0.75, 0.5, 0, 0.5)


def test_pictures_are_judged_by_their_prompts():
    class Judge:
        def read(self, images: Sequence[Image.Image]) -> list[Reading]:
            return [reading(LUNA, MILO) for _ in images]

    drawn = {"<milo> and <luna> on the beach": [Image.new("RGB", (8, 8))] * 2}
    assert evaluated(drawn, TRUTH, Judge()).all_right == 1


def test_only_drawn_casts_have_a_truth(tmp_path):
    with pytest.raises(UserError, match="no cast.json"):
        truth_of(tmp_path)
