from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.benchmarks.composites import CUTS, MASKS, moved, rim_error
from groupshot.errors import UserError
from groupshot.samples import Rules, Shot, composite, cut, emptied, large_enough, plain
from groupshot.samples.composites import laid
from groupshot.samples.cutouts import Edges
from groupshot.samples.mattes import matted
from groupshot.samples.patches import sampled
from groupshot.samples.spots import Spot
from groupshot.toybox import world


def disc(side=80, centre=(40, 40), radius=20):
    """A disc's mask, and the share of each pixel that it really covers."""
    ys, xs = np.mgrid[: side * 8, : side * 8] / 8 + 1 / 16
    fine = (xs - centre[0]) ** 2 + (ys - centre[1]) ** 2 < radius**2
    share = fine.reshape(side, 8, side, 8).mean((1, 3))
    return share > 0.5, share


def photo(share, subject=(255, 0, 0), background=(0, 255, 0)):
    mixed = share[..., None] * np.array(subject) + (1 - share[..., None]) * np.array(background)
    return Image.fromarray(mixed.round().astype(np.uint8))


def shot(picture, source="luna/3.png"):
    return Shot(picture=picture, shows=("luna",), source=source)


def test_the_matte_of_a_mixture_is_its_share_and_keeps_no_background():
    mask, share = disc()
    alpha, colours = matted(np.asarray(photo(share)) / 255, mask)
    assert np.abs(alpha - share).max() < 0.2
    assert np.abs(alpha - share).mean() < np.abs(mask - share).mean() / 2
    assert (mask * (1 - share)).max() > 0.45
    assert (alpha * colours[..., 1]).max() < 0.2


def test_a_mask_with_a_ragged_edge_is_mended_by_the_colours():
    mask, share = disc()
    rng = np.random.default_rng(0)
    edge = (share > 0) & (share < 1)
    ragged = np.where(edge, rng.random(mask.shape) < 0.5, mask)
    alpha, _ = matted(np.asarray(photo(share)) / 255, ragged)
    assert np.abs(alpha - share)[edge].mean() < np.abs(ragged - share)[edge].mean() / 2


def test_a_cut_out_is_trimmed_and_as_large_as_in_its_photo():
    mask, share = disc()
    thing = cut(shot(photo(share)), mask, "luna", "<luna>", 80)
    assert thing.picture.mode == "RGBA"
    assert all(abs(side - 40) <= 2 for side in thing.picture.size)
    assert thing.cut == Edges()
    assert thing.light.mean == pytest.approx(0.587, abs=0.01)


def test_a_soft_mask_is_cut_at_a_half():
    mask, share = disc()
    hard = cut(shot(photo(share)), mask, "luna", "<luna>", 80)
    soft = cut(shot(photo(share)), share.astype(np.float32), "luna", "<luna>", 80)
    assert hard.picture.tobytes() == soft.picture.tobytes()


def test_a_large_photo_is_brought_to_the_size_of_the_canvas():
    mask, share = disc(side=400, centre=(200, 200), radius=150)
    thing = cut(shot(photo(share)), mask, "luna", "<luna>", 64)
    assert all(62 <= side <= 68 for side in thing.picture.size)


