import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from conftest import save_picture
from crf_oracle import blurred
from PIL import Image, ImageDraw

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import load_tensors, save_tensors
from groupshot.masks import (
    RULES,
    Candidate,
    Part,
    Toybox,
    anatomy,
    balanced,
    beliefs,
    chosen,
    felzenszwalb,
    heightened,
    kept,
    levelled,
    naming,
    refined,
    restored,
    sightings,
    slic,
)
from groupshot.samples import shots
from groupshot.toybox import world
from groupshot.toybox.reader import Reader

LEFT, MIDDLE, RIGHT = (0, 16), (20, 40), (44, 60)
"""Columns of the pictures below."""


@dataclass(frozen=True, slots=True)
class Known:
    """A segmenter that knows the answers: columns and scores by class noun."""

    answers: dict[str, list[tuple[tuple[int, int], float]]]
    name: str = "known"
    asked: list[str] = field(default_factory=list)

    def found(self, picture, noun):
        self.asked.append(noun)
        return [
            Candidate(mask=columns(*span), score=score)
            for span, score in self.answers.get(noun, [])
        ]


def columns(first: int, last: int) -> np.ndarray:
    mask = np.zeros((64, 64), dtype=bool)
    mask[:, first:last] = True
    return mask


def save_mask(path, span: tuple[int, int]):
    Image.fromarray(columns(*span)).save(path)


@pytest.fixture
def both(folder) -> Cast:
    """The two cats in one photo, in which rex stands on the left; and alone."""
    save_picture(folder / "both" / "1.jpg")
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat, images: luna.cat/1.jpg}, rex: {class: cat}}\n"
        "together: [{image: both/1.jpg, shows: [rex, luna]}]"
    )
    return Cast.load(folder)


def seen_together(cast: Cast, segmenter=None):
    *_, last = sightings(cast, segmenter)
    return last


def test_hand_masks_and_alpha_need_no_segmenter(folder):
    for name in ("luna.cat", "rex.cat"):
        save_mask(folder / name / "1.mask.png", LEFT)
        picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        picture.paste((255, 0, 0, 255), (20, 0, 40, 64))
        (folder / name / "2.jpg").unlink()
        picture.save(folder / name / "2.png")
    cast = Cast.load(folder)
    seen = list(sightings(cast))
    assert [each.photo for each in seen] == [
        "luna.cat/1.jpg",
        "luna.cat/2.png",
        "rex.cat/1.jpg",
        "rex.cat/2.png",
    ]
    assert [str(each.path) for each in seen] == [shot.source for shot in shots(cast)]
    for each, span in zip(seen, [LEFT, MIDDLE] * 2, strict=True):
        (mask,) = each.masks.values()
        assert (mask == columns(*span)).all()
        assert set(each.sources.values()) == {"hand mask"}
    assert seen[0].shares == {"luna": 16 / 64}


def test_without_a_mask_and_a_segmenter(folder):
    with pytest.raises(UserError, match="has no mask of luna: paint .*luna.cat/1.mask.png"):
        list(sightings(Cast.load(folder)))


def test_without_a_mask_and_a_class_word(folder):
    (folder / "luna.cat").rename(folder / "luna")
    with pytest.raises(UserError, match=re.escape("write `luna: {class: cat}`")):
        list(sightings(Cast.load(folder), Known({"cat": [(LEFT, 0.9)]})))


def test_alone_the_surest_is_taken(folder):
    finder = Known({"cat": [(LEFT, 0.2), (MIDDLE, 0.9)]})
    for each in sightings(Cast.load(folder), finder):
        (mask,) = each.masks.values()
        assert (mask == columns(*MIDDLE)).all()
        assert set(each.sources.values()) == {"known"}


def test_a_segmenter_that_finds_nothing(folder):
    with pytest.raises(UserError, match="known finds no cat in .*1.jpg: paint .*1.mask.png"):
        list(sightings(Cast.load(folder), Known({})))


def test_a_hint_of_sides_counts_before_the_order_of_names(both):
    sheet = both.folder / "cast.yaml"
    hint = sheet.read_text().replace("luna]}", "luna], where: {rex: right}}")
    sheet.write_text(hint)
    cats = Known({"cat": [(RIGHT, 0.9), (LEFT, 0.8)]})
    masks = seen_together(Cast.load(both.folder), cats).masks
    assert (masks["rex"] == columns(*RIGHT)).all()
    assert (masks["luna"] == columns(*LEFT)).all()


