import json
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_fusion import cutout
from test_methods import quick

from groupshot.cli import main
from groupshot.clip import clips_of
from groupshot.files import load_tensors
from groupshot.keep import Keep
from groupshot.previews import COLUMNS, PALE, of_collages, of_fusion, painted, shown
from groupshot.report import CELL
from groupshot.run import Run
from groupshot.samples import Collage, Pieces, seen_as
from groupshot.samples.fusion import Fusion, Mixture
from groupshot.samples.grounds import bare
from groupshot.samples.spots import Rules


@pytest.fixture
def fusion():
    return Fusion(
        subjects={"luna": [cutout("luna", "red")] * 8},
        strangers=[cutout("", "black", "a cat")],
        grounds=[bare(64)],
        templates=("a photo of {}",),
        mixture=Mixture(rules=Rules(), crowding=0.0, most=1, strangers=0.0, sided=0.0, least=1.0),
        size=64,
    )


def test_everything_that_goes_in_is_shown_and_then_what_comes_out(fusion):
    page = list(of_fusion(fusion))
    assert [row.heading for row in page[:5]] == [
        "luna, cut out",
        "",
        "others of their classes, drawn by the base",
        "places",
        "composites",
    ]
    assert [len(row.pictures) for row in page[:3]] == [6, 2, 1]
    captions = [text for row in page for text in row.captions]
    assert captions and set(captions) == {"a photo of <luna>"}


def test_a_cut_out_is_shown_on_squares():
    thing = cutout("luna", (255, 0, 0, 0))
    greys = np.unique(np.asarray(shown(thing).convert("L")))
    assert len(greys) == 2 and greys.max() == PALE


def test_the_boxes_are_where_the_picture_shows_them(fusion):
    made = next(iter(of_fusion(fusion)))
    assert all(max(picture.size) <= 64 for picture in made.pictures)
    one = fusion.draw(torch.Generator().manual_seed(0))
    page = painted(one)
    left, top, *_ = (side * page.width // 64 for side in one.placed[0].box)
    assert page.getpixel((left + 1, top + 1)) == (230, 60, 60)


def test_cut_outs_are_shown_with_what_they_are_called_and_then_collages_of_each_kind():
    hats = [cutout("luna", "red", "<luna>'s hat")] * 3
    pieces = Pieces(
        wholes={"luna": [cutout("luna", "red", "<luna>")] * 2},
        parts={"luna": hats},
        common={"dog": [cutout("", "black", "a dog")] * 2, "cat": [cutout("", "blue", "a cat")]},
    )
    made = [
        Collage(kind=kind, picture=Image.new("RGB", (64, 64)), phrase=f"{kind} {i}")
        for kind in ("global", "mix")
        for i in range(COLUMNS + 1)
    ]
    page = list(of_collages(pieces, made))
    assert [(row.heading, list(row.captions)[:2]) for row in page] == [
        ("luna, cut out", ["<luna>", "<luna>"]),
        ("luna, 3 parts", ["<luna>'s hat"]),
        ("3 common things, drawn by the base", ["a dog", "a cat"]),
        ("global: 7 collages", ["global 0", "global 1"]),
        ("", ["global 6"]),
        ("mix: 7 collages", ["mix 0", "mix 1"]),
        ("", ["mix 6"]),
    ]


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize(
    ("name", "said"),
    [("composites", ["far", "--set", "priors=2"]), ("collages", ["clif", "--set", "collages=6"])],
)
def test_the_command_shows_what_would_be_learned_from(
    paired_base, two_cats, tmp_path, capsys, name, said
):
    out = tmp_path / "out"
    words = ["masks", str(two_cats.folder), "--segmenter", "middle", "--json", "--method", *said]
    assert main([*words, "--base", paired_base.source, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)[name] == str(out / f"{name}.png")
    with Image.open(out / f"{name}.png") as page:
        assert page.width > 2 * CELL
    made = sorted(each.name for each in out.iterdir())
    assert made == [f"{name}.png", "masks", "overlays", "sheet.png"]


@pytest.mark.usefixtures("middle")
def test_the_collages_shown_are_those_that_a_run_learns_from(paired_base, two_cats, tmp_path):
    method: Any = quick("clif")
    run = Run(two_cats, base=paired_base, method=method, out=tmp_path / "run", seed=0)
    list(islice(run, 1))
    learned = load_tensors(tmp_path / "run/kept/collages.safetensors")[0]
    _, made = method.collaged(paired_base, two_cats, Keep(tmp_path / "kept", seed=0))
    features = clips_of(paired_base)[0].seen([each.picture for each in made])
    torch.testing.assert_close(seen_as(made, features), learned)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "dreambooth"], "dreambooth makes no pictures"),
        (["--method", "fra"], "there is no method 'fra': try far"),
        (["--method", "far", "--set", "strangrs=1"], "try strangers"),
    ],
)
def test_mistakes_leave_nothing(two_cats, tmp_path, capsys, words, says):
    assert main(["masks", str(two_cats.folder), "--out", str(tmp_path / "out"), *words]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
