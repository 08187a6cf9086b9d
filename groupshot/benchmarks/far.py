"""What FaR's steps cost: `python -m groupshot.benchmarks.far`.

Two runs of one cast, with Localized Refinement and without, take turns step by step, so that what
slows the machine down for a while slows both.
"""

import argparse
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from groupshot.base import Base, quiet
from groupshot.cast import Cast
from groupshot.demo import examples
from groupshot.fields import overrides
from groupshot.methods import FaR
from groupshot.run import Run

WARM = 2
"""Steps that are not counted: the first holds all that is prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a run takes, in seconds."""

    prepared: float
    """To the end of the first step."""
    steps: list[float]
    """Each of those that count."""

    @property
    def step(self) -> float:
        """A step, as a median."""
        return median(self.steps)


def paces(runs: dict[str, Run], count: int) -> dict[str, Pace]:
    """How long each run takes for its first steps, of which `count` are measured."""
    turns = [paced(run) for run in runs.values()]
    taken = list(islice(zip(*turns, strict=False), count + WARM))
    for turn in turns:
        turn.close()
    return {
        name: Pace(prepared=seconds[0], steps=list(seconds[WARM:]))
        for name, seconds in zip(runs, zip(*taken, strict=True), strict=True)
    }


def paced(run: Run) -> Generator[float]:
    """The seconds that each step of a run takes, made when it is asked for."""
    began = time.perf_counter()
    for _ in run:
        yield time.perf_counter() - began
        began = time.perf_counter()


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cast", type=Path, default=examples() / "two-cats")
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--set", metavar="FIELD=VALUE", nargs="+", default=[])
    asked = parser.parse_args()
    quiet()
    cast, method = Cast.load(asked.cast), FaR(**overrides(FaR, asked.set))
    with TemporaryDirectory() as folder:
        runs = {
            name: Run(
                cast,
                base=Base.load(asked.base),
                method=replace(method, localized=localized, steps=asked.steps + WARM),
                out=Path(folder) / name,
            )
            for name, localized in (("plain", False), ("localized", True))
        }
        found = paces(runs, asked.steps)
    print(f"{asked.base}, {torch.get_num_threads()} threads, medians of {asked.steps} steps")
    print(f"{'':12}{'a step':>9}{'x plain':>9}{'before':>9}{'a run':>9}")
    for name, pace in found.items():
        whole = pace.prepared + method.steps * pace.step
        print(
            f"{name:12}{pace.step:8.3f}s{pace.step / found['plain'].step:9.3f}"
            f"{pace.prepared:8.1f}s{whole:8.0f}s"
        )


if __name__ == "__main__":
    main()
