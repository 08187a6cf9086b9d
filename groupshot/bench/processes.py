"""A process of its own for each cell: its peak of memory is its own, and its end frees all."""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from groupshot.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


def apart(task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a module's function gives, or raises, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(task, *args, **kwargs).result()
        except BrokenProcessPool:
            raise UserError(
                "the system has ended a cell, most likely for want of memory: "
                "close something, and the same command goes on from there"
            ) from None


def peak_mb() -> float:
    """The most memory that this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage would begin with what the parent had
        (kib,) = (s.split()[1] for s in status.read_text().splitlines() if s.startswith("VmHWM:"))
        return int(kib) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
