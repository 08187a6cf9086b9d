"""The peak of memory of a block of code: of all tensors that live at once."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

MIB = 2**20


@dataclass(slots=True)
class Use:
    """How much memory tensors took, in bytes; it counts once its block has ended."""

    peak: int = 0
    """At most."""
    held: int = 0
    """At the end."""


@contextmanager
def metered(device: torch.device, held: int = 0) -> Generator[Use]:
    """What tensors take in a block, on top of what was `held` at the end of the block before.

    A GPU knows it. On a CPU the profiler's events are added up: what torch's allocator gives out,
    and takes back of that. What it gave out in no such block is not in it, nor are mapped files.
    """
    use = Use()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield use
        use.peak = torch.cuda.max_memory_allocated(device)
        use.held = torch.cuda.memory_allocated(device)
        return
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        yield use
    totals = list(accumulate(changes(trace), initial=held))
    use.peak, use.held = max(totals), totals[-1]


def changes(trace: profile) -> Generator[int]:
    """The bytes that were taken, or given back, one event after another."""
    known: Any = trace.profiler
    for event in known.kineto_results.events():
        if event.name() == "[memory]":
            yield event.nbytes()
