"""Mask IoU against steps, Figure 3 of arXiv 2402.11487: `python -m groupshot.benchmarks.em_masks`.

Entangled casts of the toybox are learned three times: with masks estimated anew again and again,
with masks estimated once, and with hand masks. As they learn, it is asked what masks the attention
to each concept's words would make. What is finished is not made again. A cast counts once it was
learned in all three ways, and looked at at every step.

OUT is the folder of a bench, each run a cell that nothing was drawn of: `groupshot bench --out OUT`
draws and judges it, and does not learn it again.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from groupshot.base import Base, fingerprint, quiet
from groupshot.bench.cells import Cell, Terms
from groupshot.bench.contenders import overridden
from groupshot.bench.figures import closed, figure, gained
from groupshot.bench.suites import ENTANGLED, SUITES
from groupshot.bench.work import settled
from groupshot.benchmarks.em_figure import Curves, drawn
from groupshot.benchmarks.em_runs import ALL, FIXED, HAND, UPDATED, Job, faults
from groupshot.fields import overrides
from groupshot.files import load_json, written
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.scores.evaluation import NOTHING

VARIANTS: Mapping[str, dict[str, Any]] = {
    FIXED: {"update_masks": False},
    UPDATED: {},
    HAND: {"hand_masks": True},
}
"""The fields that make each of them."""


def jobs_of(said: argparse.Namespace) -> list[Job]:
    """What the command line asks for: every variant of every cast, one cast after another."""
    suite, base = SUITES[said.suite], Base.load(said.base)
    all_of, fixed = (overrides(ConceptDrivenEM, each) for each in (said.set, said.fixed))
    return [
        Job(
            out=said.out,
            cell=Cell(
                suite=said.suite,
                contender=overridden(ConceptDrivenEM.name, own),
                cast=seed,
                seed=0,
                concepts=suite.sizes[0],
            ),
            method=fitted(ConceptDrivenEM, base, **own),
            every=said.every,
        )
        for seed in range(said.cast_seed, said.cast_seed + said.casts)
        for own in fields(all_of, fixed).values()
    ]


def fields(said: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is said of all, and of fixed masks alone, for each variant with its own."""
    own = {UPDATED: {}, FIXED: fixed, HAND: {}}
    return {variant: {**said, **own[variant], **last} for variant, last in VARIANTS.items()}


def whole(jobs: Sequence[Job]) -> list[Job]:
    """The jobs of casts of which nothing is missing: what is compared is of the same casts."""
    broken = {job.cell.cast for job in jobs if job.lacking}
    return [job for job in jobs if job.cell.cast not in broken]


def curves(jobs: list[Job]) -> Curves:
    """By concept, then variant, then step: the IoU of every cast."""
    told: Curves = {}
    for job in jobs:
        for number, by_name in load_json(job.curve).items():
            for name, share in by_name.items():
                steps = told.setdefault(name, {}).setdefault(job.variant, {})
                steps.setdefault(int(number), []).append(share)
    for variants in told.values():  # with hand masks attention begins as without
        begun = min(variants[UPDATED])
        variants[HAND][begun] = variants[UPDATED][begun]
    return {name: told[name] for name in sorted(told, key=lambda name: name == ALL)}


def summary(told: Curves) -> Iterator[str]:
    """What each variant ends with, and how much of what fixed masks lack is gained."""
    for name, variants in told.items():
        fixed, updated = variants[FIXED], variants[UPDATED]
        yield f"{name}: masks estimated once have IoU {fmean(fixed[min(fixed)]):.3f}"
        for variant, steps in variants.items():
            last = figure(steps[max(steps)])
            if last is not None:
                spread = "" if last.spread is None else f" ± {last.spread:.3f}"
                yield f"  {variant:12} {last.mean:.3f}{spread} after {max(steps)} steps"
        ends, gap = updated[max(updated)], "of the gap to 1 that"
        yield f"  {gap} masks estimated once leave, {gain(ends, fixed[min(fixed)])} is closed"
        yield f"  {gap} words learned in them leave, {gain(ends, fixed[max(fixed)])} is closed"


def gain(after: Sequence[float], before: Sequence[float]) -> str:
    """The share of a gap that is closed, cast by cast, and where that may lie."""
    share, may = gained(np.array(after), np.array(before)), closed(after, before)
    return f"{share:.0%}" + (f" ({may.low:.0%} to {may.high:.0%})" if may else "")


def again(jobs: Sequence[Job]) -> str:
    """The command that draws and judges what the jobs have learned."""
    labels = ",".join(dict.fromkeys(job.cell.contender.label for job in jobs))
    first, last = jobs[0].cell, jobs[-1].cell
    casts = f"--cast-seed {first.cast} --casts {last.cast - first.cast + 1}"
    said = f"--suite {first.suite} --methods '{labels}' {casts} --out {jobs[0].out}"
    return f"groupshot bench {said}"


def main() -> None:
    """Read the command line, learn what is missing, and draw everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--suite", choices=ENTANGLED, default=ENTANGLED[0])
    parser.add_argument("--casts", type=int, default=6)
    parser.add_argument("--cast-seed", type=int, default=0, help="of the first (0)")
    parser.add_argument("--every", type=int, default=50, help="steps between two looks (50)")
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument(
        "--fixed",
        nargs="*",
        default=[],
        metavar="FIELD=VALUE",
        help="of the fixed masks alone, so that each is at its own best",
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (1)")
    asked = parser.parse_args()
    quiet()
    jobs = jobs_of(asked)
    weights = fingerprint(asked.base)
    terms = settled(Terms(base=asked.base, weights=weights, amount=NOTHING), asked.out)
    missing: list[str] = []
    for fault in faults(jobs, terms, asked.jobs):
        print(f"does not count: {fault}", flush=True)
        missing.append(fault)
    told = curves(whole(jobs))
    updated = next(job.method for job in jobs if job.variant == UPDATED)
    with written(asked.out / f"{asked.suite}.svg") as draft:
        draft.write_text(drawn(told, updated.warm_up + updated.steps))
    for line in summary(told):
        print(line)
    if missing:
        sys.exit(f"{len(missing)} of {len(jobs)} runs do not count: {'; '.join(missing)}")
    print(f"to have all this drawn and judged: {again(jobs)}")


if __name__ == "__main__":
    main()
