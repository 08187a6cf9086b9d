"""Strips: the masks of a run, and how they came about from round to round."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.masks import Sighting
from groupshot.masks.rounds import remembered, rounds
from groupshot.overlays import TINTS, overlaid, painted
from groupshot.report import Row, sheet
from groupshot.runfolder import described, read

STRIP = "rounds.png"

MOST = 9
"""Rounds in a strip; of more, so many as far apart as they can be."""


def recalled(run: Path, out: Path) -> list[Sighting]:
    """Fill `out` with the masks that a run used last, as `overlaid` does, and with rounds.png.

    A UserError where the run has kept none, or its cast is no longer what it was.
    """
    record = read(run)
    cast = Cast.load(record["cast"]["folder"])
    if described(cast)["digest"] != record["cast"]["digest"]:
        raise UserError(f"{cast.folder} is not what {run} was trained on: put its photos back")
    files = rounds(run / "kept")
    if not files:
        raise UserError(f"{run} has kept no masks: its method, {record['method']}, finds none")
    last = max(files)
    source = f"{record['method']}, round {last}" if len(files) > 1 else record["method"]
    seen = overlaid(cast, remembered(cast, load_tensors(files[last])[0], source), out)
    if len(files) > 1:
        strip(cast, files).save(out / STRIP, optimize=True)
    return seen


def strip(cast: Cast, files: dict[int, Path]) -> Image.Image:
    """A row for each photo: itself, then its masks in the order of the rounds."""
    numbers = picked(list(files))
    found = [list(remembered(cast, load_tensors(files[n])[0], "")) for n in numbers]
    return sheet(list(rows(cast, numbers, found)))


def picked(numbers: Sequence[int]) -> list[int]:
    """At most MOST of them, the first and the last among them."""
    places = np.linspace(0, len(numbers) - 1, min(MOST, len(numbers))).round().astype(int)
    return [numbers[place] for place in places]


def rows(cast: Cast, numbers: Sequence[int], found: Sequence[Sequence[Sighting]]) -> Iterator[Row]:
    """The row of each photo."""
    tints = dict(zip(cast.names, cycle(TINTS), strict=False))
    captions = ["", *(f"round {number}" for number in numbers)]
    for each in zip(*found, strict=True):
        who = ", ".join(f"{name} ({tints[name]})" for name in each[0].masks)
        yield Row(
            heading=f"{each[0].photo}: {who}",
            pictures=[each[0].picture, *(painted(seen, tints) for seen in each)],
            captions=captions,
        )
