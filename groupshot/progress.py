"""Long work, watched on stderr: a bar with the time that is left."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from tqdm import tqdm

from groupshot.stage import Step


def watched(run: Iterable[Step]) -> Iterator[Step]:
    """A run's steps as they are made, with a bar for each stage."""
    for stage, steps in groupby(run, key=attrgetter("stage")):
        with tqdm(desc=stage, unit="step") as bar:
            for step in steps:
                bar.total = step.steps
                bar.set_postfix(loss=f"{sum(step.losses.values()):.4f}", refresh=False)
                bar.update(step.number - bar.n)
                if step.note:
                    bar.write(f"{step.stage}, step {step.number}: {step.note}", file=sys.stderr)
                yield step
