"""Ahead: what steps draw, each in a thread while the step before it is taken."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from groupshot.keep import seeded
from groupshot.stage import Stage

Drawn = tuple[Any, torch.Generator]
"""What a step has drawn, and its generator, from which the rest of its chance comes."""


class Ahead:
    """`ahead(stage, number)` gives what a step draws: mostly it was drawn already."""

    def __init__(self, thread: ThreadPoolExecutor, seed: int) -> None:
        """Draw in a thread, from a generator of its own for every step under `seed`."""
        self._thread = thread
        self._seed = seed
        self._coming: dict[tuple[str, int], Future[Drawn]] = {}

    def __call__(self, stage: Stage[Any], number: int) -> Drawn:
        """What step `number` of a stage draws; asked for again, the same anew."""
        this = self._coming.pop((stage.name, number), None) or self._begun(stage, number)
        if number < stage.steps and (stage.name, number + 1) not in self._coming:
            self._coming = {(stage.name, number + 1): self._begun(stage, number + 1)}
        return this.result()

    def _begun(self, stage: Stage[Any], number: int) -> Future[Drawn]:
        """The drawing of a step, which the thread comes to when it can."""
        return self._thread.submit(drawn, stage, number, self._seed)


def drawn(stage: Stage[Any], number: int, seed: int) -> Drawn:
    """What a step draws, here and now."""
    generator = seeded(seed, stage.name, number)
    return stage.draws(number - 1, generator), generator


@contextmanager
def ahead(seed: int) -> Generator[Ahead]:
    """What draws ahead within the block; what nobody asks for any more is dropped."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        yield Ahead(thread, seed)
    finally:
        thread.shutdown(cancel_futures=True)
