import json

import numpy as np
import pytest
import torch
from PIL import Image
from test_fusion import cutout

from groupshot.cli import main
from groupshot.previews import PALE, painted, rows, shown
from groupshot.report import CELL
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
    page = list(rows(fusion))
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
    made = next(iter(rows(fusion)))
    assert all(max(picture.size) <= 64 for picture in made.pictures)
    one = fusion.draw(torch.Generator().manual_seed(0))
    page = painted(one)
    left, top, *_ = (side * page.width // 64 for side in one.placed[0].box)
    assert page.getpixel((left + 1, top + 1)) == (230, 60, 60)


@pytest.mark.usefixtures("middle")
def test_the_command_shows_composites(base_folder, two_cats, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["masks", str(two_cats.folder), "--method", "far", "--segmenter", "middle"]
    fields = ["--set", "priors=2"]
    assert main([*words, "--base", str(base_folder), "--out", str(out), "--json", *fields]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["composites"] == str(out / "composites.png")
    with Image.open(out / "composites.png") as page:
        assert page.width > 2 * CELL
    assert sorted(each.name for each in out.iterdir()) == [
        "composites.png",
        "masks",
        "overlays",
        "sheet.png",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "dreambooth"], "dreambooth makes no composites"),
        (["--method", "fra"], "there is no method 'fra': try far"),
        (["--method", "far", "--set", "strangrs=1"], "try strangers"),
    ],
)
def test_mistakes_leave_nothing(two_cats, tmp_path, capsys, words, says):
    assert main(["masks", str(two_cats.folder), "--out", str(tmp_path / "out"), *words]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
