from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.errors import UserError
from groupshot.masks import Candidate
from groupshot.samples import Backdrop, Rules, Shot, plain
from groupshot.samples.composites import mask_stack
from groupshot.samples.cutouts import Cutout, Edges
from groupshot.samples.fusion import Fusion, Mixture, either, photo_draw, subjects
from groupshot.samples.grounds import Ground, backdrop, bare, photographed
from groupshot.samples.lights import Light
from groupshot.samples.strangers import alone, asked, found, strangers

SIZE = 64
COLOURS = {"luna": "red", "rex": "blue", "kiki": "lime"}
MIXTURE = Mixture(rules=Rules(), crowding=0.0, most=3, strangers=0.0, sided=0.0, least=0.9)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cutout(name, colour, words=None):
    picture = Image.new("RGBA", (40, 40), colour)
    light = Light(mean=1.0, spread=0.0)
    return Cutout(picture=picture, name=name, words=words or f"<{name}>", light=light, cut=Edges())


@pytest.fixture
def fusion():
    return Fusion(
        subjects={name: [cutout(name, colour)] for name, colour in COLOURS.items()},
        strangers=[cutout("", "black", "a cat")],
        grounds=[bare(SIZE)],
        templates=("a photo of {}",),
        mixture=MIXTURE,
        size=SIZE,
    )


def draws(fusion, count=40, **mixture):
    mixed = replace(fusion, mixture=replace(MIXTURE, **mixture))
    return [mixed.draw(seeded(seed)) for seed in range(count)]


