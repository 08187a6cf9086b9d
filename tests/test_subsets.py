from collections import Counter

import numpy as np
import torch
from PIL import Image, ImageOps

from groupshot.samples import Shot, both_ways, crop_masks, subset, unions
from groupshot.samples.subsets import showing


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def halves():
    """A photo of two, one on the left (red) and one on the right (blue), and their masks."""
    picture = Image.new("RGB", (32, 32), "blue")
    picture.paste("red", (0, 0, 16, 32))
    luna = np.zeros((32, 32), bool)
    luna[:, :16] = True
    shot = Shot(picture=picture, shows=("luna", "rex"), source="both/1.png")
    return shot, {"luna": luna, "rex": (~luna).astype(np.float32)}


def test_every_size_of_subset_is_as_likely_and_every_order():
    drawn = [tuple(subset("abc", seeded(seed))) for seed in range(3000)]
    sizes = Counter(map(len, drawn))
    assert all(abs(sizes[k] - 1000) < 100 for k in (1, 2, 3))
    orders = Counter(each for each in drawn if len(each) == 2)
    assert len(orders) == 6 and all(abs(count - 167) < 50 for count in orders.values())


def test_masks_are_cropped_like_their_photos_as_means_over_area():
    _, masks = halves()
    boxes = torch.tensor([[[0, 0, 32, 32], [8, 0, 24, 16], [12, 0, 20, 8]]])
    small = crop_masks([masks], ["rex", "luna", "milo"], boxes, 4)
    assert small.shape == (1, 3, 3, 4, 4)
    row = torch.tensor([1.0, 1.0, 0.0, 0.0])
    for crop in range(3):
        torch.testing.assert_close(small[0, crop, 1], row.expand(4, 4))
        torch.testing.assert_close(small[0, crop, 0], 1 - row.expand(4, 4))
    assert not small[:, :, 2].any()
    (odd,) = crop_masks([masks], ["luna"], torch.tensor([[[0, 0, 32, 32]]]), 3)[0, 0]
    torch.testing.assert_close(odd[0], torch.tensor([1.0, 0.5, 0.0]))


def test_both_ways_hold_each_crop_and_its_mirror_image(base):
    shot, _ = halves()
    kept = both_ways(base, (shot,), 2, 1.0, seeded())
    assert kept["views"].shape == (1, 2, 2, 4, 8, 8)
    assert kept["boxes"].tolist() == [[[0, 0, 32, 32]] * 2]
    alike = both_ways(
        base, (Shot(picture=ImageOps.mirror(shot.picture), shows=(), source=""),), 1, 1, seeded()
    )
    torch.testing.assert_close(kept["views"][0, 0, 0], alike["views"][0, 0, 1])


def test_only_those_who_are_named_have_masks(base):
    shot, masks = halves()
    views = {
        "views": torch.arange(2.0).view(1, 1, 2, 1, 1, 1).expand(1, 1, 2, 4, 8, 8),
        "boxes": torch.tensor([[[0, 0, 32, 32]]]),
    }
    draw = unions(base, (shot,), views, [masks], 64)
    batch = draw(0, seeded())
    assert batch.names == ("luna", "rex")
    assert batch.masks.shape == (64, 2, 8, 8)
    left = torch.zeros(8, 8)
    left[:, :4] = 1
    said, sides = Counter(), Counter()
    for text, latent, (luna, rex) in zip(batch.captions, batch.latents, batch.masks, strict=True):
        mirrored = latent.mean() == 1
        here = left.flip(-1) if mirrored else left
        torch.testing.assert_close(luna, here if "<luna>" in text else 0 * here)
        torch.testing.assert_close(rex, 1 - here if "<rex>" in text else 0 * here)
        said[text] += 1
        sides[bool(mirrored)] += 1
    assert set(said) == {
        "a photo of <luna>",
        "a photo of <rex>",
        "a photo of <luna> and <rex>",
        "a photo of <rex> and <luna>",
    }
    assert min(said.values()) > 6 and min(sides.values()) > 20
    again = draw(0, seeded())
    torch.testing.assert_close(batch.masks, again.masks, rtol=0, atol=0)
    assert batch.captions == again.captions


def edges(width):
    """Masks in a photo 32 high, of one at its left edge, one at its right and the sea behind."""
    masks = {name: np.zeros((32, width), bool) for name in ("luna", "rex", "sea")}
    masks["luna"][:, :8] = masks["rex"][:, -8:] = True
    masks["sea"] = ~(masks["luna"] | masks["rex"])
    return masks


def test_only_those_are_named_whom_a_crop_of_an_oblong_photo_shows(base):
    masks = {name: edges(64)[name] for name in ("luna", "rex")}
    shot = Shot(picture=Image.new("RGB", (64, 32)), shows=("luna", "rex"), source="both/1.png")
    boxes = [[0, 0, 32, 32], [3, 0, 35, 32], [5, 0, 37, 32], [30, 0, 62, 32]]
    views = {
        "views": torch.arange(4.0).view(1, 4, 1, 1, 1, 1).expand(1, 4, 2, 4, 8, 8),
        "boxes": torch.tensor([boxes]),
    }
    batch = unions(base, (shot,), views, [masks], 64)(0, seeded())
    whom = {0: "luna", 1: "luna", 3: "rex"}
    said = Counter(
        (whom[int(latent.mean())], text)
        for latent, text in zip(batch.latents, batch.captions, strict=True)
    )
    assert set(said) == {("luna", "a photo of <luna>"), ("rex", "a photo of <rex>")}
    assert batch.masks.flatten(1).any(1).all()


def test_a_background_is_shown_by_what_it_fills_of_a_crop():
    boxes = torch.tensor([(0, 0, 32, 32), (16, 0, 48, 32)])
    names = ("luna", "rex", "sea")
    assert showing(names, edges(64), boxes) == {0: ["luna", "sea"], 1: ["sea"]}


def test_where_no_crop_shows_anybody_there_is_the_one_that_shows_most():
    boxes = torch.tensor([(5, 0, 37, 32), (6, 0, 38, 32), (16, 0, 48, 32)])
    assert showing(("luna", "rex"), edges(64), boxes) == {0: ["luna"]}


def test_a_square_photo_is_all_in_each_of_its_crops():
    boxes = torch.tensor([(8, 0, 24, 16), (0, 0, 16, 16)])
    names = ["luna", "rex", "sea"]
    assert showing(names, edges(32), boxes) == {0: names, 1: names}
