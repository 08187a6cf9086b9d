"""Long work, watched on stderr: a bar with the time that is left."""

import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import Any

from tqdm import tqdm

from groupshot.run import Run
from groupshot.signals import interruptible
from groupshot.stage import Step


def watched(run: Run) -> Iterator[Step]:
    """A run's steps as they are made, with a bar for each stage.

    Who interrupts it gets a checkpoint of the step under way, and then a KeyboardInterrupt.
    """
    with interruptible() as asked, closing(iter(run)) as made:
        for stage, steps in groupby(made, key=attrgetter("stage")):
            with tqdm(desc=stage, unit="step") as bar:
                for step in steps:
                    advance(bar, step)
                    yield step
                    if asked:
                        raise KeyboardInterrupt


def advance(bar: Any, step: Step) -> None:
    """Show that a step is made."""
    bar.total = step.steps
    bar.set_postfix(loss=f"{sum(step.losses.values()):.4f}", refresh=False)
    bar.update(step.number - bar.n)
    if step.note:
        bar.write(f"{step.stage}, step {step.number}: {step.note}", file=sys.stderr)
