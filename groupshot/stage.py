"""Stage: some steps of gradient descent; a method is a plan of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.keep import Keep
from groupshot.weights import Part

B = TypeVar("B")


def numbered(step: int, generator: torch.Generator) -> int:
    """A step that draws nothing ahead."""
    return step


def constant(progress: float) -> float:
    """The same learning rate from the beginning (progress 0) to the end (1)."""
    return 1.0


def falling(progress: float) -> float:
    """A learning rate that falls in a straight line to a tenth."""
    return 1.0 - 0.9 * progress


Schedule = Literal["constant", "falling"]
SCHEDULES: Mapping[Schedule, Callable[[float], float]] = {"constant": constant, "falling": falling}
"""How learning rates go, by the name that methods' fields have for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[B]):
    """Steps of gradient descent on one loss: what learns how fast, from what, for how long."""

    name: str
    """Unique in its plan: every draw of the stage is seeded by it."""
    train: Mapping[Part, float]
    """What learns, and its learning rate; a part that learned before goes on where it was."""
    samples: Callable[[Any, torch.Generator], B]
    """The batch of a step, from what `draws` gave and the rest of the step's chance."""
    loss: Callable[[B, torch.Generator], dict[str, Tensor]]
    """The terms of the loss by name; what is minimised is their sum."""
    steps: int
    draws: Callable[[int, torch.Generator], Any] = numbered
    """What a step, from 0, draws without the base: it is called in a thread, while the step before
    is taken. Usually nothing but its number."""
    schedule: Callable[[float], float] = constant
    """What the learning rates are multiplied by, from progress 0 to 1."""
    whole: bool = False
    """Whether the denoiser must see a step's batch at once; else it is taken in shares if asked.

    In shares, what `loss` reads of the denoiser it reads by `base.predicted` and
    `attention.recorded`, and what changes the denoiser has come by `base.attach`: a pass may be
    made again when `loss` has ended.
    """
    fresh: bool = False
    """Whether what learned before begins with new moments: those of a far steeper loss, which the
    optimiser divides by, would keep it slow for hundreds of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is interesting about a step that has been made."""

    stage: str
    number: int
    """From 1 to `steps`."""
    steps: int
    losses: dict[str, float]
    seconds: float
    """Since the run was begun or resumed."""
    note: str = ""
    """What should be said of it, if anything."""


@runtime_checkable
class Method(Protocol):
    """A paper: a frozen dataclass of JSON values, whose plan yields the stages to optimise."""

    name: ClassVar[str]

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Any]]:
        """Yield stages; what follows a `yield` runs when that stage has been optimised.

        On resume finished stages are passed over. So whatever is costly, or reads weights between
        two stages, stands in a `keep`.
        """
        ...
