"""Memory: how a pipeline is made to take less of it."""

from typing import Any

import torch
from torch import nn

from groupshot.base.encoders import reader

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Half precisions, and torch's names for them."""

TOGETHER = 256
"""Pixels a side of the largest pictures that pass through a VAE several at once."""


def spared(pipe: Any, precision: str | None, recompute: bool) -> Any:
    """The pipeline, its denoiser and text encoders in a half precision if `precision` is one.

    With `recompute` the denoiser's activations are computed again on the way back instead of kept
    (gradient checkpointing). Large pictures pass through the VAE one at a time.
    """
    if precision in HALVES:
        for net in (pipe.unet, reader(pipe).net):
            nn.Module.to(net, HALVES[precision])  # diffusers' own only adds a warning
    if recompute:
        pipe.unet.enable_gradient_checkpointing()
    if pipe.vae.config.sample_size > TOGETHER:
        pipe.vae.enable_slicing()
    return pipe