def test_of_one_class_they_stand_as_the_cast_says(both):
    cats = Known({"cat": [(RIGHT, 0.9), (LEFT, 0.8), (MIDDLE, 0.3)]})
    masks = seen_together(both, cats).masks
    assert list(masks) == ["luna", "rex"]
    assert (masks["rex"] == columns(*LEFT)).all()
    assert (masks["luna"] == columns(*RIGHT)).all()
    assert cats.asked == ["cat"] * len(shots(both))


def test_who_has_a_hand_mask_is_not_found_again(both, folder):
    save_mask(folder / "both" / "1.rex.mask.png", (42, 62))
    cats = Known({"cat": [(RIGHT, 0.9), (LEFT, 0.8)]})
    seen = seen_together(Cast.load(folder), cats)
    assert (seen.masks["rex"] == columns(42, 62)).all()
    assert (seen.masks["luna"] == columns(*LEFT)).all()
    assert seen.sources == {"luna": "known", "rex": "hand mask"}


def test_fewer_than_the_photo_shows(both):
    with pytest.raises(UserError, match="known finds only 1 cat in .*both/1.jpg") as caught:
        list(sightings(both, Known({"cat": [(LEFT, 0.9)]})))
    assert "1.rex.mask.png and " in str(caught.value)
    assert "1.luna.mask.png, white on rex and luna" in str(caught.value)


def test_an_empty_candidate_is_nobody(folder):
    with pytest.raises(UserError, match="finds no cat"):
        list(sightings(Cast.load(folder), Known({"cat": [((0, 0), 0.9)]})))


def test_one_thing_is_not_two_concepts_of_two_classes(folder):
    save_picture(folder / "both" / "1.jpg")
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat}, rex: {class: dog}}\n"
        "together: [{image: both/1.jpg, shows: [luna, rex]}]"
    )
    animals = Known({"cat": [(LEFT, 0.9)], "dog": [(LEFT, 0.8), (RIGHT, 0.4)]})
    masks = seen_together(Cast.load(folder), animals).masks
    assert (masks["rex"] == columns(*RIGHT)).all()


@pytest.fixture
def beach(folder) -> Cast:
    save_picture(folder / "bay" / "1.jpg")
    save_picture(folder / "both" / "1.jpg")
    (folder / "cast.yaml").write_text(
        "concepts: {bay: {class: beach, kind: background}, luna: {class: cat}}\n"
        "together: [{image: both/1.jpg, shows: [luna, bay]}]"
    )
    return Cast.load(folder)


def test_a_background_is_what_the_others_leave(beach):
    cats = Known({"cat": [(LEFT, 0.9)]})
    alone, together = list(sightings(beach, cats))
    assert alone.masks["bay"].all()
    assert (together.masks["bay"] == ~columns(*LEFT)).all()
    assert together.sources == {"bay": "the rest", "luna": "known"}
    assert cats.asked == ["cat"]


def test_a_background_of_which_nothing_is_left(beach):
    with pytest.raises(UserError, match="both/1.jpg has nothing left for its background"):
        list(sightings(beach, Known({"cat": [((0, 64), 0.9)]})))


def test_masks_are_kept_and_restored(both, tmp_path):
    seen = list(sightings(both, Known({"cat": [(RIGHT, 0.9), (LEFT, 0.8)]})))
    save_tensors(tmp_path / "masks.safetensors", kept(seen))
    back = restored(both, load_tensors(tmp_path / "masks.safetensors")[0])
    assert len(back) == len(shots(both)) == len(seen)
    for mine, theirs, shot in zip(seen, back, shots(both), strict=True):
        assert set(theirs) == set(shot.shows)
        assert all((theirs[name] == mask).all() for name, mask in mine.masks.items())


def maps(*rows: list[float]) -> torch.Tensor:
    """Maps of one row of places."""
    return torch.tensor(rows)[None, :, None]


