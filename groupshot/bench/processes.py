"""A process of its own for each cell: its peak of memory is its own, and its end frees all."""

import os
import sys
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from groupshot.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


def apart(task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a module's function gives, or raises, in a fresh process, which never outlives us."""
    context = get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, task, args, kwargs))
    process.start()
    theirs.close()
    try:
        value, mistake = mine.recv()
    except EOFError:
        process.join()
        raise broken(process.exitcode) from None
    finally:
        process.terminate()  # where we are stopped ourselves
        process.join()
    if mistake is not None:
        raise mistake
    return value


def broken(code: int | None) -> Exception:
    """What is to be said of a process that ended without a word."""
    if code is not None and code > 0:
        return RuntimeError("a cell has failed: its traceback stands above")
    return UserError(
        "the system has ended a cell, most likely for want of memory: "
        "close something, and the same command goes on from there"
    )


def _tell(pipe: Connection, task: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Send the task's value and nothing, or nothing and the user's mistake."""
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        pipe.send((task(*args, **kwargs), None))
    except UserError as mistake:
        pipe.send((None, mistake))


def _end_with_parent() -> None:
    """Wait for the end of whoever started this process, and end too."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def peak_mb() -> float:
    """The most memory that this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage would begin with what the parent had
        (kib,) = (s.split()[1] for s in status.read_text().splitlines() if s.startswith("VmHWM:"))
        return int(kib) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
