"""Processes as `torchrun` would launch them, but forked: they need not load anything."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 120
"""Seconds after which a process counts as hanging."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def launch(work: Callable[[], Any], size: int = 2, says: Path | None = None) -> list[Any]:
    """Start `size` processes that do some work; what they print goes to the files says/RANK."""
    port = free_port()

    def member(rank: int) -> None:
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size, "RANK": rank}
        os.environ.update({name: str(value) for name, value in place.items()})
        if says is not None:
            says.mkdir(exist_ok=True)
            sys.stdout = sys.stderr = open(says / str(rank), "w", buffering=1)  # noqa: SIM115
        code = work()
        sys.exit(code if isinstance(code, int) else 0)

    fork = multiprocessing.get_context("fork")
    members = [fork.Process(target=member, args=(rank,)) for rank in range(size)]
    for each in members:
        each.start()
    return members


def ended(members: list[Any]) -> list[int]:
    """How they ended; one that hangs is killed, and ends with -9."""
    for each in members:
        each.join(PATIENCE)
        each.kill()
        each.join()
    return [each.exitcode for each in members]
