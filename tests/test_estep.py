"""The E-step: attention averaged, weighed by hints, made masks, and cheap."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from conftest import loaded, save_picture

from groupshot.attention import positions, recorded
from groupshot.basefolder import TOYBOX
from groupshot.bench.suites import SUITES, cast_in
from groupshot.cast import Cast
from groupshot.estep import (
    Look,
    alone,
    averaged,
    enlarged,
    estimated,
    found,
    parted,
    portions,
    pyramid,
    scenes,
    seen,
    sided,
)
from groupshot.keep import Keep
from groupshot.masks import RULES, refined
from groupshot.methods import ConceptDrivenEM
from groupshot.samples import nouns
from groupshot.scores.masks import overlap, true_mask
from groupshot.weights import tokens

LOOK = Look(
    timesteps=4,
    resolutions=(4,),
    places=("mid", "up"),
    peak=1.0,
    balance=False,
    rule=RULES["otsu"],
    leftover=False,
    settle=refined,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def both(folder) -> Cast:
    """Two cats in one oblong photo, one said to be on the left."""
    save_picture(folder / "both" / "1.png", size=(96, 48))
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat}, rex: {class: cat}, bay: {class: beach, kind: background}}\n"
        "together: [{image: both/1.png, shows: [bay, rex, luna], where: {luna: left, rex: right}}]"
    )
    return Cast.load(folder)


@pytest.fixture
def borrowed(base, both):
    """The base with the concepts' words."""
    with base.borrowed():
        tokens(base, dict.fromkeys(both.names, "cat"), 1, seeded())
        yield base


def test_a_photo_is_seen_whole_and_as_large_as_the_base_is_used_to(borrowed, both):
    *_, scene = scenes(borrowed, both)
    assert scene.photo == "both/1.png"
    assert scene.shows == ("luna", "bay", "rex")
    assert scene.things == (True, False, True)
    assert scene.image.shape == (1, 3, 48, 96)
    assert scene.latent.shape[2:] == (6, 11)  # 64 cells in 1 : 2


def test_attention_is_the_mean_of_timesteps_and_the_pass_is_left_early(borrowed, both):
    *_, scene = scenes(borrowed, both)
    caption = ["a photo of <luna> and <bay> and <rex>"] * 4
    where = positions(borrowed, caption, ["<luna>", "<bay>", "<rex>"])
    passes: list[int] = []
    hook = borrowed.unet.conv_out.register_forward_hook(lambda *_: passes.append(1))
    maps = averaged(borrowed, scene, LOOK, seeded(3))
    assert not passes
    with hook, torch.no_grad(), recorded(borrowed, (4,), LOOK.places) as record:
        borrowed.guessed(scene.latent.expand(4, -1, -1, -1), borrowed.text(caption), seeded(3))
        whole = pyramid(record, where, (4,)).mean(0, keepdim=True)
    assert passes
    torch.testing.assert_close(maps, whole)
    assert maps.shape == (1, 3, 3, 6)


def test_portions_make_up_the_whole():
    assert list(portions(23, 10)) == [10, 10, 3]


def test_sides_are_those_of_the_others(borrowed, both):
    *_, scene = scenes(borrowed, both)
    maps = torch.zeros(1, 3, 4, 20)
    maps[..., 10:] = 1  # both cats are in the right half: its middle parts them
    weighed = sided(maps, scene)
    torch.testing.assert_close(weighed[0, 1], maps[0, 1])
    assert weighed[0, 0, 0, 10] > 0.95 and weighed[0, 0, 0, -1] < 0.05
    assert weighed[0, 2, 0, 10] < 0.05 and weighed[0, 2, 0, -1] > 0.95
    torch.testing.assert_close(sided(maps, replace(scene, where={})), maps)


