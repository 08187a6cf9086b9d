"""A process of its own for each cell: its peak of memory is its own, and its end frees all."""

import os
import sys
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Thread
from typing import Any, Generic, TypeVar

from groupshot.errors import UserError

K = TypeVar("K")
T = TypeVar("T")


class Processes(Generic[K]):
    """Calls at work, each in a fresh process; none of them outlives the block, or us."""

    def __init__(self) -> None:
        """Nothing is at work yet."""
        self._at_work: dict[Connection, tuple[K, SpawnProcess]] = {}

    def __enter__(self) -> "Processes[K]":
        return self

    def __exit__(self, *raised: object) -> None:
        for _, process in self._at_work.values():
            process.kill()  # it would end its step first
            process.join()

    @property
    def keys(self) -> list[K]:
        """Of the calls at work."""
        return [key for key, _ in self._at_work.values()]

    def start(self, key: K, task: Callable[..., Any], *args: Any) -> None:
        """Call a module's function."""
        context = get_context("spawn")
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_tell, args=(theirs, task, args))
        process.start()
        theirs.close()
        self._at_work[mine] = key, process

    def ended(self) -> tuple[K, Any]:
        """Wait until one of the calls has ended: its key and what it gives, or a UserError of its.

        Raises what is to be said where it ended without a word.
        """
        ready = wait(list(self._at_work))
        mine = next(each for each in self._at_work if each in ready)
        key, process = self._at_work.pop(mine)
        try:
            return key, mine.recv()
        except EOFError:
            process.join()  # it has a code only then
            raise broken(process.exitcode) from None
        finally:
            mine.close()
            process.join()


def apart(task: Callable[..., T], *args: Any) -> T:
    """What a module's function gives, or raises, in a process of its own."""
    processes: Processes[None] = Processes()
    with processes:
        processes.start(None, task, *args)
        _, given = processes.ended()
    if isinstance(given, UserError):
        raise given
    return given


def broken(code: int | None) -> Exception:
    """What is to be said of a process that ended without a word."""
    if code is not None and code > 0:
        return RuntimeError("a cell has failed: its traceback stands above")
    return UserError(
        "the system has ended a cell, most likely for want of memory: "
        "close something, and the same command goes on from there"
    )


def _tell(pipe: Connection, task: Callable[..., Any], args: Any) -> None:
    """Send the task's value, or the user's mistake."""
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        pipe.send(task(*args))
    except UserError as mistake:
        pipe.send(mistake)


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
