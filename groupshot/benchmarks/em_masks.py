"""Mask IoU against steps, Figure 3 of arXiv 2402.11487: `python -m groupshot.benchmarks.em_masks`.

Entangled casts of the toybox are learned three times: with masks estimated anew again and again,
with masks estimated once, and with hand masks. As they learn, it is asked what masks the attention
to each concept's words would make. What is finished is not made again. A cast counts once it was
learned in all three ways, and looked at at every step.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from groupshot.base import Base, quiet
from groupshot.bench.figures import closed, figure, gained
from groupshot.bench.suites import ENTANGLED, SUITES, cast_in
from groupshot.benchmarks.curves import noted
from groupshot.benchmarks.em_figure import CURVES, Curves, drawn
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.estep import estimated, portions
from groupshot.fields import overrides
from groupshot.files import load_json, load_tensors, written
from groupshot.keep import Kept, seeded
from groupshot.masks.rounds import rounds
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.run import Run
from groupshot.scores.masks import overlap, true_mask
from groupshot.stage import Step

Shares = dict[str, float]
"""A concept's mean IoU over its photos, by name; as ALL that of all in all photos."""

ALL = "all"

UPDATED, FIXED, HAND = CURVES
VARIANTS: Mapping[str, dict[str, Any]] = {
    FIXED: {"update_masks": False},
    UPDATED: {},
    HAND: {"hand_masks": True},
}
"""The fields that make each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cast learned in one way."""

    out: Path
    suite: str = "entangled"
    seed: int
    variant: str
    method: ConceptDrivenEM
    """With the variant's fields."""
    every: int
    """Steps from one look at the masks to the next."""

    @property
    def folder(self) -> Path:
        """Of its run."""
        return self.out / "runs" / f"{self.suite}-{self.seed}-{self.variant.replace(' ', '-')}"

    @property
    def curve(self) -> Path:
        """What was seen so far: {STEP: {NAME: IoU}}."""
        return self.folder.with_suffix(".json")

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
        return f"cast {self.seed}, {self.variant}"


def methods(
    base: Base, said: Mapping[str, Any], fixed: Mapping[str, Any]
) -> dict[str, ConceptDrivenEM]:
    """Each variant as it is usual on a base, but for what is said of all, and of fixed masks."""
    own = {UPDATED: {}, FIXED: fixed, HAND: {}}
    return {
        variant: fitted(ConceptDrivenEM, base, **{**said, **own[variant], **fields})
        for variant, fields in VARIANTS.items()
    }


def faults(jobs: Iterable[Job], base: Base) -> Iterator[str]:
    """Learn all that can be learned, and say of the others why they do not count."""
    for job in jobs:
        try:
            learned(job, base)
        except UserError as mistake:
            yield f"{job}: {mistake}"
            continue
        if job.lacking:
            steps = ", ".join(map(str, job.lacking))
            yield (
                f"{job}: nobody has looked at its masks at step {steps}: "
                f"remove {job.folder} to have it made again"
            )


def whole(jobs: Sequence[Job]) -> list[Job]:
    """The jobs of casts of which nothing is missing: what is compared is of the same casts."""
    broken = {job.seed for job in jobs if job.lacking}
    return [job for job in jobs if job.seed not in broken]


def learned(job: Job, base: Base) -> None:
    """Learn a cast, or go on with it, and look at the masks on the way."""
    suite = SUITES[job.suite]
    troupe = suite.troupe(job.seed, suite.sizes[0])
    cast = cast_in(job.out / "casts" / f"{job.suite}-{job.seed}", troupe, True)
    run = Run(cast, base=base, method=job.method, out=job.folder, resume=job.folder.exists())
    some, begun = job.method.scenes(base, cast), offsets(job.method)
    for step in run:
        number = begun[step.stage] + step.number
        if number > job.method.warm_up and number % job.every == 0:
            chance = seeded(job.seed, "look", number)
            noted(job.curve, number, shares(cast, estimated(base, some, job.method.look, chance)))
        told(job, step)
    if first := rounds(job.folder / "kept").get(0) if job.variant != HAND else None:
        noted(job.curve, job.method.warm_up, shares(cast, load_tensors(first)[0]))


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
    asked = parser.parse_args()
    quiet()
    base = Base.load(asked.base)
    all_of, fixed = (overrides(ConceptDrivenEM, each) for each in (asked.set, asked.fixed))
    variants = methods(base, all_of, fixed)
    jobs = [
        Job(
            out=asked.out,
            suite=asked.suite,
            seed=seed,
            variant=variant,
            method=method,
            every=asked.every,
        )
        for seed in range(asked.cast_seed, asked.cast_seed + asked.casts)
        for variant, method in variants.items()
    ]
    missing: list[str] = []
    for fault in faults(jobs, base):
        print(f"does not count: {fault}", flush=True)
        missing.append(fault)
    told, updated = curves(whole(jobs)), variants[UPDATED]
    with written(asked.out / f"{asked.suite}.svg") as draft:
        draft.write_text(drawn(told, updated.warm_up + updated.steps))
    for line in summary(told):
        print(line)
    if missing:
        sys.exit(f"{len(missing)} of {len(jobs)} runs do not count: {'; '.join(missing)}")


if __name__ == "__main__":
    main()
