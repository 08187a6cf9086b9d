"""The bench at work: what is missing is made, and how long that will take is said before."""

import os
import shutil
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from groupshot import files
from groupshot.bench import results, rows
from groupshot.bench.cells import Cell, Line, Plan, Terms, cell_of, is_of
from groupshot.bench.chart import chart
from groupshot.bench.markdown import document
from groupshot.bench.page import page
from groupshot.bench.processes import Processes, apart
from groupshot.bench.sections import sections
from groupshot.bench.sheets import contact_sheet
from groupshot.errors import UserError
from groupshot.folders import check_writable

TABLE, PAGE = "table.md", "page.html"

Make = Callable[[Cell, Terms, Path, int], Line]
"""What makes a cell in a bench's folder, as one of so many at once, and gives its line."""


def benched(plan: Plan, terms: Terms, out: Path, jobs: int = 1) -> list[Line]:
    """Make what is missing of a plan, so many cells at once, and show all that is there.

    Gives the lines of the plan's cells. Raises a UserError that names those that cannot be made,
    when all others are.
    """
    check_writable(out)
    file = out / results.FILE
    cells = list(plan.cells())
    done = finished(cells, terms, out)
    missing = [cell for cell in cells if cell.folder not in done]
    if missing:
        terms = settled(terms, out)
        say(forecast(cells, done, results.read(file), jobs))
    refused: list[str] = []
    for cell, line in made(missing, terms, out, jobs, rows.finished):
        if isinstance(line, UserError):
            refused.append(f"{cell}: {line}")
            say(f"cannot be made: {refused[-1]}")
            continue
        done[cell.folder] = line
        results.append(file, line)
        show(terms, out)
        say(forecast(cells, done, results.read(file), jobs))
    show(terms, out)
    if refused:
        raise UserError(
            f"{len(refused)} of {len(cells)} cells cannot be made: {'; '.join(refused)}"
        )
    return [done[cell.folder] for cell in cells]


def made(
    cells: Iterable[Cell], terms: Terms, out: Path, jobs: int, make: Make
) -> Iterator[tuple[Cell, Line | UserError]]:
    """Each cell with its line, or with why it has none, as they are finished.

    `make` is called in a process of its own for each. Cells of one cast are never made at once:
    each would draw for itself what they share.
    """
    if jobs > 1:
        os.environ["TQDM_DISABLE"] = "1"  # bars of several would write over each other
    waiting = list(cells)
    processes: Processes[Cell] = Processes()
    with processes:
        while waiting or processes.keys:
            while len(processes.keys) < jobs and (cell := free(waiting, processes.keys)):
                say(f"now {cell}")
                swept(out / cell.folder)
                waiting.remove(cell)
                processes.start(cell, make, cell, terms, out, jobs)
            yield processes.ended()


def free(waiting: Iterable[Cell], at_work: Iterable[Cell]) -> Cell | None:
    """The first cell that has its cast to itself."""
    busy = {(cell.suite, cell.cast) for cell in at_work}
    return next((cell for cell in waiting if (cell.suite, cell.cast) not in busy), None)


def show(terms: Terms, out: Path) -> None:
    """Write tables, page and sheets about all lines that can be compared with each other.

    Of a row those with the fields of its last line: its method's defaults may have changed.
    """
    like = [line for line in results.read(out / results.FILE) if same(terms.line, line)]
    last = {cell_of(line).folder.parent: line["settings"] for line in like}
    now = [line for line in like if line["settings"] == last[cell_of(line).folder.parent]]
    lines = list({cell_of(line).folder: line for line in now}.values())
    told = sections(lines)
    save_text(out / TABLE, document(told))
    save_text(out / PAGE, page(told, out))
    for section in told:
        if pictures := contact_sheet(section.lines, out):
            with files.written(out / f"{section.suite}.webp") as draft:
                pictures.save(draft, format="webp", quality=rows.QUALITY)
        if section.curves:
            save_text(out / f"{section.suite}.svg", chart(section.curves))


def save_text(file: Path, text: str) -> None:
    """Write a file of text."""
    with files.written(file) as draft:
        draft.write_text(text, encoding="utf-8")


def finished(cells: Iterable[Cell], terms: Terms, out: Path) -> dict[Path, Line]:
    """The lines of cells that need not be made again, by the cells' folders.

    Where a bench was ended between a cell and its line, the line is added.
    """
    file = out / results.FILE
    written = results.read(file)
    found: dict[Path, Line] = {}
    for cell in cells:
        lines = [line for line in written if is_of(line, cell, terms)]
        kept = out / cell.folder / rows.LINE
        if not lines and kept.is_file() and is_of(line := files.load_json(kept), cell, terms):
            results.append(file, line)
            lines = [line]
        if lines:
            found[cell.folder] = lines[-1]
    return found


def settled(terms: Terms, out: Path) -> Terms:
    """The terms, with the precision that cells of the base were made with, or what is faster here.

    Whatever the amount: with more to draw, what was learned is taken as it is. Where that is slow
    on this machine, somebody should know.
    """
    cells = sorted(out.glob(f"cells/*/*/*/{rows.LINE}"))
    written = [*results.read(out / results.FILE), *map(files.load_json, cells)]
    known = [line["precision"] for line in written if line["base"] == terms.weights]
    here = apart(rows.faster_of, terms.base)
    chosen = known[0] if known else here
    if chosen != here:
        say(f"in {chosen}, as the cells in {out}: {here} is faster here, as another --out would be")
    return replace(terms, precision=chosen)


def swept(folder: Path) -> None:
    """Remove what an ended bench has left of a cell."""
    for draft in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(draft)


def forecast(
    cells: Sequence[Cell], done: Container[Path], written: Sequence[Line], jobs: int
) -> str:
    """How many cells are finished, and how long the others will take by those."""
    left = [cell for cell in cells if cell.folder not in done]
    told = f"{len(cells) - len(left)} of {len(cells)} cells are finished"
    if left and not written:
        return f"{told}; how long the others take is known once the first is"
    taken = sum(seconds(cell, written) for cell in left) / jobs
    return f"{told}; the others take about {in_words(taken)}" if left else told


LIKES = (
    ("suite", "method", "fields", "concepts"),
    ("method", "fields", "concepts"),
    ("method", "concepts"),
    ("method",),
    ("suite",),
    (),
)
"""In what cells are like each other, the most like first."""


def seconds(cell: Cell, written: Sequence[Line]) -> float:
    """How long a cell will take: as long as those that are the most like it."""
    alike = ({key: cell.line[key] for key in keys} for keys in LIKES)
    near = ([line for line in written if same(each, line)] for each in alike)
    return fmean(line["all_seconds"] for line in next(lines for lines in near if lines))


def same(values: Mapping[str, Any], line: Line) -> bool:
    """Whether a line has these values."""
    return all(line[key] == value for key, value in values.items())


def in_words(seconds: float) -> str:
    """A time as people say it."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def say(words: str) -> None:
    """Tell whoever waits."""
    print(words, file=sys.stderr, flush=True)
