"""What stands in photos beside the picture is in nothing that is written."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from groupshot.cli import main

MAKER, WHO, COMMENT, COLOURS = "Nobody & Sons", "<who/>", "in my garden", "my camera's colours"
LATITUDE = (47.0, 31.0, 59.0)


@pytest.fixture
def told_cast(tmp_path) -> Path:
    """Two photos that say by what, where and of whom they were taken."""
    about = Image.Exif()
    about[Base.Make] = MAKER
    about.get_ifd(IFD.GPSInfo).update({1: "N", 2: LATITUDE})
    also: Any = {"exif": about, "xmp": WHO.encode(), "icc_profile": COLOURS.encode()}
    for name in ("luna", "rex"):
        photo = tmp_path / "cast" / f"{name}.cat" / "1.jpg"
        photo.parent.mkdir(parents=True)
        Image.new("RGB", (64, 64), "orange").save(photo, comment=COMMENT, **also)
    with Image.open(photo) as picture:
        assert picture.getexif().get_ifd(IFD.GPSInfo)[2] == LATITUDE
        assert picture.info.keys() >= {"exif", "xmp", "comment", "icc_profile"}
    return tmp_path / "cast"


def assert_silent(folder: Path) -> None:
    """No file in a folder says anything of that, nor has a picture anything beside it."""
    written = [file for file in folder.rglob("*") if file.is_file()]
    assert written
    for file in written:
        held = file.read_bytes()
        told = (MAKER, WHO, COMMENT, COLOURS, "Exif")
        assert not [each for each in told if each.encode() in held], file
        if file.suffix == ".png":
            with Image.open(file) as picture:
                assert not picture.info, file


@pytest.mark.usefixtures("middle")
def test_what_photos_say_of_place_and_camera_is_in_nothing_that_is_written(
    told_cast, paired_base, tmp_path
):
    few = ["--base", paired_base.source, "--set", "priors=1"]
    shown = ["masks", told_cast, "--segmenter", "middle", "--out"]
    learning = [*few, "steps=1", "batch=1", "crops=1"]
    for out, words in {
        "masks": [*shown, tmp_path / "masks"],
        "far": [*shown, tmp_path / "far", "--method", "far", *few],
        "run": ["train", told_cast, "--out", tmp_path / "run", "--method", "dreambooth", *learning],
        "out": ["export", tmp_path / "run", "--out", tmp_path / "out", "--format", "diffusers"],
    }.items():
        assert main([str(word) for word in words]) == 0
        assert_silent(tmp_path / out)
