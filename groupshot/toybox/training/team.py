"""Several processes that train one network together: on a CPU faster than threads of one."""

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from groupshot.toybox.muon import Work, here


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One of `size` processes; the first leads: it keeps the time and writes the files."""

    rank: int = 0
    size: int = 1

    def led(self, value: float) -> float:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)

    @torch.no_grad()
    def average(self, parameters: Sequence[Tensor]) -> None:
        """Every process's gradients become the mean over all."""
        if self.size == 1:
            return
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        dist.all_reduce(flat)
        flat /= self.size
        for p, grad, mean in zip(
            parameters, grads, flat.split([g.numel() for g in grads]), strict=True
        ):
            p.grad = grad.copy_(mean.view(grad.shape))

    def spread(self, matrices: Sequence[Tensor], work: Work) -> list[Tensor]:
        """Each matrix worked on by one of the team; all get the results, as bfloat16 keeps them."""
        if self.size == 1:
            return here(matrices, work)
        owners = shared_out([m.numel() * min(m.shape) for m in matrices], self.size)
        own = [work(m) for m, owner in zip(matrices, owners, strict=True) if owner == self.rank]
        results = [torch.empty(0) for _ in matrices]
        for rank in range(self.size):
            jobs = [i for i, owner in enumerate(owners) if owner == rank]
            sizes = [matrices[i].numel() for i in jobs]
            flat = torch.empty(sum(sizes), dtype=torch.bfloat16)
            if rank == self.rank:
                flat.copy_(torch.cat([one.flatten() for one in own]))
            dist.broadcast(flat, rank)
            for i, one in zip(jobs, flat.split(sizes), strict=True):
                results[i] = one.view(matrices[i].shape).to(matrices[i].dtype)
        return results


def shared_out(costs: Sequence[int], size: int) -> list[int]:
    """Who of `size` takes each job: the dearest first, to whoever has least to do."""
    owners, loads = [0] * len(costs), [0] * size
    for i in sorted(range(len(costs)), key=lambda i: -costs[i]):
        owners[i] = loads.index(min(loads))
        loads[owners[i]] += costs[i]
    return owners


ALONE = Team()


@contextmanager
def gathered(size: int, rank: int, folder: Path) -> Generator[Team]:
    """The team of this command line: its leader starts the others, who run the same command."""
    if size == 1:
        yield ALONE
        return
    meeting = folder.resolve() / "team"
    others: list[subprocess.Popen[bytes]] = []
    if rank == 0:
        meeting.unlink(missing_ok=True)
        command = [sys.executable, "-m", "groupshot.toybox.training", *sys.argv[1:], "--rank"]
        others = [subprocess.Popen([*command, str(other)]) for other in range(1, size)]
    try:
        with met(size, rank, meeting) as team:
            yield team
    finally:
        for other in others:
            other.wait()


@contextmanager
def met(size: int, rank: int, meeting: Path) -> Generator[Team]:
    """One of a team whose others are there, or soon will be; they meet in a file."""
    import_module("torch.distributed.nn")  # imported later, it would keep hold of the group
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    try:
        yield Team(rank=rank, size=size)
    finally:
        dist.destroy_process_group()
