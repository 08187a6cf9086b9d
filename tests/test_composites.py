from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.benchmarks.composites import edges, holes, times
from groupshot.previews import TINTS, painted
from groupshot.samples import Backdrop, Rules, collage, composed, composite, part_of, plain, stacked
from groupshot.samples.composites import laid
from groupshot.samples.cutouts import Cutout, Edges
from groupshot.samples.lights import Light, light, relit
from groupshot.samples.spots import Spot, allowed, beside, iou, scattered

SIZE = 64
WHOLE = Edges()
EVEN = Light(mean=1.0, spread=0.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def thing(name="luna", colour="red", size=(40, 30), cut=WHOLE, alpha=255):
    picture = Image.new("RGB", size, colour)
    picture.putalpha(alpha)
    return Cutout(picture=picture, name=name, words=f"<{name}>", light=EVEN, cut=cut)


def rgb(made, box):
    """The mean colour inside a box."""
    return np.asarray(made.picture.crop(box)).reshape(-1, 3).mean(0)


def test_what_stands_lower_hides_what_is_behind_it_and_masks_are_exact():
    red, blue = thing("luna", "red", (20, 20)), thing("rex", "blue", (20, 20))
    spots = [
        Spot(box=(0, 10, 20, 30), flip=False, turn=0.0),
        Spot(box=(10, 0, 30, 20), flip=False, turn=0.0),
    ]
    picture, (luna, rex) = laid([red, blue], spots, plain(40), 0.0)
    assert picture.getpixel((15, 15)) == (255, 0, 0)
    assert luna.mask.sum() == 400 and rex.mask.sum() == 300
    assert luna.box == (0, 10, 20, 30) and rex.box == (10, 0, 30, 20)
    assert not (luna.mask * rex.mask).any()


def test_masks_are_the_shares_of_which_the_picture_is_made():
    red, blue = thing("luna", "red", (20, 20), alpha=153), thing("rex", "blue", (20, 20), alpha=102)
    spots = [
        Spot(box=(0, 0, 20, 20), flip=False, turn=0.0),
        Spot(box=(0, 1, 20, 21), flip=False, turn=0.0),
    ]
    bay = Backdrop(picture=Image.new("RGB", (40, 40), "lime"), words="on <bay>", name="bay")
    picture, placed = laid([red, blue], spots, bay, 0.0)
    shares = [each.mask[10, 10] for each in placed]
    assert shares == pytest.approx([0.6 * 0.6, 0.4, 0.6 * 0.4], abs=1e-6)
    assert picture.getpixel((10, 10)) == (round(255 * 0.36), round(255 * 0.24), round(255 * 0.4))
    np.testing.assert_allclose(sum(each.mask for each in placed), 1, atol=1e-6)


def test_a_mirrored_thing_has_its_left_on_the_right():
    picture = Image.new("RGBA", (20, 10), "blue")
    picture.paste("red", (0, 0, 10, 10))
    two_sided = replace(thing(), picture=picture)
    spot = Spot(box=(0, 0, 20, 10), flip=True, turn=0.0)
    made, _ = laid([two_sided], [spot], plain(20), 0.0)
    assert made.getpixel((3, 5)) == (0, 0, 255)
    assert made.getpixel((16, 5)) == (255, 0, 0)


def test_a_turned_thing_stays_in_its_box_without_a_dark_rim():
    for turn in (-8.0, 8.0):
        rules = Rules(turn=turn)
        (spot,) = scattered([thing(colour="white")], SIZE, rules, seeded())
        assert spot.turn != 0
        made, (placed,) = laid([thing(colour="white")], [spot], plain(SIZE), 0.0)
        assert np.asarray(made).min() >= 254
        left, top, right, bottom = placed.box
        assert left >= spot.box[0] and top >= spot.box[1]
        assert right <= spot.box[2] and bottom <= spot.box[3]


def test_a_collage_says_truly_who_is_on_the_left():
    pair = thing("luna", "red"), replace(thing("rex", "blue"), words=part_of("rex", "hat"))
    seen = set()
    for seed in range(40):
        made = collage(pair, plain(SIZE), "a photo of {}", Rules(), seeded(seed))
        centres = [np.nonzero(each.mask.any(0))[0].mean() for each in made.placed]
        first = int(centres[0] > centres[1])
        words = ("<luna>", "<rex>'s hat")
        assert made.caption == (
            f"a photo of {words[first]} on the left and {words[1 - first]} on the right"
        )
        assert abs(centres[0] - centres[1]) > 0.15 * SIZE
        colour = rgb(made, made.placed[first].box)
        assert colour.argmax() == (0 if first == 0 else 2)
        seen.add(first)
    assert seen == {0, 1}


def test_a_composite_names_all_in_any_order_and_says_where():
    people = [thing("luna", "red"), thing("rex", "blue"), replace(thing("", "lime"), words="a cat")]
    snow = Backdrop(picture=Image.new("RGB", (SIZE, SIZE), "white"), words="in the snow")
    said = set()
    for seed in range(60):
        made = composite(people, snow, "a photo of {}", Rules(size=(0.2, 0.3)), seeded(seed))
        assert [each.name for each in made.placed] == ["luna", "rex", ""]
        said.add(made.caption)
    assert len(said) == 6
    assert "a photo of a cat, <rex> and <luna> in the snow" in said


def test_the_same_generator_gives_the_same_composite():
    people = [thing("luna", "red"), thing("rex", "blue")]
    rules = Rules(turn=10.0, overlap=1.0)
    one, again = (composite(people, plain(SIZE), "{}", rules, seeded(3)) for _ in range(2))
    other = composite(people, plain(SIZE), "{}", rules, seeded(4))
    assert one.picture.tobytes() == again.picture.tobytes()
    assert one.caption == again.caption
    assert one.picture.tobytes() != other.picture.tobytes()


def test_layouts_keep_the_rules():
    people = [thing(str(i)) for i in range(4)]
    rules = Rules(size=(0.3, 0.5), overlap=0.05, feet=(0.7, 0.9))
    for seed in range(50):
        spots = scattered(people, SIZE, rules, seeded(seed))
        boxes = [each.box for each in spots]
        for i, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 0 and top >= 0 and right <= SIZE and bottom <= SIZE
            assert 0.7 * SIZE - 1 <= bottom <= 0.9 * SIZE + 1
            assert all(iou(boxes[i], other) <= 0.05 for other in boxes[:i])


def test_sizes_are_those_asked_for_and_none_is_enlarged_far():
    longest = [
        max(s.box[2] - s.box[0], s.box[3] - s.box[1])
        for seed in range(100)
        for s in scattered([thing(size=(200, 100))], 100, Rules(size=(0.2, 0.8)), seeded(seed))
    ]
    assert 20 <= min(longest) < 25 and 75 < max(longest) <= 80
    (spot,) = scattered([thing(size=(10, 8))], 100, Rules(size=(0.9, 0.9)), seeded())
    assert spot.box[2] - spot.box[0] == 15


def test_nobody_is_hidden_though_all_may_overlap():
    people = [thing(str(i), size=(30, 30)) for i in range(3)]
    rules = Rules(overlap=1.0, hidden=0.5, size=(0.5, 0.7))
    touched = 0
    for seed in range(40):
        made = composite(people, plain(SIZE), "{}", rules, seeded(seed))
        spots = scattered(people, SIZE, rules, seeded(seed))
        for placed, spot in zip(made.placed, spots, strict=True):
            left, top, right, bottom = spot.box
            share = placed.mask.sum() / ((right - left) * (bottom - top))
            assert share > 0.49
            touched += share < 0.99
    assert touched > 20


def test_a_box_inside_another_is_hidden_whatever_their_union():
    big, small = (Spot(box=b, flip=False, turn=0.0) for b in ((0, 0, 60, 60), (10, 10, 20, 20)))
    assert iou(big.box, small.box) < 0.1
    assert allowed([big, small], Rules()) is False
    assert allowed([big, replace(small, box=(10, 55, 20, 65))], Rules()) is True


def test_what_its_photo_cuts_off_stands_at_the_edge_of_the_canvas():
    bust = thing(cut=Edges(bottom=True))
    arm = thing(cut=Edges(left=True))
    for seed in range(30):
        below, aside = scattered([bust, arm], SIZE, Rules(size=(0.3, 0.4), turn=9.0), seeded(seed))
        assert below.box[3] == SIZE
        assert (aside.box[2] == SIZE) if aside.flip else (aside.box[0] == 0)
        assert below.turn == aside.turn == 0
        for spot in beside((arm, thing()), SIZE, Rules(), seeded(seed)):
            left, _, right, _ = spot.box
            assert 0 <= left < right <= SIZE
        edge = beside((arm, thing()), SIZE, Rules(), seeded(seed))[0]
        assert (edge.box[2] == SIZE) if edge.flip else (edge.box[0] == 0)


def test_what_is_cut_off_at_a_side_is_mirrored_for_the_other():
    arm = thing(cut=Edges(left=True))
    spots = [beside((arm, thing()), SIZE, Rules(flip=0.0), seeded(seed))[0] for seed in range(20)]
    assert {(each.box[0] == 0, each.flip) for each in spots} == {(True, False), (False, True)}
    assert all(each.box[2] == SIZE for each in spots if each.flip)


def test_who_is_cut_off_at_the_top_still_stands_on_the_ground():
    head = thing(cut=Edges(top=True))
    (hung,) = scattered([head], SIZE, Rules(size=(0.3, 0.4)), seeded())
    assert hung.box[1] == 0
    (stood,) = scattered([head], SIZE, Rules(size=(0.3, 0.4), feet=(0.8, 0.9)), seeded())
    assert 0.8 * SIZE - 1 <= stood.box[3] <= 0.9 * SIZE + 1


def test_two_that_end_in_the_same_corner_are_laid_apart_all_the_same():
    corner = Edges(left=True, bottom=True)
    spots = scattered([thing(cut=corner)] * 2, SIZE, Rules(flip=0.0), seeded())
    assert iou(spots[0].box, spots[1].box) <= 0.1


def test_light_follows_the_place_as_far_as_is_asked():
    gray = np.full((2, 2, 3), 0.5)
    old, new = Light(mean=0.5, spread=0.2), Light(mean=0.4, spread=0.3)
    np.testing.assert_allclose(relit(gray, old, new, 0.5), 0.45)
    bright = gray + 0.1
    np.testing.assert_allclose(relit(bright, old, new, 1.0), 0.4 + 1.5 * 0.1)
    np.testing.assert_allclose(relit(gray, old, old, 1.0), gray)
    np.testing.assert_allclose(relit(gray, old, EVEN, 1.0), gray)


def test_light_is_luminance():
    green = np.zeros((1, 2, 3))
    green[0, 0, 1] = 1
    seen = light(green, np.ones((1, 2)))
    assert (seen.mean, seen.spread) == pytest.approx((0.2935, 0.2935), abs=1e-4)
    assert light(green, np.array([[1.0, 0.0]])).mean == pytest.approx(0.587, abs=1e-4)


def test_composites_become_batches_with_pooled_masks(base):
    people = [thing("luna", "red", (8, 8)), thing("rex", "blue", (8, 8))]

    def draw(g):
        return collage((people[0], people[1]), plain(base.size), "a photo of {}", Rules(), g)

    made = [draw(g) for g in [seeded()] for _ in range(3)]
    batch = composed(base, stacked(made, ("rex", "milo", "luna"), 8))
    assert batch.captions == tuple(each.caption for each in made)
    assert batch.latents.shape == (3, 4, 8, 8)
    assert batch.masks.shape == (3, 3, 8, 8)
    assert batch.names == ("rex", "milo", "luna")
    assert not batch.masks[:, 1].any()
    areas = [[each.placed[1].mask.mean(), 0, each.placed[0].mask.mean()] for each in made]
    torch.testing.assert_close(batch.masks.mean((2, 3)), torch.tensor(areas, dtype=torch.float32))


def test_the_sheet_paints_each_mask_in_its_colour():
    made = composite([thing("luna", "white", (128, 128))], plain(128), "{}", Rules(), seeded())
    page = painted(made)
    left, top, right, bottom = (3 * side for side in made.placed[0].box)
    assert page.size == (384, 384)
    assert page.getpixel((left + 1, top + 1)) == TINTS[0]
    inside = np.array(page.getpixel(((left + right) // 2, (top + bottom) // 2)))
    assert np.abs(inside - (0.75 * np.array(TINTS[0]) + 0.25 * 255)).max() <= 1


def test_the_benchmark_has_a_line_for_everything():
    lines = [*edges(1), *holes(1), *times(1, 64)]
    assert [line.split(" at ")[0].split(",")[0] for line in lines] == [
        *["edge"] * 3,
        "hole",
        "cut out",
        "collage",
        "composite",
    ]
