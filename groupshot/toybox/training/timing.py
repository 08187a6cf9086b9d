"""How long a base takes: seconds a picture, and seconds a training step."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from groupshot.toybox.training.loop import mixed_precision

PICTURES, PHOTOS = 8, 4
"""Pictures drawn at once, and photos in a training step."""
TRIES = 3
"""Times that each is measured, after once to warm up; the median counts."""


def figures(pipe: Any, draw: Callable[[int], object]) -> dict[str, float]:
    """`seconds.picture` in a batch of 8, `seconds.step` at batch 4 with the whole U-Net learning.

    `draw` makes so many pictures with the pipeline; everything on this machine, as it is now.
    """
    return {
        "seconds.picture": seconds(lambda: draw(PICTURES)) / PICTURES,
        "seconds.step": seconds(lambda: step(pipe)),
    }


def seconds(work: Callable[[], object]) -> float:
    """The median time that the work takes."""
    taken: list[float] = []
    for _ in range(1 + TRIES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken[1:])


def step(pipe: Any) -> None:
    """Gradients of all of the U-Net's weights from noise, and their end."""
    unet = pipe.unet.requires_grad_(True)
    side, device = unet.config.sample_size, pipe.device
    latents = torch.randn(PHOTOS, unet.config.in_channels, side, side, device=device)
    text = torch.randn(
        PHOTOS,
        pipe.tokenizer.model_max_length,
        unet.config.cross_attention_dim,
        device=device,
    )
    with mixed_precision(device):
        guess = unet(latents, torch.arange(PHOTOS, device=device), text, return_dict=False)[0]
    guess.float().square().mean().backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    unet.zero_grad()
    unet.requires_grad_(False)
