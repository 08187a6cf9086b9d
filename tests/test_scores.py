"""The scores: each by hand on small cases, and all of them on pictures that the world drew."""

import shutil
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.base import fingerprint
from groupshot.cast import Cast, Concept
from groupshot.errors import UserError
from groupshot.files import save_tensors
from groupshot.photo import Photo
from groupshot.scores import evaluated, truth_of
from groupshot.scores.asks import ONESELF, Ask
from groupshot.scores.clip import alignments
from groupshot.scores.diversity import diversity, spread
from groupshot.scores.likeness import assigned, attributes, likeness, mean
from groupshot.scores.masks import mask_iou
from groupshot.scores.prior import distance, largest, prior, resembles
from groupshot.toybox.casts import TRUE_MASKS, save_mask
from groupshot.toybox.reader import Reading, Seen
from groupshot.toybox.world import ATTRIBUTES, Identity

LOOKS = {
    "luna": ("cat", "gray", "white", "striped", "scarf", "teal", "belly star"),
    "milo": ("cat", "orange", "white", "striped", "headphones", "blue", "eye patch"),
    "bolt": ("robot", "teal", "orange", "split", "cape", "purple", "mohawk"),
}
TRUTH = {name: dict(zip(ATTRIBUTES, looks, strict=True)) for name, looks in LOOKS.items()}
LUNA, MILO, BOLT = TRUTH.values()
PAIR = ("luna", "milo")


def seen(looks: dict[str, str], *, known: bool = True, size: int = 0) -> Seen:
    empty = np.zeros((128, 128), dtype=np.uint8)
    mask = np.arange(128 * 128).reshape(128, 128) < size
    return Seen(
        attributes=looks,
        kinds={looks["kind"]: 1.0},
        known=known,
        box=(0.0, 0.0, 1.0, 1.0),
        mask=mask,
        parts=empty,
    )


def reading(*looks: dict[str, str], strangers: int = 0) -> Reading:
    characters = [seen(each) for each in looks] + [seen(LUNA, known=False)] * strangers
    return Reading(characters=tuple(characters), background="beach", style="flat", bonds=())


def score(read: Reading, names: Sequence[str] = PAIR, truth=TRUTH) -> tuple[float, ...]:
    return astuple(mean([likeness(read, names, truth)]))


def near(present: float, identity: float, mixed: float, missing: float, all_right: float):
    return pytest.approx((present, identity, mixed, missing, all_right))


def test_everyone_themselves_in_any_order():
    assert score(reading(MILO, LUNA)) == near(1, 1, 0, 0, 1)


def test_a_missing_one_counts_nothing_and_is_not_mixed():
    assert score(reading(MILO)) == near(0, 0.5, 0, 0.5, 0)
    assert score(reading()) == near(0, 0, 0, 1, 0)


def test_one_too_many():
    assert score(reading(LUNA, MILO, BOLT)) == near(0, 1, 0, 0, 0)
    assert score(reading(LUNA, MILO, strangers=1)) == near(0, 1, 0, 0, 0)


def test_the_other_ones_collar_is_mixed_but_still_present():
    collared = LUNA | {"accessory": "headphones", "accessory_colour": "blue"}
    assert score(reading(collared, MILO)) == near(1, 6 / 7, 0.5, 0, 0)


def test_a_fault_that_is_nobodys_is_not_mixed():
    bare = LUNA | {"mark": "none"}
    assert score(reading(bare, MILO)) == near(1, 13 / 14, 0, 0, 0)


def test_what_another_does_not_wear_cannot_be_had_from_them():
    nothing = {"accessory": "none", "accessory_colour": "none"}
    truth = {"luna": LUNA, "milo": MILO | nothing}
    assert score(reading(LUNA | nothing, MILO | nothing), truth=truth) == near(1, 6 / 7, 0, 0, 0)


def test_two_of_one_are_not_two():
    assert score(reading(MILO, MILO)) == near(0, (1 + 3 / 7) / 2, 0.5, 0, 0)


def test_half_of_each_is_nobody():
    """What tells them apart is 4 attributes; a character with 3 of the other's is taken for it."""
    swapped = LUNA | {key: MILO[key] for key in ("colour", "accessory", "accessory_colour")}
    assert score(reading(swapped, MILO)) == near(0, 5.5 / 7, 0.5, 0, 0)
    evenly = LUNA | {key: MILO[key] for key in ("colour", "mark")}
    assert score(reading(evenly, MILO)) == near(1, 6 / 7, 0.5, 0, 0)


def test_members_who_were_not_asked_for_mix_too():
    assert score(reading(LUNA | {"mark": "mohawk"}), ("luna",))[2] == 1


def test_marks_may_be_left_aside():
    truth = {name: {k: v for k, v in own.items() if k != "mark"} for name, own in TRUTH.items()}
    bare = [own | {"mark": "none"} for own in (LUNA, MILO)]
    assert score(reading(*bare), truth=truth) == near(1, 1, 0, 0, 1)


