"""The peak of memory of a block of code."""

import pytest
import torch

from groupshot.benchmarks.meter import MIB, metered

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