def test_things_share_a_photo_and_leave_its_background(borrowed, both):
    *_, scene = scenes(borrowed, both)
    maps = torch.zeros(1, 3, 1, 4)
    maps[0, 0, 0] = torch.tensor([1.0, 0.8, 0.0, 0.0])  # luna
    maps[0, 1, 0] = torch.tensor([0.9, 1.0, 0.9, 0.9])  # the bay, looked for everywhere
    maps[0, 2, 0] = torch.tensor([0.3, 0.4, 0.0, 0.0])  # rex, who loses to luna everywhere
    soft = replace(LOOK, rule=RULES["soft"])
    assert parted(maps, scene, soft).argmax(1).tolist() == [[[0, 1, 1, 1]]]
    fair = parted(maps, scene, replace(soft, balance=True, leftover=True))
    assert fair.argmax(1).tolist() == [[[0, 2, 1, 1]]]
    torch.testing.assert_close(fair[0, 1], 1 - fair[0, [0, 2]].amax(0))


def test_maps_are_cut_off_before_anything_is_made_of_them(borrowed, both):
    *_, scene = scenes(borrowed, both)
    maps = torch.zeros(1, 3, 1, 5)
    maps[0, 0, 0] = torch.tensor([1.0, 0.4, 0.4, 0.0, 0.0])
    before = maps.clone()
    for balance in (True, False):
        look = replace(LOOK, peak=0.75, rule=RULES["soft"], balance=balance)
        assert (parted(maps, scene, look)[0, 0] >= 0.5).sum() == 3
    torch.testing.assert_close(maps, before)


def test_a_background_that_things_leave_nothing_has_its_own_attention(borrowed, both):
    *_, scene = scenes(borrowed, both)
    look = replace(LOOK, rule=RULES["soft"], leftover=True)
    maps = torch.ones(1, 3, 1, 4)
    torch.testing.assert_close(parted(maps, scene, look), maps)


def test_of_two_backgrounds_each_has_its_own_attention(borrowed, both):
    *_, scene = scenes(borrowed, both)
    maps = torch.rand(1, 3, 4, 8, generator=seeded())
    look = replace(LOOK, rule=RULES["soft"], balance=True, leftover=True)
    several = replace(scene, things=(True, False, False))
    torch.testing.assert_close(parted(maps, several, look), RULES["soft"](maps))


def test_masks_have_the_size_of_the_photo_and_are_repeated_by_their_seed(borrowed, both):
    some = scenes(borrowed, both)
    one, again = (estimated(borrowed, some, LOOK, seeded(1)) for _ in "ab")
    assert set(one) == {f"both/1.png:{name}" for name in ("luna", "bay", "rex")}
    assert all(mask.shape == (48, 96) and mask.dtype == torch.bool for mask in one.values())
    assert all(torch.equal(mask, again[key]) for key, mask in one.items())


def test_whom_the_crf_leaves_nothing_keeps_what_they_had(borrowed, both):
    *_, scene = scenes(borrowed, both)

    def nothing(masks, images):
        return 0 * enlarged(masks, images)

    left = torch.zeros(1, 3, 3, 6)
    left[:, 0, :, :3], left[:, 1:, :, 3:] = 1, 1
    look = replace(LOOK, rule=lambda maps: left, settle=nothing)
    luna, bay, rex = found(borrowed, scene, look, seeded())
    assert luna.float().mean() == 0.5
    assert not bay.any() and not rex.any()  # nothing tells them apart


def test_on_the_toybox_it_finds_out_who_is_where(tmp_path):
    base, method = loaded(TOYBOX), ConceptDrivenEM()
    cast = cast_in(tmp_path / "cast", SUITES["entangled"].troupe(1002, 2), False)
    cast = replace(cast, together=cast.together[:3])
    shares = {}
    with base.borrowed():
        method.rows(base, nouns(cast), Keep(tmp_path, 0))
        some = method.scenes(base, cast)
        for balance in (True, False):
            masks = estimated(base, some, replace(method.look, balance=balance), seeded())
            shares[balance] = fmean(
                overlap(mask, true)
                for key, mask in masks.items()
                if (true := true_mask(cast.folder, *key.rsplit(":", 1))) is not None
            )
    assert shares[True] >= 0.6
    assert shares[True] > shares[False] + 0.05


def test_only_masks_of_one_s_own_count():
    half, none = np.arange(1000).reshape(20, 50) < 500, np.zeros((20, 50), bool)
    assert seen({"luna": half, "rex": ~half, "milo": half, "otto": none}) == ("luna", "rex")
    masks = torch.from_numpy(np.stack([half, ~half, half]))
    assert [alone(masks, i) for i in range(3)] == [False, True, False]
