"""Optimisers: what makes steps of gradients, in full precision or in little memory."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from groupshot.errors import UserError

Maker = Callable[[Iterable[Tensor]], Optimizer]
"""Makes an optimiser of some tensors."""


def adamw(device: torch.device) -> Maker:
    """AdamW, its two moments in full precision: 8 bytes for each weight that learns.

    Not fused: that reads gradients and moments as they lie, and where one lies in another layout
    than its weight, as sums over processes do, it silently takes wrong numbers.
    """
    return AdamW


def adamw8bit(device: torch.device) -> Maker:
    """AdamW by bitsandbytes, its moments in 8 bits: 2 bytes for each weight that learns."""
    try:
        library: Any = import_module("bitsandbytes.optim")
    except ImportError:
        raise UserError(
            "adamw8bit is not installed: `pip install 'groupshot[8bit]'`, or leave --optimiser out."
        ) from None
    if device.type == "cpu":
        raise UserError("adamw8bit needs a GPU, and there is none: leave --optimiser out.")
    return library.AdamW8bit


def step_at(optimiser: Optimizer, rate: float) -> None:
    """A step at a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()


OPTIMISERS: Mapping[str, Callable[[torch.device], Maker]] = {
    "adamw": adamw,
    "adamw8bit": adamw8bit,
}
"""Every optimiser by its name on the command line."""
