"""A prompt → pictures."""

from collections.abc import Iterator

import torch
from PIL.Image import Image as Picture

from groupshot.base import Base

TOGETHER = 4
"""Pictures that are drawn at once."""


def drawn(
    base: Base,
    prompt: str,
    *,
    n: int = 1,
    seed: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
) -> Iterator[Picture]:
    """`n` pictures one after another, with the base as it stands.

    Picture i has its own generator on the CPU, seeded `seed` + i. A UserError where the prompt
    names a concept that the base does not know.
    """
    for start in range(seed, seed + n, TOGETHER):
        seeds = range(start, min(start + TOGETHER, seed + n))
        generators = [torch.Generator().manual_seed(each) for each in seeds]
        latents = base.sampled([prompt] * len(seeds), generators, steps, guidance)
        yield from base.pictures(latents)


def generate(
    base: Base,
    prompt: str,
    *,
    n: int = 1,
    seed: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
) -> list[Picture]:
    """The same, all at once."""
    return list(drawn(base, prompt, n=n, seed=seed, steps=steps, guidance=guidance))
