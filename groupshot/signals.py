"""Signals: who asks us to stop is heard once the step under way is done."""

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Generator[list[int]]:
    """A list that is no longer empty once somebody has asked us to stop; the second time we do."""
    asked: list[int] = []

    def hear(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        print("stopping after this step; once more to stop at once", file=sys.stderr)

    if threading.current_thread() is not threading.main_thread():  # which alone may listen
        yield asked
        return
    before = {each: signal.signal(each, hear) for each in ENDING}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
