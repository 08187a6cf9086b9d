"""Processes that train one network together do what one process does."""

import multiprocessing
import weakref
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from groupshot.toybox.muon import Muon
from groupshot.toybox.training.team import ALONE, Team, met, shared_out

SIDES = ((16, 48), (32, 16), (24, 24))


def trained(team: Team) -> list[torch.Tensor]:
    """Weights after two steps; each of a team starts from gradients of its own."""
    weights = [torch.nn.Parameter(torch.ones(*shape)) for shape in SIDES]
    muon = Muon(weights, lr=0.1, spread=team.spread)
    for step in range(2):
        generator = torch.Generator().manual_seed(step)
        grads = [torch.randn(2, *shape, generator=generator) for shape in SIDES]
        for p, both in zip(weights, grads, strict=True):
            p.grad = both.mean(0) if team.size == 1 else both[team.rank].clone()
        team.average(weights)
        muon.step()
    return [p.detach() for p in weights]


def member(rank: int, folder: Path) -> None:
    with met(2, rank, folder / "meeting") as team:
        weights = trained(team)
        group = weakref.ref(dist.group.WORLD)
    save_file({str(i): w for i, w in enumerate(weights)}, folder / str(rank))
    assert group() is None, "its threads are still there, and may abort a process that ends"


def test_two_processes_train_what_one_does(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    members = [context.Process(target=member, args=(rank, tmp_path)) for rank in range(2)]
    for process in members:
        process.start()
    for process in members:
        process.join(60)
        assert process.exitcode == 0
    first, second = (load_file(tmp_path / str(rank)) for rank in range(2))
    for i, alone in enumerate(trained(ALONE)):
        assert torch.equal(first[str(i)], second[str(i)])
        torch.testing.assert_close(first[str(i)], alone, rtol=0, atol=2e-3)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_work_is_shared_out_evenly(size: int):
    costs = [7, 1, 5, 3, 2, 6]
    owners = shared_out(costs, size)
    loads = [
        sum(c for c, o in zip(costs, owners, strict=True) if o == rank) for rank in range(size)
    ]
    assert max(loads) - min(loads) <= 2
