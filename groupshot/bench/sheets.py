"""Sheets: who was learned, and below them what every contender made of the same prompts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from PIL import Image

from groupshot.bench.cells import Cell, Line
from groupshot.bench.gallery import photos, place, shown
from groupshot.bench.rows import PICTURES
from groupshot.bench.sections import by_label
from groupshot.files import load_json
from groupshot.report import Row, sheet

Casts = Mapping[tuple[int, int], Cell]
"""A cell for each cast, by which and how large it is."""

NOTHING = Image.new("RGB", (1, 1), "white")
"""Where there is no picture."""


def contact_sheet(lines: Sequence[Line], out: Path) -> Image.Image | None:
    """A column for each cast, a row for each contender: the first picture, none is chosen.

    Above them a photo of everyone who was learned, and the prompt. Casts are those of which most
    contenders have pictures in `out`; None where nobody has.
    """
    cells = [cell for cell in shown(lines, out) if cell.seed == 0]
    if not cells:
        return None
    made = Counter(map(place, cells))
    casts = {place(cell): cell for cell in cells if made[place(cell)] == max(made.values())}
    return sheet([*learned_from(casts, out), *drawn(by_label(lines), cells, casts, out)])


def learned_from(casts: Casts, out: Path) -> Iterator[Row]:
    """A photo of everyone in each cast, and below the last what was asked for."""
    firsts = [[own[0] for own in photos(cell, out).values()] for cell in casts.values()]
    people = list(zip_longest(*firsts))
    prompts = [first(cell, out)["prompt"] for cell in casts.values()]
    for i, files in enumerate(people, start=1):
        yield Row(
            heading="learned from photos such as" if i == 1 else "",
            pictures=[Image.open(file) if file else NOTHING for file in files],
            captions=prompts if i == len(people) else (),
        )


def drawn(
    labels: Mapping[str, Sequence[Line]], cells: Sequence[Cell], casts: Casts, out: Path
) -> Iterator[Row]:
    """What each contender made of the casts, in the order of the tables."""
    for label in labels:
        own = {place(cell): cell for cell in cells if cell.contender.label == label}
        if casts.keys() & own:
            yield Row(
                heading=label,
                pictures=[picture(own[each], out) if each in own else NOTHING for each in casts],
            )


def picture(cell: Cell, out: Path) -> Image.Image:
    """The first that came."""
    return Image.open(out / cell.folder / first(cell, out)["file"])


def first(cell: Cell, out: Path) -> dict[str, Any]:
    """What is told of it."""
    return load_json(out / cell.folder / PICTURES)[0]