def masked_photo(name="luna", side=96, box=(30, 40, 60, 80), source="luna/1.png"):
    """A subject in its colour in front of grey, and its mask."""
    picture = Image.new("RGB", (side, side), "gray")
    picture.paste(COLOURS[name], box)
    mask = np.zeros((side, side), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return Shot(picture=picture, shows=(name,), source=source), {name: mask}


def test_a_caption_names_exactly_who_is_placed(fusion):
    for made in draws(fusion):
        said = {name for name in COLOURS if f"<{name}>" in made.caption}
        assert said == {each.name for each in made.placed}
    assert {len(made.placed) for made in draws(fusion)} == {1, 2, 3}
    assert {len(made.placed) for made in draws(fusion, most=2)} == {1, 2}


def test_the_more_there_are_the_smaller_each_is(fusion):
    def side(made):
        return max(each.mask.any(axis=0).sum() for each in made.placed)

    rules = Rules(size=(0.6, 0.6), overlap=1.0, hidden=1.0)
    for made in draws(fusion, rules=rules, crowding=0.5, most=2):
        assert side(made) == pytest.approx(0.6 * SIZE / len(made.placed) ** 0.5, abs=2)


def test_masks_are_where_each_ones_colour_is(fusion):
    for made in draws(fusion):
        pixels = np.asarray(made.picture).astype(int)
        for mask, colour in zip(mask_stack(made, list(COLOURS)), COLOURS.values(), strict=True):
            wanted = np.asarray(Image.new("RGB", (1, 1), colour))[0, 0].astype(int)
            alike = np.abs(pixels - wanted).max(-1) < 8
            assert np.array_equal(alike, mask.numpy() > 0.97)


def test_strangers_are_named_by_class_and_are_nobodys(fusion):
    assert not any("a cat" in made.caption for made in draws(fusion))
    for made in draws(fusion, strangers=1.0):
        (stranger,) = [each for each in made.placed if each.name == ""]
        assert "a cat" in made.caption
        assert (mask_stack(made, list(COLOURS)).sum(0).numpy() * stranger.mask).max() < 1e-3


def test_sides_are_told_as_they_are(fusion):
    told = [made for made in draws(fusion, sided=1.0) if "on the left" in made.caption]
    assert told
    for made in told:
        left, _ = made.caption.split(" on the left")
        middles = {p.words: np.nonzero(p.mask > 0.5)[1].mean() for p in made.placed}
        assert left.endswith(min(middles, key=middles.__getitem__))
    assert not any("left" in made.caption for made in draws(fusion))


def test_things_stand_where_the_grounds_own_subjects_stood(fusion):
    ground = replace(bare(SIZE), feet=(0.8, 0.9))
    for made in draws(replace(fusion, grounds=[ground]), most=1, least=1.0):
        assert 0.79 * SIZE <= made.placed[0].box[3] <= 0.91 * SIZE


def test_a_part_of_a_ground_keeps_its_height():
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("black", (0, 80, 200, 100))
    for seed in range(8):
        made, (high, low) = backdrop(
            Ground(picture=picture, feet=(0.8, 1.0)), 50, 0.5, seeded(seed)
        )
        assert made.picture.size == (50, 50)
        black = np.asarray(made.picture.convert("L"))[:, 25] < 128
        first = int(black.argmax()) if black.any() else 50
        assert abs(high * 50 - first) <= 1
        assert high <= low <= 1


def test_a_ground_has_no_trace_of_its_subject_or_its_shadow():
    shot, masks = masked_photo(box=(38, 40, 52, 80))
    shot.picture.paste((90, 90, 90), (33, 77, 57, 82))  # a shadow on the ground
    shot.picture.paste("red", (38, 40, 52, 80))
    (ground,) = photographed([(shot, masks)], set(), SIZE)
    assert np.abs(np.asarray(ground.picture).astype(int) - 128).max() < 12
    assert ground.feet == pytest.approx((80 / 96 - 0.1, 80 / 96 + 0.1))


def test_a_photo_that_its_subjects_fill_is_no_ground():
    shot, masks = masked_photo(box=(2, 2, 94, 94))
    assert list(photographed([(shot, masks)], set(), SIZE)) == []


def test_a_background_concept_stays_and_is_named(fusion):
    shot, masks = masked_photo()
    shot = replace(shot, shows=("luna", "bay"))
    (ground,) = photographed([(shot, masks | {"bay": ~masks["luna"]})], {"bay"}, SIZE)
    assert (ground.name, ground.words) == ("bay", "in front of <bay>")
    (made,) = draws(replace(fusion, grounds=[ground]), count=1)
    assert made.placed[-1].name == "bay"
    assert made.caption.endswith("in front of <bay>")
    np.testing.assert_allclose(sum(each.mask for each in made.placed), 1, atol=1e-5)
    alone_there = replace(shot, shows=("bay",)), {"bay": np.ones((96, 96), dtype=bool)}
    (itself,) = photographed([alone_there], {"bay"}, SIZE)
    assert itself.picture == shot.picture


def test_everybody_is_cut_out_and_no_background():
    photos = [masked_photo("luna"), masked_photo("rex", source="rex/1.png")]
    shot, masks = photos[0]
    photos[0] = replace(shot, shows=("luna", "bay")), masks | {"bay": ~masks["luna"]}
    people = subjects(photos, {"bay"}, 0.35, SIZE)
    assert {name: len(own) for name, own in people.items()} == {"luna": 1, "rex": 1}
    assert people["rex"][0].words == "<rex>"


def test_who_would_only_be_enlarged_is_left_out_or_refused():
    small = masked_photo(box=(30, 40, 42, 52), source="luna/2.png")
    assert len(subjects([masked_photo(), small], set(), 0.35, SIZE)["luna"]) == 1
    with pytest.raises(UserError, match=r"luna has at most 12 pixels .*luna/2.png.* want 15"):
        subjects([small], set(), 0.35, SIZE)


def test_who_fills_a_photo_or_is_not_there_is_refused_by_its_name():
    shot, _ = masked_photo()
    with pytest.raises(UserError, match=r"covers 100% of luna/1.png.*hand mask"):
        subjects([(shot, {"luna": np.ones((96, 96), dtype=bool)})], set(), 0.35, SIZE)
    with pytest.raises(UserError, match=r"luna/1.png marks nothing: paint a hand mask"):
        subjects([(shot, {"luna": np.zeros((96, 96), dtype=bool)})], set(), 0.35, SIZE)


def test_photos_come_with_masks_on_either_side_and_concepts_equally_often():
    photos = [masked_photo("luna")] * 5 + [masked_photo("rex", source="rex/1.png")]
    draw = photo_draw(photos, ("a photo of {}",), SIZE, 0.8)
    made = [draw(seeded(seed)) for seed in range(60)]
    assert 20 <= sum(one.caption == "a photo of <rex>" for one in made) <= 40
    for one in made:
        (placed,) = one.placed
        grey = np.abs(np.asarray(one.picture).astype(int) - 128).max(-1) < 8
        assert not (grey & (placed.mask > 0.97)).any()
        assert grey[placed.mask < 0.01].mean() > 0.95  # Lanczos rings a little
    assert len({np.nonzero(one.placed[0].mask)[1].mean() > SIZE / 2 for one in made}) == 2


def test_of_an_oblong_photo_a_square_names_only_whom_it_shows():
    picture = Image.new("RGB", (2 * SIZE, SIZE), "gray")
    masks = {name: np.zeros((SIZE, 2 * SIZE), dtype=np.float32) for name in ("luna", "rex")}
    masks["luna"][20:40, :20] = masks["rex"][20:40, -20:] = 1
    shot = Shot(picture=picture, shows=("luna", "rex"), source="both.png")
    draw = photo_draw([(shot, masks)], ("a photo of {}",), SIZE, 0.9)
    for made in (draw(seeded(seed)) for seed in range(40)):
        assert made.placed, "a square that shows nobody teaches nothing"
        assert all(placed.mask.sum() >= 200 for placed in made.placed), "at least half of each"
        assert made.caption == f"a photo of {' and '.join(p.words for p in made.placed)}"


def test_either_by_its_share():
    for share, names in ((0.0, {"b"}), (1.0, {"a"}), (0.5, {"a", "b"})):
        draw = either(share, lambda g: "a", lambda g: "b")
        assert {draw(seeded(seed)) for seed in range(20)} == names


class Eye:
    """Sees as many things as a picture has red columns of squares."""

    name = "eye"

    def found(self, picture, noun):
        red = np.asarray(picture)[..., 0] > 128
        halves = [red & side for side in (columns(red, 0), columns(red, 1))]
        return [Candidate(mask=half, score=1.0) for half in halves if half.any()]


def columns(mask, half):
    side = np.zeros_like(mask)
    side[:, half * mask.shape[1] // 2 : (half + 1) * mask.shape[1] // 2] = True
    return side


def test_only_who_is_alone_can_be_a_stranger():
    one, two, none = (Image.new("RGB", (64, 64), "black") for _ in range(3))
    one.paste("red", (5, 20, 25, 50))
    two.paste("red", (5, 20, 60, 50))
    assert alone(Eye(), one, "cat").sum() == 20 * 30
    assert not alone(Eye(), two, "cat").any()
    assert not alone(Eye(), none, "cat").any()


def test_strangers_leave_their_places_behind(base, monkeypatch):
    drawing = plain(SIZE, "teal").picture
    drawing.paste("red", (5, 20, 25, 50))
    monkeypatch.setattr(base, "pictures", lambda latents: [drawing] * len(latents))
    where = asked({"cat"}, ("on the beach",))
    assert where == {"a cat on the beach": ("cat", "on the beach")}
    drawn = {"a cat on the beach": torch.zeros(1, *base.shape), "cat": torch.zeros(2, *base.shape)}
    told = where | {"cat": ("cat", "")}
    masks = found(base, drawn, {key: noun for key, (noun, _) in told.items()}, Eye())
    first, *others = strangers(base, drawn, told, masks)
    assert [len(others), others[0].place] == [2, ""]
    assert (first.cut(SIZE).name, first.cut(SIZE).words) == ("", "a cat")
    (ground,) = first.left(SIZE)
    assert ground.words == "on the beach"
    assert np.asarray(ground.picture)[..., 0].max() < 20


def test_backdrops_can_be_white():
    made, _ = backdrop(bare(SIZE), SIZE, 0.9, seeded())
    assert isinstance(made, Backdrop)
    assert np.asarray(made.picture).min() == 255