def test_most_agreeing_attributes_decide_who_is_who():
    luna, milo = seen(LUNA), seen(MILO)
    for crowd, wanted, found in (
        ([milo, luna], [LUNA, MILO], [luna, milo]),
        ([milo], [LUNA, MILO], [None, milo]),
        ([], [LUNA], [None]),
    ):
        assert all(a is b for a, b in zip(assigned(crowd, wanted), found, strict=True))


def test_the_mean_is_over_pictures_and_over_all_who_were_asked_for():
    both = likeness(reading(LUNA, MILO), PAIR, TRUTH)
    nobody = likeness(reading(), ("bolt",), TRUTH)
    assert astuple(mean([both, nobody])) == near(0.5, 2 / 3, 0, 1 / 3, 0.5)


def test_nobody_answers_for_what_is_hidden():
    bare = LUNA | {"accessory": "none", "accessory_colour": "none", "mark": MILO["mark"]}
    hidden = {"luna": ("accessory", "accessory_colour", "mark")}
    read = reading(bare, MILO)
    assert not likeness(read, PAIR, TRUTH).all_right
    assert likeness(read, PAIR, TRUTH, hidden).all_right
    assert likeness(read, PAIR, TRUTH, hidden).identity == (1, 1)
    assert not likeness(read, PAIR, TRUTH, {"luna": hidden["luna"][:2]}).all_right
    assert not likeness(reading(LUNA, LUNA), PAIR, TRUTH, hidden).all_right


def test_faults_are_what_is_there_instead():
    read = reading(LUNA | {"mark": "none"})
    assert likeness(read, PAIR, TRUTH).faults == ({"mark": "none"}, None)


def test_attributes_are_those_of_whoever_was_found_and_can_be_seen():
    bare = likeness(reading(LUNA | {"mark": "none"}), PAIR, TRUTH)
    behind = likeness(reading(MILO), ("milo",), TRUTH, {"milo": ("pattern", "mark")})
    whole = likeness(reading(MILO), ("milo",), TRUTH, {"milo": ("pattern",)})
    nobody = likeness(reading(), PAIR, TRUTH)
    shares = attributes([bare, behind, whole, nobody])
    assert shares["mark"] == 0.5, "wrong of one, right of one, not seen of one, nobody to see"
    assert all(shares[key] == 1 for key in ATTRIBUTES if key != "mark")
    assert attributes([nobody]) == {}


def test_pictures_are_judged_by_their_prompts():
    class Judge:
        def read(self, images: Sequence[Image.Image]) -> list[Reading]:
            return [reading(LUNA, MILO) for _ in images]

        def features(self, images: Sequence[Image.Image]) -> torch.Tensor:
            raise NotImplementedError

    drawn = {"<milo> and <luna> on the beach": [Image.new("RGB", (8, 8))] * 2}
    assert evaluated(drawn, TRUTH, Judge()).all_right == 1


def test_only_drawn_casts_have_a_truth(tmp_path):
    with pytest.raises(UserError, match=r"no cast\.json"):
        truth_of(tmp_path)


def test_a_prior_that_stayed_and_one_that_moved():
    """Half the pictures moved to another colour: total variation 1/2."""
    gray, red = BOLT | {"colour": "gray"}, BOLT | {"colour": "red"}
    assert prior([gray] * 4, [gray] * 4, {"luna": LUNA}) == 1
    assert prior([gray] * 4, [gray, gray, red, red], {"luna": LUNA}) == 0.5
    assert prior([gray] * 4, [gray, gray, gray, None], {"luna": LUNA}) == 0.75


def test_a_class_that_became_the_concept_is_no_prior_at_all():
    """A quarter is the concept: it counts once as moved, once as leaked."""
    other = LUNA | {
        "colour": "red",
        "accessory": "none",
        "accessory_colour": "none",
        "mark": "none",
    }
    assert prior([other] * 4, [other, other, other, LUNA], TRUTH) == 0.5
    assert prior([other] * 4, [LUNA] * 4, TRUTH) == 0


def test_who_reads_as_a_concept():
    assert resembles(LUNA | {"mark": "none", "colour": "red"}, LUNA)  # 4 of 6
    assert not resembles(LUNA | {"mark": "none", "colour": "red", "second": "red"}, LUNA)  # 3
    assert not resembles(LUNA | {"kind": "dog"}, LUNA)
    assert not resembles(None, LUNA)


def test_distance_is_total_variation():
    from collections import Counter

    one, other = Counter({("a",): 3, ("b",): 1}), Counter({("b",): 1, ("c",): 1})
    assert distance(one, other) == pytest.approx((3 / 4 + 1 / 4 + 1 / 2) / 2)


