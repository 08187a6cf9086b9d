"""Run: the stages of a method's plan, optimised one after another."""

import json
import math
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import nn
from torch.optim import Optimizer

from groupshot import checkpoint, runfolder
from groupshot.ahead import ahead
from groupshot.base import Base
from groupshot.cast import Cast, check_nouns
from groupshot.checkpoint import Checkpoint, Place
from groupshot.errors import UserError, Visible
from groupshot.files import save_json, sweep
from groupshot.keep import Keep
from groupshot.learned import Learned
from groupshot.optimisers import OPTIMISERS, step_at
from groupshot.pictures import generate
from groupshot.presets import checked, fitted
from groupshot.runfolder import Trained
from groupshot.samples.room import check_room
from groupshot.signals import closed_in_time
from groupshot.stage import Method, Stage, Step
from groupshot.team import ALONE, Ended, Short, out_of_memory, present
from groupshot.weights import Part

LONGEST = 1.0
"""Norm that gradients are clipped to, as in every code of `papers.md`."""

EVERY = 50
"""Steps from one checkpoint to the next."""


class Run:
    """A method at work on a cast: `for step in run: …` trains, and may be left at any step."""

    def __init__(
        self,
        cast: Cast,
        *,
        method: Method | type[Method],
        out: str | Path,
        base: Base | str = "toybox",
        seed: int = 0,
        resume: bool = False,
    ) -> None:
        """Prepare a run into the folder `out`; nothing is written before the first step.

        A method is taken as it is, its class as it is usually used on the base.

        A UserError where `out` is taken, with `resume` by another run, or a class word is unknown.
        """
        self.cast = cast
        self.out = Path(out)
        self.team = present()
        before = self.team.led(lambda: runfolder.begun(self.out, resume))
        self.base = Base.load(base) if isinstance(base, str) else base
        usual = fitted(method, self.base) if isinstance(method, type) else method
        self.method: Method = checked(usual)
        if self.base.lexicon:
            check_nouns(cast, self.base.lexicon)
        fields = json.loads(json.dumps(asdict(self.method)))  # type: ignore[call-overload]
        self.record = self.team.led(
            lambda: runfolder.record(cast, self.base, self.method.name, fields, seed)
        )
        self._optimiser = OPTIMISERS[self.base.optimiser](self.base.device)
        if before is not None:
            self.record = runfolder.resumed(self.out, before, self.record)
        self._most = runfolder.most(self.record)
        self._learners: dict[Part, Optimizer] = {}
        self._live, self._enough = False, False

    @property
    def finished(self) -> bool:
        """Whether all stages are done, and what was learned is in the folder."""
        return (self.out / runfolder.LEARNED).is_file()

    def __iter__(self) -> Generator[Step]:
        """Train from where the folder stands, and give each step once it is made.

        Left early, it writes a checkpoint; left in any way, the base is as it was found.
        """
        return closed_in_time(self._steps())

    def _steps(self) -> Generator[Step]:
        """The steps, each when it is asked for."""
        if self.finished:
            return
        lock = runfolder.locked(self.out) if self.team.leads else nullcontext()
        with lock, self._settled(), self.base.borrowed(), ahead(self.record["seed"]) as self._ahead:
            self._live = True
            try:
                began = time.monotonic()
                yield from self._stages(began)
                self._finish(time.monotonic() - began)
            finally:
                self._live = False
                self._learners = {}

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Picture]:
        """Pictures of what is learned: by now inside the loop, in the end after it."""
        if self._live:
            return generate(self.base, prompt, n=n, seed=seed, steps=steps, guidance=guidance)
        return self.trained().generate(prompt, n=n, seed=seed, steps=steps, guidance=guidance)

    def stop(self) -> None:
        """Inside the loop: let this step be the last, and what is learned by now the end."""
        self._enough = True

    def trained(self) -> Trained:
        """The finished run as its folder holds it."""
        return Trained.load(self.out, self.base)

    @contextmanager
    def _settled(self) -> Generator[None]:
        """Threads and precision as the run was begun with, and afterwards as they were."""
        threads = torch.get_num_threads()
        torch.set_num_threads(self.record["threads"])
        try:
            with self.base.computing(self.record["precision"]):
                yield
        finally:
            torch.set_num_threads(threads)

    def _stages(self, began: float) -> Iterator[Step]:
        """Every stage of the plan that is not done yet."""
        saved = Checkpoint.load(self.out / runfolder.CHECKPOINT)
        goal = saved.place.stage
        for stage in self._planned():
            self._enlist(stage, saved)
            if goal and stage.name != goal:
                continue  # done before the interruption
            first = saved.place.step if goal else 0
            goal = ""
            anew = stage.train if stage.fresh and not first else ()
            for part in anew:
                self._learners[part].state.clear()
            for number in range(first + 1, stage.steps + 1):
                most, losses = self._most, self._step(stage, number)
                if number % EVERY == 0 or number == stage.steps:
                    self._save(stage, number)
                step = Step(
                    stage=stage.name,
                    number=number,
                    steps=stage.steps,
                    losses=losses,
                    seconds=time.monotonic() - began,
                    note="" if self._most == most else out_of_memory(self._most),
                )
                try:
                    yield step
                except GeneratorExit:
                    self._save(stage, number)
                    raise
                if self._enough:
                    return

    def _planned(self) -> Iterator[Stage[Any]]:
        """The stages of the plan, in a folder that is left only if the plan came to the first.

        Or if there is something in it to look at.
        """
        fresh = self.team.leads and not (self.out / runfolder.RECORD).is_file()
        if self.team.leads:
            sweep(self.out)
            save_json(self.out / runfolder.RECORD, self.record)
        keep = Keep(self.out / "kept", self.record["seed"], self.team)
        plan = self.method.plan(self.base, self.cast, keep)
        try:
            first = next(plan)
            check_room(self.base, self.cast)
        except (Visible, Ended):
            raise
        except UserError:
            if fresh:
                shutil.rmtree(self.out)
            raise
        yield first
        yield from plan

    def _enlist(self, stage: Stage[Any], saved: Checkpoint) -> None:
        """Give the stage's new parts an optimiser each, and let only the stage's parts learn."""
        for part in stage.train:
            if part not in self._learners:
                self._learners[part] = self._optimiser(part.tensors.values())
                self._learners[part].zero_grad()  # what earlier stages left there
                saved.resumed(part, self._learners[part])
        for part in self._learners:
            for tensor in part.tensors.values():
                tensor.requires_grad_(part in stage.train)

    def _step(self, stage: Stage[Any], number: int) -> dict[str, float]:
        """One step of gradient descent: its chance is its own, its losses are given."""
        learning = [tensor for part in stage.train for tensor in part.tensors.values()]
        scale = self.base.scale
        while True:
            losses = self._fitted(stage, number, scale)
            self.team.average(learning)
            for gradient in (tensor.grad for tensor in learning if tensor.grad is not None):
                gradient /= scale
            if nn.utils.clip_grad_norm_(learning, LONGEST).isfinite():
                break
            if scale == 1:
                raise UserError(
                    f"{stage.name} has no finite gradient at step {number}: learn slower."
                )
            scale /= 2  # fp16 has overflowed
            self._forget()
        for part, rate in stage.train.items():
            step_at(self._learners[part], rate * stage.schedule((number - 1) / stage.steps))
        self._forget()
        return losses

    def _forget(self) -> None:
        """Drop all gradients."""
        for optimiser in self._learners.values():
            optimiser.zero_grad()

    def _fitted(self, stage: Stage[Any], number: int, scale: float) -> dict[str, float]:
        """Losses and gradients of a step; where memory is short of it, in smaller pieces."""
        while True:
            with suppress(Short):
                return self._felt(stage, number, scale)
            self._most = self._halved(stage)
            self._forget()
            torch.cuda.empty_cache()

    def _felt(self, stage: Stage[Any], number: int, scale: float) -> dict[str, float]:
        """Losses of a step, its gradients × scale left in the weights; Short if memory is."""
        shares = (ALONE, None) if stage.whole else (self.team, self._most)
        with self.team.trying():
            drawn, generator = self._ahead(stage, number)
            batch = stage.samples(drawn, generator)
            with self.base.shares.taken(*shares):
                terms = stage.loss(batch, generator)
            losses = {name: term.item() for name, term in terms.items()}
            if not all(map(math.isfinite, losses.values())):
                raise UserError(f"Step {number} of {stage.name} loses {losses}: learn slower.")
            (scale * torch.stack(list(terms.values())).sum()).backward()
        return losses

    def _halved(self, stage: Stage[Any]) -> int:
        """Half of what has been too much at once; a UserError if nobody asked, or one is."""
        widest = self.base.shares.widest
        lacks = f"{stage.name} needs more memory than there is"
        if self.record["microbatch"] != "auto":
            raise UserError(f"{lacks}: try --microbatch auto, with --resume.")
        if stage.whole or widest < 2:
            raise UserError(f"{lacks}, even bit by bit: try --recompute, with --resume.")
        return math.ceil(widest / 2)

    def _save(self, stage: Stage[Any], number: int) -> None:
        if not self.team.leads:
            return
        place = Place(stage=stage.name, step=number)
        checkpoint.save(self.out / runfolder.CHECKPOINT, place, self._learners)

    def _finish(self, seconds: float) -> None:
        """Leave what was learned, and nothing that only a resumption would need."""
        if self.team.leads:
            self.record["microbatch"] = self._most or self.record["microbatch"]
            save_json(self.out / runfolder.RECORD, self.record | {"seconds": round(seconds, 1)})
            Learned.of(self._learners).save(self.out / runfolder.LEARNED)
            (self.out / runfolder.CHECKPOINT).unlink(missing_ok=True)
        self.team.agree()


def train(
    cast: Cast,
    *,
    method: Method | type[Method],
    out: str | Path,
    base: Base | str = "toybox",
    seed: int = 0,
    resume: bool = False,
) -> Trained:
    """Run a method from beginning to end, or with `resume` from where it was interrupted."""
    run = Run(cast, method=method, out=out, base=base, seed=seed, resume=resume)
    for _ in run:
        pass
    return run.trained()
