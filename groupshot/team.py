"""Team: processes that train one model together, and end together.

`torchrun` and `accelerate launch` start them, each with the same command line.
"""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from groupshot.errors import UserError

T = TypeVar("T")

WELL, SHORT, ENDED = range(3)
"""How a process is, the worst last: well, short of memory, or at its end."""

PATIENCE = timedelta(days=7)
"""How long a process waits for a living one: the leader may have much to draw."""


LAST_WORDS = 1.0
"""Seconds that the leader has to speak, since launchers end all others when the first has ended."""


class Short(Exception):
    """One of the team has no memory left for what all are at; they may try less of it."""


def out_of_memory(most: int | None) -> str:
    """What is said of a step that has been made again in smaller pieces."""
    return f"out of memory, so made again: {most} pictures at a time from here on"


class Ended(UserError):
    """What has ended another of the team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One of `size` processes. All do the same; only the first, who leads, writes and speaks."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the first."""
        return self.rank == 0

    def led(self, work: Callable[[], T]) -> T:
        """What the leader's work gives, in every process."""
        given: list[Any] = [work()] if self.leads else [None]
        self.agree()
        if self.size > 1:
            with lost():
                dist.broadcast_object_list(given)
        return given[0]

    @contextmanager
    def trying(self) -> Generator[None]:
        """All get through the block; or Short of memory, none does."""
        try:
            yield
        except torch.OutOfMemoryError:
            self.agree(SHORT)
        else:
            self.agree()

    def agree(self, state: int = WELL, sentence: str = "") -> None:
        """Go on once all have come here: raise Short or Ended in all where one is not well.

        Whoever waits for others waits here before, so that there is nothing else to wait for.
        """
        worst = (
            int(self.summed(torch.tensor([state]), dist.ReduceOp.MAX)) if self.size > 1 else state
        )
        if worst == ENDED:
            raise Ended(self._said(sentence))
        if worst == SHORT:
            raise Short

    def summed(self, tensor: Tensor, by: Any = dist.ReduceOp.SUM) -> Tensor:
        """The tensor, now the sum of all processes' tensors, to the last bit the same in each."""
        with lost():
            dist.all_reduce(tensor, by)
        return tensor

    @torch.no_grad()
    def average(self, weights: Sequence[Tensor]) -> None:
        """Make gradients the mean over all; what nobody has a gradient of has none after."""
        if self.size == 1:
            return
        used = self.summed(torch.tensor([weight.grad is not None for weight in weights]).int())
        for weight, times in zip(weights, used.tolist(), strict=True):
            if times:
                own = torch.zeros_like(weight) if weight.grad is None else weight.grad
                weight.grad = self.summed(own.contiguous()) / self.size

    def _said(self, sentence: str) -> str:
        """The first of the sentences that the processes end with."""
        said = [sentence] * self.size
        with lost():
            dist.all_gather_object(said, sentence)
        return next(filter(None, said))


ALONE = Team()


def present() -> Team:
    """The team that this process is in."""
    if dist.is_available() and dist.is_initialized():
        return Team(rank=dist.get_rank(), size=dist.get_world_size())
    return ALONE


@contextmanager
def gathered() -> Generator[Team]:
    """The processes launched with this one, for a block that they leave together.

    Whatever ends one ends all: the leader raises it, so that it is said once.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    begin()
    team, failed = present(), True
    try:
        with silent(team):
            yield team
        team.agree()
        failed = False
    except Ended:
        raise
    except Exception as trouble:
        with suppress(Ended):
            team.agree(ENDED, sentence(trouble, team))
        raise
    finally:
        dist.destroy_process_group()
        if failed and not team.leads:
            time.sleep(LAST_WORDS)


def begin() -> None:
    """Meet the others, on the GPU of this one if there are any."""
    backend = "gloo"
    if torch.cuda.is_available():
        own, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if own >= there:
            raise UserError(f"there are more processes than GPUs ({there}): launch one for each")
        torch.cuda.set_device(own)
        backend = "cpu:gloo,cuda:nccl"
    # Imported later, its functions' defaults would keep hold of the group, whose threads would
    # outlive it and could abort a process that ends.
    import_module("torch.distributed.nn")
    dist.init_process_group(backend, timeout=PATIENCE)


def sentence(trouble: Exception, team: Team) -> str:
    """What others are told of a process's end."""
    if isinstance(trouble, UserError):
        return str(trouble)
    return f"process {team.rank + 1} of {team.size} has failed, and says itself how"


@contextmanager
def silent(team: Team) -> Generator[None]:
    """Let only the leader print, and draw progress bars."""
    with ExitStack() as mute:
        if not team.leads:
            nowhere = mute.enter_context(open(os.devnull, "w", encoding="utf-8"))
            mute.enter_context(redirect_stdout(nowhere))
            mute.enter_context(redirect_stderr(nowhere))
        yield


@contextmanager
def lost() -> Generator[None]:
    """Say in one sentence that another process is gone, whose end torch reports at length."""
    try:
        yield
    except RuntimeError:
        raise Ended(
            "another process of those that train together has gone: go on with --resume"
        ) from None