def test_a_fingerprint_is_of_the_weights_in_a_folder_or_in_one_file(base_folder, tmp_path):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    assert fingerprint(str(one)) != fingerprint(str(other))
    shutil.copy(one, other)
    assert fingerprint(str(one)) == fingerprint(str(other))
    before = fingerprint(str(base_folder))
    there = shutil.copytree(base_folder, tmp_path / "there")
    assert fingerprint(str(there)) == before
    shutil.copy(other, there / "unet" / "diffusion_pytorch_model.safetensors")
    assert fingerprint(str(there)) != before


def test_the_largest_character_counts():
    crowd = (seen(LUNA, size=10), seen(MILO, size=90), seen(BOLT, size=99, known=False))
    read = Reading(characters=crowd, background="beach", style="flat", bonds=())
    assert largest(read) == MILO
    assert largest(replace(read, characters=())) is None


def ask(number: int = 0, name: str = "luna") -> Ask:
    return Ask(number=number, degree="alone", phrase=ONESELF, names=(name,), background="beach")


def grey(level: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (level, level, level))


class Levels:
    """A judge whose features of a picture are its brightness."""

    def __init__(self, world: float) -> None:
        self.world = world

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        raise NotImplementedError

    def features(self, images: Sequence[Image.Image]) -> torch.Tensor:
        if images[0].size == (128, 128):  # the world's own
            return torch.tensor([[0.0], [self.world]])
        return torch.tensor([[float(np.asarray(image).mean())] for image in images])


def test_diversity_is_a_share_of_the_worlds(monkeypatch):
    torch.testing.assert_close(spread(torch.tensor([[0.0], [3.0], [6.0]])), 4.0)
    people = {"luna": Identity(**LUNA)}
    drawn = {ask(0): [grey(0), grey(10)], ask(1): [grey(7), grey(7)]}
    assert diversity(drawn, people, Levels(20)) == pytest.approx((0.5 + 0) / 2)
    assert diversity(drawn, people, Levels(5)) == pytest.approx((1 + 0) / 2), "capped"
    assert diversity({ask(0): [grey(0)]}, people, Levels(20)) is None


class Colours:
    """A CLIP pair that sees brightness as an angle, and reads "dog" as a right one."""

    def seen(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        turns = torch.tensor([np.asarray(p).mean() / 180 * np.pi for p in pictures])
        return torch.stack([turns.cos(), turns.sin()], 1).float()

    def said(self, prompts: Sequence[str]) -> torch.Tensor:
        assert all("<" not in prompt for prompt in prompts)
        return torch.tensor([[0.0, 1.0] if "a dog" in p else [1.0, 0.0] for p in prompts])


@pytest.fixture
def grey_cast(tmp_path: Path) -> Cast:
    """A cat of level 0, and a dog of levels 60 and 120."""
    concepts: list[Concept] = []
    for name, noun, levels in (("luna", "cat", (0,)), ("rex", "dog", (60, 120))):
        for level in levels:
            grey(level).save(tmp_path / f"{name}{level}.png")
        photos = tuple(Photo(path=tmp_path / f"{name}{level}.png") for level in levels)
        concepts.append(Concept(name=name, noun=noun, photos=photos))
    return Cast(folder=tmp_path, concepts=tuple(concepts))


def test_alignment_with_words_and_with_photos(grey_cast):
    drawn = {ask(0, "luna"): [grey(0), grey(60)], ask(1, "rex"): [grey(90)]}
    told, shown = alignments(Colours(), grey_cast, drawn)  # type: ignore[arg-type]
    assert told == pytest.approx((1 + 0.5 + 1) / 3)
    cosine = np.cos(np.pi / 6)  # of 90 with 60 and with 120
    assert shown == pytest.approx(((1 + 0.5) / 2 + cosine) / 2)


def test_mask_iou_is_of_the_last_masks_that_were_kept(tmp_path):
    run, cast = tmp_path / "run", tmp_path / "cast"
    left, top = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    left[:, :2] = top[:2] = True
    save_mask(cast / TRUE_MASKS / "together/1.luna.png", left)
    save_mask(cast / TRUE_MASKS / "together/1.bay.png", ~left)
    assert mask_iou(run, cast) is None
    first = {"together/1.png:luna": torch.from_numpy(top).float()}
    last = {
        "together/1.png:luna": torch.tensor([[1.0, 0.0]]),  # at another resolution
        "together/1.png:bay": torch.from_numpy(top).float(),
    }
    save_tensors(run / "kept" / "masks-2.safetensors", first)
    assert mask_iou(run, cast) == pytest.approx(4 / 12)
    save_tensors(run / "kept" / "masks-10.safetensors", last)
    save_tensors(run / "kept" / "crops.safetensors", first)
    assert mask_iou(run, cast) == pytest.approx((1 + 4 / 12) / 2)
    assert mask_iou(run, tmp_path) is None, "nobody knows what is true"
