import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import save_large, save_miniature, save_prudish, save_second
from PIL import Image
from worldly import save_worldly, with_pair

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.masks import Candidate
from groupshot.masks.segmenters import SEGMENTERS, Kind

QUICK = ["steps=2", "batch=1", "crops=1"]
"""Fields of a training that learns nothing, and soon."""


def save_picture(path: Path, *, size=(64, 64), colour: Any = "orange", **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def save_huge_png(path: Path) -> Path:
    """A PNG of 30,000 x 30,000 pixels: its header, and nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cast of two cats, as a person would lay it out."""
    for name in ("luna.cat", "rex.cat"):
        for number in (1, 2):
            save_picture(tmp_path / "cast" / name / f"{number}.jpg")
    return tmp_path / "cast"


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of a few thousand random weights."""
    return save_miniature(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def base(base_folder: Path) -> Base:
    """That base, loaded: it predicts noise. Whoever borrows it gives it back as it was."""
    return loaded(base_folder)


@pytest.fixture(scope="session")
def world_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base as small that knows all words of the world, and has a CLIP pair of its own."""
    return save_worldly(tmp_path_factory.mktemp("worldly"))


@pytest.fixture(scope="session")
def velocity_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Its sibling that predicts velocity, without any signal in the noisiest step; with a pair."""
    return loaded(with_pair(save_miniature(tmp_path_factory.mktemp("velocity"), "v_prediction")))


@pytest.fixture(scope="session")
def paired_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The first one with a CLIP pair of its own."""
    return loaded(with_pair(save_miniature(tmp_path_factory.mktemp("paired"))))


@pytest.fixture(scope="session")
def prudish_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The first one with a safety checker that withholds every picture."""
    return loaded(save_prudish(tmp_path_factory.mktemp("prudish")))


class Middle:
    """A segmenter that finds everything in the middle of a picture."""

    name = "middle"

    def found(self, picture: Image.Image, noun: str) -> list[Candidate]:
        mask = np.zeros(picture.size[::-1], dtype=bool)
        rows, columns = (slice(side // 4, -(side // 4)) for side in mask.shape)
        mask[rows, columns] = True
        return [Candidate(mask=mask, score=1.0)]


@pytest.fixture
def middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let methods find things with segmenter=middle, in pictures that show nothing."""
    monkeypatch.setitem(SEGMENTERS, "middle", Kind(load=lambda models, device: Middle()))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def second_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A Stable Diffusion 2.1 as small: velocity, linear projections, another padding."""
    return loaded(with_pair(save_second(tmp_path_factory.mktemp("second"))))


@pytest.fixture(scope="session")
def noise_second_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The same as 2.1-base is: it predicts noise."""
    return loaded(with_pair(save_second(tmp_path_factory.mktemp("noise-second"), "epsilon")))


@pytest.fixture(scope="session")
def large_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A Stable Diffusion XL as small: two text encoders."""
    return loaded(with_pair(save_large(tmp_path_factory.mktemp("large"))))


def loaded(folder: Path) -> Base:
    """A base that computes the same on every machine: nothing is chosen by timing."""
    base = Base.load(str(folder), device="cpu")
    base.precision = "fp32"
    return base


@pytest.fixture
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the world draw little to compare with: for tests of what becomes of scores."""
    monkeypatch.setattr("groupshot.scores.scenes.TRIES", 1)
    monkeypatch.setattr("groupshot.scores.sight.GLANCES", 2)
    monkeypatch.setattr("groupshot.scores.diversity.DRAWINGS", 2)


@pytest.fixture
def two_cats(tmp_path: Path) -> Cast:
    """Two cats that are told apart by their colours, two photos of each, masked by hand."""
    for name, colour in (("luna", "orange"), ("rex", "blue")):
        for number in (1, 2):
            photo = tmp_path / f"cats/{name}.cat/{number}.png"
            save_picture(photo, size=(64, 48), colour=colour)
            mask = Image.new("L", (64, 48))
            mask.paste(255, (16, 8, 48, 40))
            mask.save(photo.with_suffix(".mask.png"))
    return Cast.load(tmp_path / "cats")


@pytest.fixture
def groupshot(capsys):
    """Type a command; gives its exit code, stdout and stderr."""

    def typed(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:  # --help
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def mistaken(groupshot):
    """Type a mistake: exit code 2, nothing on stdout, one line on stderr, which is given."""

    def typed(*words: object) -> str:
        code, out, err = groupshot(*words)
        assert (code, out) == (2, "")
        assert err.startswith("groupshot: ")
        assert err.count("\n") == 1
        return err

    return typed


@pytest.fixture
def training(folder, base_folder, tmp_path) -> list[object]:
    """A command that trains for two steps into `run`."""
    words = ["--base", base_folder, "--method", "textual-inversion", "--out", tmp_path / "run"]
    return ["train", folder, *words, "--set", *QUICK]
