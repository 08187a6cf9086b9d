import shutil
from typing import NamedTuple

import pytest

from groupshot.errors import UserError
from groupshot.folders import check_free, check_writable, filled


class Disk(NamedTuple):
    free: int


def test_a_filled_folder_takes_the_place_of_the_old(tmp_path):
    out = tmp_path / "a" / "out"
    for word in ("old", "new"):
        with filled(out) as folder:
            (folder / word).touch()
    assert [each.name for each in out.iterdir()] == ["new"]
    assert [each.name for each in out.parent.iterdir()] == ["out"]


def test_nothing_is_left_half_written(tmp_path):
    with pytest.raises(KeyboardInterrupt), filled(tmp_path / "out") as folder:
        (folder / "picture").touch()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_taken_folder_is_refused(tmp_path):
    check_free(tmp_path)
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match="is not empty"):
        check_free(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file"):
        check_writable(tmp_path / "file" / "run")


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free=0))
    with pytest.raises(UserError, match="is full"):
        check_writable(tmp_path / "out")


def test_a_folder_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # for root everything is writable
    with pytest.raises(UserError, match="cannot be written to"):
        check_writable(tmp_path / "out")
