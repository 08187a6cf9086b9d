"""Timing: which precision a machine computes a base in faster."""

import timeit
from functools import partial

import torch

from groupshot.base.base import Base

REPEATS = 6
"""Passes of each precision: the first are slow."""

CLEARLY = 0.9
"""What a pass must take at most in half precision, as a share of one in full: on the way back, in
learning, half precision gains more."""


@torch.no_grad()
def faster(base: Base) -> str:
    """ "bf16" where the denoiser is clearly faster in it on this machine, else "fp32"."""
    noisy = torch.zeros(4, *base.shape, device=base.device)
    times, text = torch.zeros(4, dtype=torch.long, device=base.device), base.text([""] * 4)

    def passed(precision: str) -> None:
        with base.computing(precision):
            base.predicted(noisy, times, text).sum().item()

    taken: dict[str, list[float]] = {"bf16": [], "fp32": []}
    for _ in range(REPEATS):  # in turn, and at best, since others may be at work here too
        for precision, seconds in taken.items():
            seconds.append(timeit.timeit(partial(passed, precision), number=1))
    return "bf16" if min(taken["bf16"]) < CLEARLY * min(taken["fp32"]) else "fp32"
