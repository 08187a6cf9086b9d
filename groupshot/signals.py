"""Signals: who asks us to stop is heard once the step under way is done."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)


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
