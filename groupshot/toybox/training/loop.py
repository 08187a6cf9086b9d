"""The loop that all stages share: a time budget, checkpoints, a progress line."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from groupshot.signals import interruptible
from groupshot.toybox.training.recipe import SAVE_EVERY, Pace
from groupshot.toybox.training.state import Trainee
from groupshot.toybox.training.team import ALONE, Team

DECAYING = 0.6
"""Share of a decaying call in which the learning rate falls to nothing."""

Rng = np.random.Generator


@runtime_checkable
class Stage(Protocol):
    """A network to train, and how."""

    name: str
    pace: Pace

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    def losses(self, step: int, progress: float) -> dict[str, Tensor]:
        """Terms whose sum is minimised; `progress` is 0 unless this call is to be the last."""
        ...

    def publish(self, weights: dict[str, Tensor]) -> None:
        """Write the networks with these weights to the folder of finished parts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a call may take, and whether the learning rate falls to nothing at its end."""

    seconds: float
    decay: bool = False
    steps: int | None = None
    """Steps after which it stops even so; for tests."""


@dataclass(slots=True)
class Watch:
    """Times of one call, and the printed progress."""

    budget: Budget
    start: float
    printed: float = 0.0
    saved: float = 0.0
    seen: int = 0
    smooth: dict[str, float] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.start

    @property
    def progress(self) -> float:
        """Share of the budget used, where the call is to end in decay."""
        return min(1.0, self.elapsed / self.budget.seconds) if self.budget.decay else 0.0

    def open(self, steps: int) -> bool:
        """Whether there is time for another step after so many."""
        enough = self.budget.steps is not None and steps >= self.budget.steps
        return self.elapsed < self.budget.seconds and not enough


def run(stage: Stage, folder: Path, budget: Budget, team: Team = ALONE) -> Trainee:
    """Train from the last checkpoint in `folder` until the time is up, then publish."""
    trainee = Trainee(stage.model, stage.pace.ema, team.spread)
    path = folder / stage.name / "state.safetensors"
    if path.exists():
        trainee.load(path)
    before, first, watch = trainee.seconds, trainee.step, Watch(budget, time.monotonic())
    with interruptible() as stopped:
        while team.led(not stopped and watch.open(trainee.step - first)):
            advance(stage, trainee, watch, team)
            trainee.seconds = before + watch.elapsed
            if watch.elapsed - watch.saved > SAVE_EVERY and team.rank == 0:
                trainee.save(path)
                watch.saved = watch.elapsed
    if team.rank == 0:
        trainee.save(path)
        stage.publish(trainee.averaged())
    team.led(0)  # nobody goes on before the files are there
    return trainee


def advance(stage: Stage, trainee: Trainee, watch: Watch, team: Team) -> None:
    """One step, with its line of progress; each of a team sees another batch."""
    progress = team.led(watch.progress)
    losses = stage.losses(trainee.step * team.size + team.rank, progress)
    torch.stack(list(losses.values())).sum().backward()
    team.average(trainee.parameters)
    trainee.update(rate_at(stage.pace, trainee.step, progress))
    watch.seen += stage.pace.batch * team.size
    if team.rank == 0:
        report(stage, trainee, watch, {k: float(v.detach()) for k, v in losses.items()})


def rate_at(pace: Pace, step: int, progress: float) -> float:
    """Warm-up, a plateau, and in a decaying call a straight line to zero."""
    warm = min(1.0, (step + 1) / pace.warmup)
    return pace.rate * warm * min(1.0, max(0.0, 1.0 - progress) / DECAYING)


def report(stage: Stage, trainee: Trainee, watch: Watch, losses: dict[str, float]) -> None:
    """Print how it goes: often on a terminal, every half minute in a log."""
    old = watch.smooth or losses
    watch.smooth = {k: 0.98 * old[k] + 0.02 * v for k, v in losses.items()}
    live = sys.stderr.isatty()
    if watch.elapsed - watch.printed < (1.0 if live else 30.0):
        return
    terms = " ".join(f"{k} {v:.4f}" for k, v in watch.smooth.items())
    left = max(0, round(watch.budget.seconds - watch.elapsed))
    pace, time_left = (
        f"{watch.seen / watch.elapsed:.1f} img/s",
        f"{left // 60}:{left % 60:02d} left",
    )
    line = f"{stage.name} step {trainee.step} · {pace} · {terms} · {time_left}"
    print(line, end="\r" if live else "\n", file=sys.stderr, flush=True)
    watch.printed = watch.elapsed


def rng_at(*numbers: int) -> Rng:
    """A generator that depends on nothing but these numbers."""
    return np.random.default_rng(numbers)


def noise_at(*numbers: int) -> torch.Generator:
    """The same for tensors."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(seed)


def mixed_precision(device: torch.device) -> torch.autocast:
    """The precision that is fastest here: bfloat16 where there is hardware for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device))


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster than float32 ones on the device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]
