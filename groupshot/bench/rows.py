"""Rows: how a cell is learned, drawn and judged, and how the ceilings are."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from groupshot.base import Base, faster, quiet
from groupshot.bench import results
from groupshot.bench.cells import Cell, Line, Terms, is_of
from groupshot.bench.contenders import WORDS, WORLD
from groupshot.bench.processes import peak_mb
from groupshot.bench.suites import SUITES, cast_in
from groupshot.cast import Cast
from groupshot.files import load_json, save_json
from groupshot.folders import filled
from groupshot.progress import watched
from groupshot.run import Run
from groupshot.runfolder import Trained
from groupshot.scores import scenes
from groupshot.scores.asks import Drawn, asks
from groupshot.scores.evaluation import (
    Appraisal,
    Evaluation,
    Judged,
    Panel,
    appraised,
    portraits,
    run_appraised,
)
from groupshot.scores.prior import Shelf, prior

LINE, PICTURES, RUN = "line.json", "pictures.json", "run"
"""What is in a cell's folder, besides the pictures."""
QUALITY = 90
"""Of the pictures that are kept to be looked at."""
OTHER_NOISE = 1_000_000
"""A seed far from those that priors are drawn with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What learning took."""

    steps: int = 0
    seconds: float = 0.0
    peak_mb: float


def faster_of(source: str) -> str:
    """The precision in which a base computes faster on this machine."""
    quiet()
    return faster(Base.load(source))


def finished(cell: Cell, terms: Terms, out: Path, jobs: int = 1) -> Line:
    """Make a cell, whole or not at all, as one of so many at once, and give its line.

    Where its run is there, and only more or less is to be drawn, nothing is learned again.
    """
    began = time.monotonic()
    cast, base = prepared(cell, terms, out, jobs)
    shelf = Shelf(folder=out / "untouched", pictures=terms.amount.prior)
    with filled(out / cell.folder) as folder:
        take_over(cell, terms, out / cell.folder, folder)
        made, cost = row(cell, terms, Panel.of(cast, base), base, shelf, folder)
        spent = time.monotonic() - began
        line = line_of(cell, terms, made.evaluation, cost, {"all_seconds": spent, "jobs": jobs})
        save_pictures(folder, made)
        save_json(folder / LINE, line)
    return line


def prepared(cell: Cell, terms: Terms, out: Path, jobs: int) -> tuple[Cast, Base]:
    """A cell's cast, and the base that it is learned on, in this cell's share of the threads."""
    quiet()
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    troupe = SUITES[cell.suite].troupe(cell.cast, cell.concepts)
    cast = cast_in(out / cell.cast_folder, troupe, cell.contender.hand_masks)
    base = Base.load(terms.base)
    base.precision = terms.precision
    return cast, base


def line_of(
    cell: Cell, terms: Terms, scores: Evaluation, cost: Cost, taken: Mapping[str, Any]
) -> Line:
    """What stands in results.jsonl about a cell, the times that it has `taken` included."""
    troupe = SUITES[cell.suite].troupe(cell.cast, cell.concepts)
    about = {"variant": troupe.variant, "precision": terms.precision, **taken}
    return ordered(rounded(asdict(scores) | asdict(cost) | about) | cell.line | terms.line)


def row(
    cell: Cell, terms: Terms, panel: Panel, base: Base, shelf: Shelf, out: Path
) -> tuple[Appraisal, Cost]:
    """A cell's pictures and scores, and what they cost."""
    each = terms.amount.each
    if cell.contender.method == WORLD:
        cost, drawn = Cost(peak_mb=peak_mb()), drawings(panel, each)
        return appraised(panel, drawn), cost
    if cell.contender.method == WORDS:
        cost, drawn = Cost(peak_mb=peak_mb()), told(base, panel, each)
        return appraised(without_marks(panel), drawn, by_chance(base, panel, shelf)), cost
    trained, cost = learned(cell, panel.cast, base, out)
    return run_appraised(trained, panel, terms.amount, shelf), cost


def learned(cell: Cell, cast: Cast, base: Base, out: Path) -> tuple[Trained, Cost]:
    """What a cell's method learns, or has learned, and what that took."""
    if (out / LINE).is_file():
        line = load_json(out / LINE)
        spent = {field.name: line[field.name] for field in fields(Cost)}
        return Trained.load(out / RUN, base), Cost(**spent)
    began = time.monotonic()
    run = Run(cast, method=cell.contender.built(), base=base, out=out / RUN, seed=cell.seed)
    steps = sum(1 for _ in watched(run))
    return run.trained(), Cost(steps=steps, seconds=time.monotonic() - began, peak_mb=peak_mb())


def take_over(cell: Cell, terms: Terms, old: Path, new: Path) -> None:
    """Copy the run of a cell that differs from what is to be made in nothing but the amount."""
    if (old / RUN).is_dir() and (old / LINE).is_file():
        line = load_json(old / LINE)
        there = line | {"amount": asdict(terms.amount)}
        if is_of(there, cell, terms) and line["precision"] == terms.precision:
            shutil.copytree(old / RUN, new / RUN)
            shutil.copy(old / LINE, new / LINE)


def told(base: Base, panel: Panel, each: int) -> Drawn:
    """What the base makes of every ask when it is told all about everyone."""
    return portraits(base, panel.cast, each, lambda ask: scenes.described(ask, panel.people))


def by_chance(base: Base, panel: Panel, shelf: Shelf) -> float | None:
    """The prior of a base that stayed what it was, but draws from other noise."""
    if not (things := shelf.things(panel.truth)):
        return None
    before = shelf.read(base, panel.judge, things)
    return prior(before, shelf.drawn(base, panel.judge, things, OTHER_NOISE), panel.truth)


def drawings(panel: Panel, each: int) -> Drawn:
    """What the world makes of every ask."""
    return {ask: scenes.clear_pictures(ask, panel.people, each) for ask in asks(panel.cast)}


def without_marks(panel: Panel) -> Panel:
    """A panel that asks for nothing but what words can say."""
    truth = {
        name: {key: value for key, value in own.items() if key != "mark"}
        for name, own in panel.truth.items()
    }
    return replace(panel, truth=truth)


def ordered(line: Line) -> Line:
    """A line as every line is."""
    return {key: line[key] for key in (*results.KEYS, *results.BESIDE)}


def rounded(value: Any) -> Any:
    """The same with numbers of four digits behind the point, wherever they are."""
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def save_pictures(folder: Path, made: Appraisal) -> None:
    """Every picture as a small file, and what the judge said of each, if anything was drawn."""
    if not made.drawn:
        return
    pictures = [picture for drawn in made.drawn.values() for picture in drawn]
    said: list[dict[str, Any]] = []
    for i, (picture, judged) in enumerate(zip(pictures, made.judged, strict=True)):
        file = f"{i:03d}.webp"
        picture.save(folder / file, quality=QUALITY)
        said.append({"file": file, **verdict(judged)})
    save_json(folder / PICTURES, said)


def verdict(judged: Judged) -> dict[str, Any]:
    """What the judge said of one picture, as a JSON value."""
    like, ask = judged.likeness, judged.ask
    return {
        "prompt": ask.prompt,
        "degree": ask.degree,
        "asked": ask.asked,
        "names": ask.names,
        "all_right": like.all_right,
        "present": like.present,
        "identity": like.identity,
        "mixed": like.mixed,
        "faults": like.faults,
        "background": judged.background,
        "relation": judged.relation,
    }
