import json

import numpy as np
import pytest
from conftest import save_picture
from PIL import Image

from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.masks import Sighting, sightings
from groupshot.masks import toybox as toybox_module
from groupshot.overlays import SIDE, TINTS, overlaid, painted

LEFT, RIGHT = (0, 0, 16, 64), (40, 0, 64, 64)


def save_mask(path, box):
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, box)
    mask.save(path)


@pytest.fixture
def painted_cast(folder):
    """Both cats with hand masks, alone and together."""
    for name in ("luna.cat", "rex.cat"):
        for number in (1, 2):
            save_mask(folder / name / f"{number}.mask.png", LEFT)
    save_picture(folder / "both" / "1.jpg", colour="grey")
    save_mask(folder / "both" / "1.luna.mask.png", LEFT)
    save_mask(folder / "both" / "1.rex.mask.png", RIGHT)
    (folder / "cast.yaml").write_text("together: [{image: both/1.jpg, shows: [luna, rex]}]")
    return folder


@pytest.fixture
def together(painted_cast) -> Sighting:
    *_, last = sightings(Cast.load(painted_cast))
    return last


def test_tint_contour_and_rest(together):
    page = np.asarray(painted(together, {"luna": "orange", "rex": "blue"})).astype(int)
    assert tuple(page[5, 15]) == TINTS["orange"]  # at luna's edge
    assert tuple(page[5, 40]) == TINTS["blue"]
    grey, tint = np.array([128] * 3), np.array(TINTS["orange"])
    assert np.abs(page[5, 8] - (0.6 * grey + 0.4 * tint)).max() <= 1
    assert np.abs(page[5, 30] - (0.4 * grey + 0.6 * 255)).max() <= 1


def test_large_photos_are_shown_smaller(together):
    large = together.picture.resize((4 * SIDE, 2 * SIDE))
    masks = {"luna": np.ones((2 * SIDE, 4 * SIDE), dtype=bool)}
    seen = Sighting(
        path=together.path,
        photo=together.photo,
        picture=large,
        masks=masks,
        sources={"luna": "hand mask"},
        files=together.files,
    )
    assert painted(seen, {"luna": "orange"}).size == (SIDE, SIDE // 2)


def test_what_is_written(painted_cast, tmp_path):
    cast = Cast.load(painted_cast)
    overlaid(cast, sightings(cast), tmp_path)
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.png")} - {
        file.relative_to(tmp_path).as_posix() for file in painted_cast.rglob("*.png")
    }
    alone = [f"{name}.cat/{number}" for name in ("luna", "rex") for number in (1, 2)]
    assert {
        "sheet.png",
        "overlays/both/1.jpg.png",
        "masks/both/1.luna.mask.png",
        "masks/both/1.rex.mask.png",
        *(f"overlays/{photo}.jpg.png" for photo in alone),
        *(f"masks/{photo}.mask.png" for photo in alone),
    } <= files


def test_a_written_mask_can_be_laid_into_the_cast(painted_cast, tmp_path):
    before = list(sightings(Cast.load(painted_cast)))
    overlaid(Cast.load(painted_cast), before, tmp_path / "out")
    for mask in painted_cast.rglob("*.mask.png"):
        mask.unlink()
    for mask in (tmp_path / "out" / "masks").rglob("*.png"):
        mask.rename(painted_cast / mask.relative_to(tmp_path / "out" / "masks"))
    for one, other in zip(before, sightings(Cast.load(painted_cast)), strict=True):
        assert all((other.masks[name] == mask).all() for name, mask in one.masks.items())


def test_the_command_says_what_is_covered(painted_cast, tmp_path, capsys):
    assert main(["masks", str(painted_cast), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "both/1.jpg  luna 25% (hand mask)  rex 38% (hand mask)" in out
    assert (tmp_path / "out" / "sheet.png").is_file()


def test_the_command_for_programs(painted_cast, tmp_path, capsys):
    assert main(["masks", str(painted_cast), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sheet"] == str(tmp_path / "out" / "sheet.png")
    *_, last = said["photos"]
    assert last["photo"] == "both/1.jpg"
    assert last["concepts"]["rex"] == {"share": 0.375, "source": "hand mask"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "is not in this installation"),
        (["--segmenter", "toyboks"], "try toybox"),
        (["--segmenter", "clipseg=nowhere"], "there is no model nowhere"),
    ],
)
def test_mistakes_leave_nothing(folder, tmp_path, capsys, monkeypatch, words, says):
    monkeypatch.setattr(toybox_module, "HERE", tmp_path)
    assert main(["masks", str(folder), "--out", str(tmp_path / "out"), *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("groupshot: ")
    assert said.err.count("\n") == 1
    assert says in said.err
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_folder_with_something_in_it_is_refused(painted_cast, capsys):
    assert main(["masks", str(painted_cast), "--out", str(painted_cast)]) == 2
    assert "is not empty" in capsys.readouterr().err
