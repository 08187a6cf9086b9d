"""Sheets: every cast a column, every contender a row, and nothing chosen."""

import numpy as np
import pytest
from benching import DB, TERMS, TI, WORDS, cell, line
from PIL import Image

from groupshot.bench import results, rows
from groupshot.bench.sheets import contact_sheet
from groupshot.bench.work import show
from groupshot.report import CELL, GAP

SAID = {
    "prompt": "both",
    "degree": "side by side",
    "asked": "two",
    "names": [],
    "all_right": True,
    "faults": [],
    "background": True,
    "relation": True,
}
COLOURS = {"textual-inversion": "red", "dreambooth": "lime", "words": "blue"}


@pytest.fixture
def bench(tmp_path):
    """Two casts that three have drawn, one that only one has; the second pictures are black."""
    cells = [cell(each, cast=cast) for cast in (0, 1) for each in (WORDS, TI, DB)]
    for each in (*cells, cell(TI, cast=2)):
        folder = tmp_path / each.folder
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8), COLOURS[each.contender.method]).save(folder / "0.webp")
        Image.new("RGB", (8, 8), "black").save(folder / "1.webp")
        told = [{"file": f"{i}.webp", **SAID} for i in range(2)]
        rows.save_json(folder / rows.PICTURES, told)
        results.append(tmp_path / results.FILE, line(each))
    for name in ("luna.cat", "milo.cat"):
        for cast in (0, 1):
            photo = tmp_path / "casts" / "pairs" / f"{cast}-2" / name / "1.png"
            photo.parent.mkdir(parents=True)
            Image.new("RGB", (40, 40), "yellow").save(photo)
    return tmp_path


def colours(page: Image.Image, column: int) -> list[tuple[bool, ...]]:
    """What is met on the way down through the middle of a column, but for letters."""
    down = np.asarray(page)[:, GAP + column * (CELL + GAP) + CELL // 2].astype(int)
    seen = [tuple(pixel > 127) for pixel in down if np.ptp(pixel) > 99]
    return [one for one, before in zip(seen, [None, *seen], strict=False) if one != before]


def test_a_sheet_shows_who_was_learned_and_what_everyone_made_of_them(bench):
    page = contact_sheet(results.read(bench / results.FILE), bench)
    assert page
    assert page.width == GAP + 2 * (CELL + GAP)  # nobody else has learned the third cast
    for column in (0, 1):
        assert colours(page, column) == [(1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_where_someone_has_drawn_nothing_nothing_is_shown(bench):
    (bench / cell(DB, cast=1).folder / rows.PICTURES).unlink()
    lines = results.read(bench / results.FILE)
    page = contact_sheet(lines, bench)
    assert page
    assert page.width == GAP + (CELL + GAP)
    assert contact_sheet(lines, bench / "elsewhere") is None


def test_a_bench_saves_its_sheet(bench):
    show(TERMS, bench)
    with Image.open(bench / "pairs.webp") as page:
        assert page.width == GAP + 2 * (CELL + GAP)
    assert not (bench / "trios.webp").exists()
