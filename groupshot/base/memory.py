"""Memory, and time: how a pipeline is made to take less of them."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import nn

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Half precisions, and torch's names for them."""

HALVED = ("unet", "text_encoder", "text_encoder_2")
"""The parts of a pipeline that lie in half precision, where anything does."""

TOGETHER = 256
"""Pixels a side of the largest pictures that pass through a VAE several at once."""

WRITTEN_OUT = 32
"""Side of the largest latents whose attention a CPU writes out in bf16."""


def lowered(device: torch.device, precision: str | None) -> AbstractContextManager[Any]:
    """Matrix products in a half precision; as they are in any other."""
    half = HALVES.get(precision or "")
    return torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None)


def attending(precision: str | None, side: int) -> AttnProcessor | AttnProcessor2_0:
    """How a CPU computes attention: fused, but small maps in bf16 as matrix products.

    Those are faster there; in fp32 they are slower, and large maps take too much memory.
    """
    return AttnProcessor() if precision == "bf16" and side <= WRITTEN_OUT else AttnProcessor2_0()


def spared(pipe: Any, precision: str | None, recompute: bool) -> Any:
    """The pipeline, its denoiser and text encoders in a half precision if `precision` is one.

    With `recompute` the denoiser's activations are computed again on the way back instead of kept
    (gradient checkpointing). Large pictures pass through the VAE one at a time. Weights lie with
    their channels last, which is faster on a CPU.
    """
    for net in (pipe.unet, pipe.vae):
        net.to(memory_format=torch.channels_last)
    if precision in HALVES:
        for name in set(HALVED) & pipe.components.keys():
            nn.Module.to(pipe.components[name], HALVES[precision])  # diffusers' own adds a warning
    if recompute:
        pipe.unet.enable_gradient_checkpointing()
    if pipe.vae.config.sample_size > TOGETHER:
        pipe.vae.enable_slicing()
    return pipe
