"""Signals: who asks us to stop is heard once the step is done, and Python's end before it comes."""

import atexit
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM)

UNDER_WAY: WeakSet[Generator[Any]] = WeakSet()
"""Steps of runs that may not be at their end."""


def closed_in_time(steps: Generator[T]) -> Generator[T]:
    """The same steps, left as Python ends: a little later they could write no checkpoint."""
    UNDER_WAY.add(steps)
    return steps


@atexit.register
def close_all() -> None:
    """Leave what is under way as Python ends."""
    for steps in list(UNDER_WAY):
        steps.close()


@contextmanager
def interruptible() -> Generator[list[int]]:
    """A list that is no longer empty once somebody has asked us to stop; the second time we do."""
    asked: list[int] = []

    def hear(number: int, _: object) -> None:
        if number in asked:  # launchers send the other one after a terminal's
            raise KeyboardInterrupt
        asked.append(number)
        os.write(2, b"stopping after this step; once more to stop at once\n")

    if threading.current_thread() is not threading.main_thread():  # which alone may listen
        yield asked
        return
    heeded = [each for each in ENDING if signal.getsignal(each) not in (signal.SIG_IGN, None)]
    before = {each: signal.signal(each, hear) for each in heeded}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
