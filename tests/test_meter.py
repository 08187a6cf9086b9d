"""The peak of memory of a block of code."""

from contextlib import nullcontext

import pytest
import torch

from groupshot.benchmarks.meter import MIB, Uncomputed, metered

CPU = torch.device("cpu")


def test_what_lives_at_once_is_counted_and_what_is_gone_is_not():
    with metered(CPU, held=MIB) as use:
        kept = torch.zeros(4 * MIB, dtype=torch.uint8)
        for _ in range(3):
            passing = torch.ones(8 * MIB, dtype=torch.uint8)
            del passing
    assert use.peak / MIB == pytest.approx(13, abs=0.1)
    assert use.held / MIB == pytest.approx(5, abs=0.1)
    assert len(kept)


def test_what_one_block_took_the_next_may_give_back():
    kept: list[torch.Tensor] = []
    with metered(CPU) as first:
        kept.append(torch.zeros(4 * MIB, dtype=torch.uint8))
    with metered(CPU, first.held) as then:
        kept.clear()
    assert first.held == then.peak == 4 * MIB
    assert then.held == 0


def test_what_is_not_computed_takes_as_much(base):
    def step() -> None:
        latents = torch.randn(2, 4, 8, 8)
        text = base.text(["a cat", "a dog"])
        guess = base.predicted(latents, torch.tensor([1, 2]), text)
        guess.float().square().mean().backward()

    with base.borrowed():
        base.unet.requires_grad_(True)
        peaks = []
        for block in (nullcontext(), Uncomputed()):
            base.unet.zero_grad()
            with block, metered(CPU) as use:
                step()
            peaks.append(use.peak)
    assert peaks[1] == pytest.approx(peaks[0], rel=0.02)  # convolutions need room of their own


def test_products_are_zeros_and_all_else_is_computed():
    one = torch.ones(3, 4)
    with Uncomputed():
        product, total = one @ one.T, one + one
    assert product.shape == (3, 3) and not product.any()
    assert (total == 2).all()
