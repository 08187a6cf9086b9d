"""What a run took to be each concept, to look at."""

import json

import numpy as np
import pytest
import torch
from conftest import save_picture
from PIL import Image

from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.files import save_json, save_tensors
from groupshot.overlays import TINTS
from groupshot.report import CELL, GAP
from groupshot.runfolder import described
from groupshot.strips import MOST, picked, strip


@pytest.fixture
def run(folder, tmp_path):
    """A run that has found masks in three rounds, not finished yet; photos are twice as large."""
    for name in ("luna.cat", "rex.cat"):
        save_picture(folder / name / "1.jpg", size=(128, 128), colour="grey")
    cast = Cast.load(folder)
    run = tmp_path / "run"
    save_json(run / "run.json", {"method": "concept-driven", "cast": described(cast)})
    for number in (0, 1, 10):
        mask = torch.zeros(64, 64, dtype=torch.bool)
        mask[:, : 16 + 3 * number] = True
        keys = [f"{name}.cat/{i}.jpg:{name}" for name in ("luna", "rex") for i in (1, 2)]
        masks = {key: mask.clone() for key in keys}
        save_tensors(run / f"kept/masks-{number}.safetensors", masks)
    save_tensors(run / "kept/crops.safetensors", {"views": torch.zeros(1)})
    return run


def test_the_last_masks_are_written_at_the_size_of_their_photos(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["masks", str(run), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    first = {"share": round(46 / 64, 4), "source": "concept-driven, round 10"}
    assert said["photos"][0] == {"photo": "luna.cat/1.jpg", "concepts": {"luna": first}}
    mask = np.asarray(Image.open(out / "masks/luna.cat/1.mask.png"))
    assert mask.shape == (128, 128) and mask[:, :92].all() and not mask[:, 92:].any()
    assert (out / "overlays/rex.cat/2.jpg.png").is_file()
    assert (out / "rounds.png").is_file()


def test_a_strip_shows_each_mask_over_the_rounds(run, folder):
    files = {n: run / f"kept/masks-{n}.safetensors" for n in (0, 1, 10)}
    page = np.asarray(strip(Cast.load(folder), files)).astype(int)
    assert page.shape[1] == GAP + 4 * (CELL + GAP)
    middle = page[page.shape[0] // 8]
    tinted = np.abs(middle - (0.6 * 128 + 0.4 * np.array(TINTS["orange"]))).max(1) < 3
    wide = [
        int(tinted[GAP + i * (CELL + GAP) :][:CELL].sum()) / CELL for i in range(4)
    ]  # the photo itself has no tint
    assert wide[0] == 0
    assert wide[1:] == pytest.approx([16 / 64, 19 / 64, 46 / 64], abs=0.03)


def test_of_many_rounds_the_first_the_last_and_some_between_are_shown():
    numbers = picked(range(40))
    assert len(numbers) == MOST and numbers[0] == 0 and numbers[-1] == 39
    assert picked([0, 3]) == [0, 3]


def test_a_run_without_masks_or_without_its_photos(run, folder, tmp_path, capsys):
    out = tmp_path / "out"
    save_picture(folder / "rex.cat" / "2.jpg", colour="red")
    assert main(["masks", str(run), "--out", str(out)]) == 2
    assert "is not what" in capsys.readouterr().err
    save_json(run / "run.json", {"method": "dreambooth", "cast": described(Cast.load(folder))})
    for file in (run / "kept").glob("masks*"):
        file.unlink()
    assert main(["masks", str(run), "--out", str(out)]) == 2
    assert "has kept no masks" in capsys.readouterr().err
    assert not out.exists()
