"""Runs of concept-driven EM whose masks are looked at on the way: what `em_masks` compares.

Each is a cell of a bench that nothing was drawn of.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from groupshot.base import Base
from groupshot.bench import rows
from groupshot.bench.cells import Cell, Line, Terms
from groupshot.bench.processes import peak_mb
from groupshot.bench.work import made
from groupshot.benchmarks.curves import noted
from groupshot.benchmarks.em_figure import CURVES
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.estep import estimated, portions
from groupshot.files import load_json, load_tensors, save_json
from groupshot.keep import Kept, seeded
from groupshot.masks.rounds import rounds
from groupshot.methods import ConceptDrivenEM
from groupshot.run import Run
from groupshot.runfolder import LEARNED
from groupshot.scores.evaluation import Evaluation
from groupshot.scores.masks import mask_iou, overlap, true_mask
from groupshot.stage import Step

UPDATED, FIXED, HAND = CURVES

Shares = dict[str, float]
"""A concept's mean IoU over its photos, by name; as ALL that of all in all photos."""

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cast learned in one way."""

    out: Path
    cell: Cell
    """Where the run is kept, and what of."""
    method: ConceptDrivenEM
    """With the variant's fields, as they are usual on the base."""
    every: int
    """Steps from one look at the masks to the next."""

    @property
    def variant(self) -> str:
        """Which masks are learned in."""
        if self.method.hand_masks:
            return HAND
        return UPDATED if self.method.update_masks else FIXED

    @property
    def folder(self) -> Path:
        """Of its run."""
        return self.out / self.cell.folder / rows.RUN

    @property
    def curve(self) -> Path:
        """What was seen so far: {STEP: {NAME: IoU}}."""
        return self.out.joinpath("curves", *self.cell.folder.parts[1:]).with_suffix(".json")

    @property
    def lacking(self) -> list[int]:
        """The steps at which it should have been looked at, and was not."""
        begun, more = self.method.warm_up, self.method.weights != "none"
        end = begun + self.method.steps + self.method.weight_steps * more
        wanted = {step for step in range(self.every, end + 1, self.every) if step > begun}
        wanted |= set() if self.variant == HAND else {begun}
        seen = load_json(self.curve) if self.curve.is_file() else {}
        return sorted(wanted - set(map(int, seen)))

    def __str__(self) -> str:
        return f"cast {self.cell.cast}, {self.variant}"


def faults(jobs: Sequence[Job], terms: Terms, at_once: int) -> Iterator[str]:
    """Learn all that can be learned, and say of the others why they do not count."""
    by_cell = {job.cell.folder: job for job in jobs}
    missing = [job.cell for job in jobs if not finished(job)]
    make = partial(looked_at, by_cell)
    for cell, told in made(missing, terms, jobs[0].out, at_once, make) if missing else ():
        if isinstance(told, UserError):
            yield f"{by_cell[cell.folder]}: {told}"
    for job in filter(finished, jobs):
        if job.lacking:
            steps = ", ".join(map(str, job.lacking))
            yield (
                f"{job}: nobody has looked at its masks at step {steps}: "
                f"remove {job.folder} to have it made again"
            )


def finished(job: Job) -> bool:
    """Whether all that it learns is learned."""
    return (job.folder / LEARNED).is_file()


def looked_at(jobs: Mapping[Path, Job], cell: Cell, terms: Terms, out: Path, at_once: int) -> Line:
    """Learn a cell, or go on with it, and look at the masks on the way.

    Its line is kept for a bench, if it was learned at one go: else nobody knows how long it took.
    """
    job, begun = jobs[cell.folder], time.monotonic()
    cast, base = rows.prepared(cell, terms, out, at_once)
    afresh = not job.folder.exists()
    steps, looking = learned(job, cast, base)
    seconds = time.monotonic() - begun - looking
    cost = rows.Cost(steps=steps, seconds=seconds, peak_mb=peak_mb())
    taken = {"all_seconds": seconds, "jobs": at_once}
    scores = Evaluation(mask_iou=mask_iou(job.folder, cast.folder))
    line = rows.line_of(cell, terms, scores, cost, taken)
    if afresh and job.method == cell.contender.built():
        save_json(out / cell.folder / rows.LINE, line)
    return line


def learned(job: Job, cast: Cast, base: Base) -> tuple[int, float]:
    """Learn a cast, or go on with it; the steps that took, and the seconds of looking on."""
    run = Run(cast, base=base, method=job.method, out=job.folder, resume=job.folder.exists())
    some, begun = job.method.scenes(base, cast), offsets(job.method)
    steps, looking = 0, 0.0
    for step in run:
        steps, began = steps + 1, time.monotonic()
        number = begun[step.stage] + step.number
        if number > job.method.warm_up and number % job.every == 0:
            chance = seeded(job.cell.cast, "look", number)
            noted(job.curve, number, shares(cast, estimated(base, some, job.method.look, chance)))
        told(job, step)
        looking += time.monotonic() - began
    if first := rounds(job.folder / "kept").get(0) if job.variant != HAND else None:
        noted(job.curve, job.method.warm_up, shares(cast, load_tensors(first)[0]))
    return steps, looking


def offsets(method: ConceptDrivenEM) -> dict[str, int]:
    """The steps before each stage."""
    begun, total = {"warm-up": 0}, method.warm_up
    for name, whole in (("tokens", method.steps), ("weights", method.weight_steps)):
        for number, steps in enumerate(portions(whole, method.refresh)):
            begun[f"{name}-{number}"] = total
            total += steps
    return begun


def told(job: Job, step: Step) -> None:
    """A line now and then, for whoever waits."""
    if step.number == step.steps:
        print(f"{job}: {step.stage}, {step.seconds:.0f} s", flush=True)


def shares(cast: Cast, masks: Kept) -> Shares:
    """The mean IoU of each concept with the truth, and of all."""
    found: dict[str, list[float]] = {}
    for key, mask in masks.items():
        photo, name = key.rsplit(":", 1)
        true = true_mask(cast.folder, photo, name)
        if true is not None:
            found.setdefault(name, []).append(overlap(mask, true))
    everyone = [share for values in found.values() for share in values]
    return {name: fmean(values) for name, values in {**found, ALL: everyone}.items() if values}
