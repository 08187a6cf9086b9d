"""results.jsonl: a line for each finished cell; what was cut short is as if it were not there."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from groupshot.bench.cells import Line

FILE = "results.jsonl"

KEYS = (
    *("suite", "method", "fields", "cast", "seed"),
    *("present", "identity", "mixed", "all_right", "missing", "prompt", "prior", "diversity"),
    *("mask_iou", "clip_t", "clip_i", "steps", "seconds", "peak_mb"),
)
"""What checks from outside rely on."""
BESIDE = (
    *("concepts", "variant", "pictures", "attributes", "degrees", "asked"),
    *("settings", "base", "amount", "precision", "all_seconds", "jobs"),
)
"""What stands behind: more about the cell, the scores apart, the method's fields, typed or not,
the terms, the time in all, and how many cells were made at once."""


def read(file: Path) -> list[Line]:
    """All whole lines, from the first to the last."""
    return list(whole(file.read_text(encoding="utf-8", errors="replace"))) if file.is_file() else []


def whole(text: str) -> Iterator[Line]:
    """The lines that are JSON objects with every key."""
    for row in text.splitlines():
        try:
            line = json.loads(row)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and {*KEYS, *BESIDE} <= line.keys():
            yield line


def append(file: Path, line: Line) -> None:
    """Add a line, on a new row even where the one before was cut short, and see it on the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as opened:
        opened.seek(0, os.SEEK_END)
        if opened.tell():
            opened.seek(-1, os.SEEK_END)
            torn = opened.read(1) != b"\n"
            opened.write(b"\n" if torn else b"")
        opened.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
