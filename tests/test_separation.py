"""Separation: who is refused because attention takes two for one."""

import pytest
import torch
from conftest import save_picture
from test_estep import LOOK

from groupshot import separation
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.estep import scenes
from groupshot.keep import Keep
from groupshot.separation import check_apart, likeness

ONE = torch.rand(3, 6, generator=torch.Generator().manual_seed(0))
OTHER = torch.rand(3, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def together(folder) -> Cast:
    """Two who are only seen together, in two photos, in one of them beside a third."""
    for number in (1, 2):
        save_picture(folder / f"both/{number}.png", size=(96, 48))
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {images: luna.cat/*}, ida: {}, otto: {}}\n"
        "together:\n- {image: both/1.png, shows: [ida, otto]}\n"
        "- {image: both/2.png, shows: [luna, otto, ida]}\n"
    )
    return Cast.load(folder)


def maps_of(scene, otto):
    """One attention for all but otto."""
    return torch.stack([otto if name == "otto" else ONE for name in scene.shows])[None]


def test_attention_that_is_only_stronger_is_alike(base, together, monkeypatch):
    *_, scene = scenes(base, together)
    for otto, least, most in ((3 * ONE**2, 0.999, 1.001), (OTHER, -0.7, 0.7)):
        maps = maps_of(scene, otto)
        monkeypatch.setattr(separation, "averaged", lambda *_, maps=maps: maps)
        found = likeness(base, scene, ("ida", "otto"), LOOK, torch.Generator())
        assert least < found < most


@pytest.mark.parametrize("apart", [(), ("both/1.png",), ("both/2.png",)])
def test_two_are_refused_where_no_photo_parts_them(base, together, tmp_path, monkeypatch, apart):
    def averaged(base, scene, look, generator):
        return maps_of(scene, OTHER if scene.photo in apart else ONE)

    monkeypatch.setattr(separation, "averaged", averaged)
    some, keep = scenes(base, together), Keep(tmp_path / "run/kept", 0)
    if apart:
        check_apart(base, together, some, LOOK, 0.95, keep)
        return
    with pytest.raises(UserError) as told:
        check_apart(base, together, some, LOOK, 0.95, keep)
    assert "takes ida and otto for one in every photo, as in both/1.png" in str(told.value)
    assert f"groupshot masks {tmp_path / 'run'} --out masks" in str(told.value)
    assert "`where: {ida: left}`" in str(told.value)
