"""Folders that a command writes to: refused before any work, and whole or not there."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from groupshot.errors import UserError

ROOM = 64 * 2**20
"""Bytes that must be free where a result is to be written."""


def check_free(out: Path) -> None:
    """Refuse a folder that has something in it already, or that could not be written to."""
    check_writable(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty: give another --out, or empty it")


def check_writable(out: Path, option: str = "--out") -> None:
    """Refuse a place where no folder can be made, or where the disk is full; `option` named it."""
    parent = out
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise UserError(f"{parent} is a file: give an {option} that is a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"{parent} cannot be written to: give another {option}, or change its rights"
        )
    if shutil.disk_usage(parent).free < ROOM:
        raise UserError(f"the disk of {parent} is full: free some space, or give another {option}")


@contextmanager
def filled(out: Path) -> Generator[Path]:
    """A hidden folder beside `out` that takes its place if the block ends well, or vanishes."""
    check_writable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as draft:
        inside = Path(draft) / "new"
        inside.mkdir()
        yield inside
        if out.exists():
            os.replace(out, Path(draft) / "old")
        os.replace(inside, out)
