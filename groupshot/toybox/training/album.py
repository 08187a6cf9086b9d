"""Albums: pictures drawn from numbered seeds while training, each once, by other processes."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from groupshot.toybox.training.records import Array, Records

CHUNK = 16
"""Pictures a drawing process hands over at once."""

Drawn = dict[str, Array]
Draw = Callable[[int], Drawn]
Finish = Callable[[Drawn], Drawn]


def same(drawn: Drawn) -> Drawn:
    """Drawings kept as they are."""
    return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Records that `draw` makes of consecutive seeds, which are all that need be kept of scenes."""

    records: Records
    draw: Draw
    finish: Finish
    """What becomes of a stack of drawings before it is kept."""
    pool: ProcessPoolExecutor | None
    """Who draws; without it, the training process itself."""
    ahead: deque[Future[Drawn]]
    """Chunks being drawn, in order."""
    first: int = 0
    """Seed of record 0."""

    def grow(self, upto: int) -> int:
        """Draw until there are `upto` records, in whole chunks; how many that makes.

        Later pages may be there from a run that was killed: a step sees the same pages again.
        """
        whole = -(-upto // CHUNK) * CHUNK
        while len(self.records) < whole:
            self.records.append(self.finish(self.chunk()))
        return whole

    def chunk(self) -> Drawn:
        """The next drawings, in order."""
        start = self.first + len(self.records)
        if self.pool is None:
            return drawn(self.draw, start)
        while len(self.ahead) < 2 * (os.cpu_count() or 1):
            self.ahead.append(self.pool.submit(drawn, self.draw, start + CHUNK * len(self.ahead)))
        return self.ahead.popleft().result()


def drawn(draw: Draw, start: int) -> Drawn:
    """A chunk of drawings, stacked."""
    pages = [draw(seed) for seed in range(start, start + CHUNK)]
    return {name: np.stack([page[name] for page in pages]) for name in pages[0]}


@contextmanager
def drawers(workers: int) -> Generator[ProcessPoolExecutor | None]:
    """Processes that draw at low priority, or None for no workers."""
    if workers == 0:
        yield None
        return
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=os.nice, initargs=(10,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
