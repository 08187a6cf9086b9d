"""benchmarks.seams: pasted rims are seen, and what only stands there is not."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from groupshot.base import Base
from groupshot.benchmarks.seams import drawn, known, rim
from groupshot.toybox import world
from groupshot.toybox.reader import Reader


def disc(radius: float) -> np.ndarray:
    """A disc in the middle of 64×64 pixels."""
    y, x = np.mgrid[:64, :64] - 32
    return x**2 + y**2 < radius**2


def halo(pixels: int) -> np.ndarray:
    """A red disc on grey, with a white rim of so many pixels."""
    colours = np.full((64, 64, 3), 0.5)
    colours[disc(15 + pixels)] = 1.0
    colours[disc(15)] = (1.0, 0.0, 0.0)
    return colours


def test_a_rim_is_what_differs_around_someone() -> None:
    assert rim(halo(0), disc(15)) == 0.0
    assert rim(halo(4), disc(15)) == pytest.approx(127.5)


def test_whoever_fills_the_picture_has_no_rim() -> None:
    assert rim(halo(0), np.ones((64, 64), bool)) is None


def test_nobody_has_none() -> None:
    assert rim(halo(0), np.zeros((64, 64), bool)) is None


def test_pastes_too_large_are_seen() -> None:
    found = {name: fmean(each) for name, each in known(8, Base.load(), Reader.load("segmenter"))}
    assert found["2 pixels too large"] > 1.4 * found["drawn there"]
    assert found["as far pastes"] < 1.2 * found["drawn there"]


def test_methods_are_compared_on_the_casts_of_all(tmp_path: Path) -> None:
    photo = Image.fromarray(world.draw(world.staged(*staged())).image)
    for cell in ("far/0-0-2", "far/1-0-2", "words/1-0-2"):
        folder = tmp_path / cell
        folder.mkdir(parents=True)
        photo.save(folder / "000.webp")
    found = dict(drawn(tmp_path, ["far", "words"], Reader.load("segmenter")))
    assert {name: len(each) for name, each in found.items()} == {"far": 1, "words": 1}


def staged() -> tuple[np.random.Generator, list[world.Identity]]:
    """Someone new."""
    rng = np.random.default_rng(0)
    return rng, [world.identity(rng, "cast")]