def test_maps_are_divided_by_their_maximum():
    found = heightened(maps([0.1, 0.2, 0.4, 0.0], [0.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(found, maps([0.25, 0.5, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]))


def test_a_spot_that_is_looked_at_hard_does_not_stand_for_the_thing():
    looked = maps([1.0, 0.3, 0.3, 0.2, 0.0])
    cut = levelled(looked, 0.75)
    assert cut.shape == looked.shape
    assert cut.flatten().tolist() == pytest.approx([0.3, 0.3, 0.3, 0.2, 0.0])
    assert (heightened(cut) >= 0.5).sum() == 4 and (heightened(looked) >= 0.5).sum() == 1
    torch.testing.assert_close(levelled(looked, 1.0), looked)


def test_balanced_maps_have_equal_shares_of_the_same_peaks():
    some = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    some[:, 0] = 0.9 + 0.1 * some[:, 0]  # looked for everywhere
    fair = balanced(some)
    torch.testing.assert_close(fair.amax(1), heightened(some).amax(1))
    shares = fair.amax(1, keepdim=True) * fair / fair.sum(1, keepdim=True)
    totals = shares.sum((2, 3))
    torch.testing.assert_close(totals, totals.mean(1, keepdim=True).expand(-1, 3))
    ahead = heightened(some)[:, :1] > heightened(some)[:, 1:].amax(1, keepdim=True)
    assert ahead.float().mean() > 0.8, "it would take nearly everything"


def test_a_map_alone_is_balanced_as_it_is():
    found = balanced(maps([0.1, 0.2, 0.4, 0.3]))
    torch.testing.assert_close(found, maps([0.25, 0.5, 1.0, 0.75]))


def test_relative_by_hand():
    found = RULES["relative"](maps([0.1, 0.2, 0.4, 0.19]))
    assert found.tolist() == maps([0.0, 1.0, 1.0, 0.0]).tolist()


@pytest.mark.parametrize("rule", ["otsu", "li"])
def test_each_map_has_its_own_threshold(rule):
    low, high = [0.01, 0.01, 0.02, 0.09, 0.1], [0.6, 0.1, 0.5, 0.1, 0.1]
    found = RULES[rule](maps(low, high))
    assert found.tolist() == maps([0.0, 0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0, 0.0]).tolist()


def test_argmax_gives_a_place_to_one_or_to_nobody():
    found = RULES["argmax"](maps([0.4, 0.36, 0.1, 0.1], [0.1, 0.2, 0.2, 0.04]))
    assert found.tolist() == maps([1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]).tolist()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_masks_of_the_same_shape(rule):
    some = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = RULES[rule](some)
    assert found.shape == some.shape
    assert found.min() >= 0
    assert found.max() <= 1


def test_beliefs_by_hand():
    told = beliefs(maps([1.0, 0.2, 0.0], [0.0, 0.6, 0.0]), trust=0.5)
    sure, torn = [0.0, 1.0, 0.0], [0.4 / 1.2, 0.2 / 1.2, 0.6 / 1.2]
    rows = [[0.5 * p + 0.5 / 3 for p in place] for place in (sure, torn, [1.0, 0.0, 0.0])]
    torch.testing.assert_close(told[0, :, 0], torch.tensor(rows).T)


def test_the_likeliest_label_leaves_out_the_rest():
    labels = maps([0.5, 0.1, 0.3], [0.2, 0.7, 0.3], [0.3, 0.2, 0.4])
    assert chosen(labels).tolist() == maps([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]).tolist()


def test_refined_masks_follow_the_picture_and_are_disjoint():
    picture = Image.new("RGB", (96, 60), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((10, 12, 37, 49), "navy")
    pen.rectangle((58, 6, 85, 53), "darkred")
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
    rough = torch.zeros(1, 2, 10, 16)
    rough[:, 0, 3:8, 2:7] = 1
    rough[:, 1, 2:8, 8:15] = 1
    found = refined(rough, pixels)
    assert found.shape == (1, 2, 60, 96)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert found.sum(1).max() == 1
    blue, red = pixels[:, 2] - pixels[:, 0] > 0.5, pixels[:, 0] - pixels[:, 2] > 0.5
    assert iou(found[0, 0] > 0, blue[0]) > 0.95
    assert iou(found[0, 1] > 0, red[0]) > 0.95


def test_refining_helps_what_attention_sees():
    plain, better = [], []
    for seed in range(6):
        scene = blurred(seed)
        masks = chosen(scene.beliefs)
        pixels = torch.from_numpy(scene.picture.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        truth = [torch.from_numpy(scene.owners == i + 1) for i in range(masks.shape[1])]
        plain += [iou(mask > 0, true) for mask, true in zip(masks[0], truth, strict=True)]
        better += [iou(m > 0, t) for m, t in zip(refined(masks, pixels)[0], truth, strict=True)]
    assert np.mean(better) > np.mean(plain) + 0.03


def iou(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one & other).sum() / (one | other).sum())


def drawn() -> world.Picture:
    rng = np.random.default_rng(5)
    who = world.identity(rng, "cast", kind="cat", accessory="hat")
    return world.draw(world.staged(rng, [who], background="beach"))


def test_the_toybox_knows_the_parts_of_its_characters():
    picture = drawn()
    photo, mask = Image.fromarray(picture.image), picture.owners > 0
    parts = anatomy(Toybox(Reader.load("reader")))(photo, mask)
    found = {part.name: part.mask for part in parts}
    assert {"head", "hat", ""} <= found.keys(), "a hat is called one, and a mark nothing"
    hat = picture.parts == world.PARTS.index("accessory")
    assert (found["hat"] & hat).sum() / (found["hat"] | hat).sum() > 0.6
    face = picture.parts == world.PARTS.index("face")
    assert (found["head"] & face).sum() / face.sum() > 0.8, "a head without a face has a hole"
    check(parts, mask)


def test_where_the_toybox_sees_nobody_there_are_no_parts():
    blank = Image.new("RGB", (128, 128), "white")
    nobody = anatomy(Toybox(Reader.load("reader")))(blank, np.ones((128, 128), dtype=bool))
    assert nobody == []


@pytest.mark.parametrize("parted", [felzenszwalb, slic])
def test_scikit_image_takes_a_concept_apart(parted):
    mask = np.zeros((300, 400), dtype=bool)
    mask[50:250, 100:300] = True
    mask[50:90, 100:140] = False  # not a box: what is cut off is nobody's
    photo = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(photo).rectangle((100, 50, 299, 149), "navy")
    ImageDraw.Draw(photo).rectangle((100, 150, 299, 249), "orange")
    parts = parted(photo, mask)
    assert 2 <= len(parts) <= 16
    check(parts, mask)
    assert sum(part.mask.sum() for part in parts) > 0.9 * mask.sum()
    blue = columns_of(photo, "navy")
    shares = [(part.mask & blue).sum() / part.mask.sum() for part in parts]
    assert all(share < 0.1 or share > 0.9 for share in shares)


@pytest.mark.parametrize("parted", [felzenszwalb, slic])
def test_nothing_has_no_parts(parted):
    assert parted(Image.new("RGB", (40, 40)), np.zeros((40, 40), dtype=bool)) == []


def columns_of(photo: Image.Image, colour: str) -> np.ndarray:
    return (np.asarray(photo) == np.asarray(Image.new("RGB", photo.size, colour))).all(-1)


def check(parts: list[Part], mask: np.ndarray) -> None:
    """Each inside the concept, large enough, and the largest first."""
    sizes = [int(part.mask.sum()) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 0.01 * mask.sum()
    assert not any((part.mask & ~mask).any() for part in parts)


def test_a_namer_sees_parts_cut_out_on_white():
    photo = Image.new("RGB", (40, 40), "navy")
    mask, part = np.zeros((40, 40), dtype=bool), np.zeros((40, 40), dtype=bool)
    mask[10:30, 5:35] = True
    part[10:20, 5:15] = part[15:20, 15:20] = True
    seen: list[Image.Image] = []

    def sleeves(cutouts: Sequence[Image.Image]) -> list[str]:
        seen.extend(cutouts)
        return ["sleeve"]

    (found,) = naming(lambda *_: [Part(mask=part)], sleeves)(photo, mask)
    assert found.name == "sleeve"
    assert [each.size for each in seen] == [(15, 10)]
    assert seen[0].getpixel((0, 0)) == (0, 0, 128)
    assert seen[0].getpixel((14, 0)) == (255, 255, 255)
