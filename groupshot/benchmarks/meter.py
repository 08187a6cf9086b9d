"""The peak of memory of a block of code: of all tensors that live at once, computed or not."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

MIB = 2**20
aten = torch.ops.aten
PRODUCTS = {
    *(aten.convolution.default, aten.convolution_backward.default),
    *(aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default),
    aten._scaled_dot_product_flash_attention_for_cpu.default,
    aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
}
"""Where nearly all time goes."""


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


class Uncomputed(TorchDispatchMode):
    """Products that are all zeros, as large as they would be: a block for its memory alone.

    What a CPU needs beside its tensors, to make a product, is not taken then.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """An operation, or zeros in place of what it gives."""
        given = (args, kwargs or {})
        if func not in PRODUCTS:
            return func(*given[0], **given[1])
        shapes = tree_map_only(Tensor, lambda each: each.to("meta"), given)
        made = func(*shapes[0], **shapes[1])
        return tree_map_only(Tensor, lambda each: torch.zeros_like(each, device="cpu"), made)
