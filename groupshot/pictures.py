"""A prompt → pictures."""

import sys
from collections.abc import Iterator, Sequence

import torch
from PIL.Image import Image as Picture

from groupshot.base import Base, is_withheld
from groupshot.samples.captions import listed

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
    """The same, all at once; those that are withheld are told."""
    made = list(drawn(base, prompt, n=n, seed=seed, steps=steps, guidance=guidance))
    blank = [f"picture {i} of '{prompt}'" for i, each in enumerate(made) if is_withheld(each)]
    tell_withheld(blank, "try another seed")
    return made


def tell_withheld(names: Sequence[str], remedy: str) -> None:
    """Say on stderr, in one line, which pictures the base's safety checker has made blank."""
    if names:
        were = "was" if len(names) == 1 else "were"
        print(
            f"{listed(names)} {were} withheld by the base's safety checker: {remedy}",
            file=sys.stderr,
        )