def test_it_is_known_where_a_photo_cuts_its_subject_off():
    mask, share = disc(centre=(40, 75))
    thing = cut(shot(photo(share)), mask, "luna", "<luna>", 80)
    assert thing.cut == Edges(bottom=True)
    below = np.asarray(thing.picture)[-1, :, 3]
    assert below[len(below) // 2] == 255


@pytest.mark.parametrize("mask", MASKS)
def test_pasted_characters_are_nearer_the_truth_than_their_masks_alone(mask):
    rng = np.random.default_rng(7)
    people = [moved(rng) for _ in range(6)]
    errors = {
        name: fmean(rim_error(way, MASKS[mask](each.mask), each) for each in people)
        for name, way in CUTS.items()
    }
    assert errors["matted"] < 0.8 * min(errors["hard"], errors["feathered"])


def test_a_cut_out_returns_to_its_place_as_it_was():
    picture = world.draw(world.staged(np.random.default_rng(5), [who()]))
    mask = picture.owners > 0
    own = Image.fromarray(picture.image)
    thing = cut(shot(own), mask, "luna", "<luna>", world.SIZE)
    wide, high = thing.picture.size
    left, top = picture.boxes[0][0] - 1, picture.boxes[0][1] - 1
    places = [(max(0, x), max(0, y)) for x in (left, left + 1) for y in (top, top + 1)]
    errors = []
    for x, y in places:
        spot = Spot(box=(x, y, x + wide, y + high), flip=False, turn=0.0)
        made, _ = laid([thing], [spot], replace(plain(world.SIZE), picture=own), 0.0)
        errors.append(np.abs(np.asarray(made, float) - np.asarray(own, float))[mask].mean())
    assert min(errors) < 2


def who():
    return world.identity(np.random.default_rng(0), "cast")


def test_a_mask_that_marks_nothing_names_the_photo():
    with pytest.raises(UserError, match=r"<luna> in luna/3.png marks nothing.*hand mask"):
        cut(shot(Image.new("RGB", (64, 64))), np.zeros((64, 64), bool), "luna", "<luna>", 64)


def test_a_mask_of_the_whole_photo_names_it():
    with pytest.raises(UserError, match=r"<luna> covers 100% of luna/3.png.*some background"):
        cut(shot(Image.new("RGB", (64, 64))), np.ones((64, 64), bool), "luna", "<luna>", 64)


def test_a_subject_of_a_few_pixels_names_its_photo():
    mask = np.zeros((64, 64), bool)
    mask[3:6, 10:14] = True
    with pytest.raises(UserError, match=r"<luna> has only 4 x 3 pixels in luna/3.png"):
        cut(shot(Image.new("RGB", (64, 64))), mask, "luna", "<luna>", 64)


def test_parts_can_be_asked_whether_they_are_large_enough():
    mask = np.zeros((640, 640), bool)
    mask[10:40, 10:90] = True
    assert large_enough(mask, 640) and large_enough(mask.astype(float), 640)
    assert not large_enough(mask, 1000)
    hair = np.zeros((640, 640), bool)
    hair[100] = True
    assert not large_enough(hair, 64)


def test_an_emptied_photo_has_no_trace_of_its_subject():
    mask, share = disc()
    sky = np.linspace(60, 200, 80)[:, None, None] * np.ones((1, 80, 3))
    full = share[..., None] * np.array((255, 0, 0)) + (1 - share[..., None]) * sky
    scene = emptied(shot(Image.fromarray(full.round().astype(np.uint8))), mask, 80)
    assert np.abs(np.asarray(scene, float) - sky).max() <= 4


def test_an_emptied_photo_is_as_sharp_as_it_was():
    stripes = np.where(np.arange(96) % 8 < 4, 40, 220)[None, :, None] * np.ones((96, 1, 3))
    mask = np.zeros((96, 96), bool)
    mask[30:70, 30:70] = True
    full = np.where(mask[..., None], np.array((255, 0, 0)), stripes)
    scene = emptied(shot(Image.fromarray(full.astype(np.uint8))), mask, 96)
    assert np.abs(np.asarray(scene, float) - stripes)[mask].mean() < 4


def test_what_fills_a_hole_is_chosen_by_some_of_its_pixels(monkeypatch):
    """Of a large photo, and all of the hole is filled all the same."""
    monkeypatch.setattr("groupshot.samples.patches.ENOUGH", 100)
    assert sampled(np.zeros((2, 100), int)).shape == (2, 100)
    assert sampled(np.zeros((2, 1001), int)).shape == (2, 91)
    test_an_emptied_photo_is_as_sharp_as_it_was()


def test_what_no_part_of_a_photo_fits_is_smoothed_over():
    mask = np.zeros((64, 64), bool)
    mask[10:20] = True
    full = Image.new("RGB", (64, 64), "teal")
    full.paste("red", (0, 10, 64, 20))
    scene = emptied(shot(full), mask, 64)
    assert scene.getcolors() == [(64 * 64, (0, 128, 128))]


def test_an_emptied_photo_keeps_its_proportions():
    mask = np.zeros((200, 300), bool)
    mask[90:110, 140:160] = True
    scene = emptied(shot(Image.new("RGB", (300, 200), "teal")), mask, 64)
    assert scene.size == (96, 64)


def test_a_photo_full_of_subjects_cannot_be_emptied():
    mask = np.ones((64, 64), bool)
    mask[:4] = False
    with pytest.raises(UserError, match=r"fill \d+% of luna/3.png"):
        emptied(shot(Image.new("RGB", (64, 64))), mask, 64)


def test_a_real_character_is_placed_whole_in_a_composite():
    picture = world.draw(world.staged(np.random.default_rng(2), [who()]))
    photo_of = shot(Image.fromarray(picture.image))
    thing = cut(photo_of, picture.owners > 0, "luna", "<luna>", world.SIZE)
    made = composite(
        [thing], plain(world.SIZE), "a photo of {}", Rules(), torch.Generator().manual_seed(0)
    )
    (placed,) = made.placed
    outside = np.asarray(made.picture)[placed.mask == 0]
    assert (outside == 255).all()
    assert made.caption == "a photo of <luna>"
