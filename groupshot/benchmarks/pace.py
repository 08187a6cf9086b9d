"""What methods' steps cost beside a plain LoRA's: `python -m groupshot.benchmarks.pace`.

On a CPU the steps of ours and of the plain ones take turns, so that what slows the machine down for
a while slows all of them. On a GPU, and with `--memory`, each has it for itself, one after another,
and its own peak of memory; on a CPU nothing is timed then, and no product computed. Neither side
learns priors, and both have the same batch, precision and LoRA. With `--base sd15`, `sd21-base`,
`sd21` or `sdxl` weights are random, of the published configuration.
"""

import argparse
import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from torch import nn

from groupshot.base import Base, quiet
from groupshot.bench.processes import apart
from groupshot.benchmarks.meter import MIB, Uncomputed, metered
from groupshot.benchmarks.pace_table import HEADING, SIDES, Row
from groupshot.benchmarks.plain import Plain, begun
from groupshot.benchmarks.published import PUBLISHED, published
from groupshot.cast import Cast
from groupshot.fields import fields_of
from groupshot.folders import filled
from groupshot.methods import METHODS
from groupshot.presets import fitted
from groupshot.run import Run
from groupshot.toybox.casts import save, save_hand_masks
from groupshot.toybox.troupes import trio
from groupshot.weights import ATTENTION

WARM = 2
"""Steps of each stage that are not timed: the first holds all that is prepared."""

MEASURED: Mapping[str, Any] = {
    "priors": 0,
    "crops": 1,
    "strangers": 0.0,
    "backdrops": ("photos",),
    "hand_masks": True,
    "contrastive": False,
    "learns": "lora",
    "weights": "lora",
}
"""Fields as they are measured, where a method has them: masks by hand, a LoRA, no priors,
one crop of each photo."""

Timed = Generator[tuple[str, float]]
"""The stage and the seconds of each step, made when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be measured."""

    base: str
    device: str
    precision: str
    recompute: bool
    method: str
    steps: int
    cast: Path
    out: Path
    """A folder to work in."""
    memory: bool = False
    """Whether peaks of memory are wanted on a CPU too."""

    @property
    def timed(self) -> bool:
        """Whether seconds mean anything."""
        return not self.memory or self.device != "cpu"

    @property
    def more(self) -> int:
        """Steps of each stage beside those that are asked for."""
        return WARM if self.timed else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What it took."""

    steps: list[tuple[str, float]]
    """The stage and the seconds of each."""
    prepared: int = 0
    """MiB at most, to the end of the first step; 0 where nobody asked."""
    peak: int = 0
    """And in the steps after it."""

    def step(self, numbers: Sequence[int]) -> float:
        """The median of the seconds of some steps; of all, where there are fewer than that."""
        some = [self.steps[i] for i in numbers if i < len(self.steps)] or self.steps[WARM:]
        return median(seconds for _, seconds in some)


def side(asked: Asked, who: str, base: Base) -> Timed:
    """The steps of one of SIDES, on a base of its own; the plain ones without end."""
    method = measured(asked.method, base, asked.steps + asked.more)
    if who == "ours":
        cast = cast_of(asked.cast, asked.out / "cast", base.size)
        made = METHODS[asked.method](**method)
        return ours(Run(cast, base=base, method=made, out=asked.out / "run"))
    rank, modules = method.get("rank", 16), method.get("modules", ATTENTION)
    return theirs(base, begun(base, rank, modules, method["batch"], who == "words"))


def ours(run: Run) -> Timed:
    """The steps of a run."""
    began = now(run.base.device)
    for step in run:
        yield step.stage, now(run.base.device) - began
        began = now(run.base.device)


def theirs(base: Base, plain: Plain) -> Timed:
    """Plain steps."""
    while True:
        began = now(base.device)
        plain.step()
        yield "", now(base.device) - began


def now(device: torch.device) -> float:
    """The time, when all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def in_turns(asked: Asked) -> dict[str, Taken]:
    """The steps of each side, made in turns for as long as ours go on."""
    turns = zip(*[side(asked, who, base_of(asked)) for who in SIDES], strict=False)
    return {
        who: Taken(steps=list(steps))
        for who, steps in zip(SIDES, zip(*turns, strict=True), strict=True)
    }


def alone(asked: Asked, who: str) -> Taken:
    """The steps of one side, and what memory they took, with the base that they are made on.

    How the base came there is not counted: it was loaded, and halved, before it was on a GPU.
    """
    quiet()
    device, base = torch.device(asked.device), base_of(asked)
    skipping = nullcontext() if asked.timed else Uncomputed()
    with skipping, metered(device, size(base)) as before:
        turns = side(asked, who, base)
        first = next(turns)
    with skipping, metered(device, before.held) as after:
        rest = list(turns if who == "ours" else islice(turns, asked.steps + asked.more - 1))
    return Taken(steps=[first, *rest], prepared=before.peak // MIB, peak=after.peak // MIB)


def size(base: Base) -> int:
    """What a base's weights take, in bytes."""
    nets = [net for net in base.pipe.components.values() if isinstance(net, nn.Module)]
    return sum(each.nbytes for net in nets for each in net.state_dict().values())


def one_by_one(asked: Asked) -> dict[str, Taken]:
    """The steps of each side, each in a process of its own: it leaves no memory behind.

    The plain steps with words are there for their time alone.
    """
    return {who: apart(alone, asked, who) for who in SIDES if asked.timed or who != "words"}


def rows(asked: Asked) -> Generator[Row]:
    """What each stage of a method costs."""
    found = (one_by_one if asked.memory or asked.device != "cpu" else in_turns)(asked)
    own = found["ours"]
    for stage, of_stage in groupby(enumerate(own.steps), key=lambda each: each[1][0]):
        counted = [number for number, _ in of_stage][WARM:]
        yield Row(
            base=asked.base,
            method=asked.method,
            stage=stage,
            seconds={who: found[who].step(counted) for who in SIDES if asked.timed},
            prepared=own.prepared,
            peak=own.peak,
            plain_peak=found["plain"].peak,
        )


def measured(name: str, base: Base, steps: int) -> dict[str, Any]:
    """A method's fields as they are measured."""
    known = {field.name for field in fields_of(METHODS[name])}
    counts = dict.fromkeys(("steps", "token_steps", "weight_steps", "refresh"), steps)
    said = {k: v for k, v in {**MEASURED, **counts}.items() if k in known}
    if name == "clif":
        del said["learns"]  # what its contrast changes, which is not measured
    return asdict(fitted(METHODS[name], base, **said))  # type: ignore[call-overload]


def cast_of(given: Path, folder: Path, size: int) -> Cast:
    """Three of the world's, two of one class, with masks, as large as a base's pictures."""
    if given != Path():
        return Cast.load(given)
    with filled(folder) as draft:
        troupe = trio(0)
        save(draft, troupe)
        save_hand_masks(draft, troupe.album)
        for file in draft.rglob("*.png"):
            with Image.open(file) as picture:
                larger = picture.resize((2 * size, 2 * size), Image.Resampling.NEAREST)
            larger.save(file)
    return Cast.load(folder)


def base_of(asked: Asked) -> Base:
    """The base to be measured on, by its name here or anywhere."""
    if asked.base in PUBLISHED:
        return published(asked.base, asked.device, asked.precision, asked.recompute)
    base = Base.load(asked.base, asked.device, asked.precision, asked.recompute)
    base.precision = asked.precision
    return base


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="toybox", help=f"of {', '.join(PUBLISHED)}, or any")
    parser.add_argument("--methods", default="far,concept-driven", help="NAME,NAME, or all")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cast", type=Path, default=Path(), help="(three drawn by the world)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", help="(bf16 on a GPU, else fp32)")
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--memory", action="store_true", help="its peak, on a CPU too")
    parser.add_argument("--json", type=Path, help="add the rows to this file, a line each")
    said = parser.parse_args()
    quiet()
    precision = said.precision or ("bf16" if said.device == "cuda" else "fp32")
    print(f"{said.device}, {precision}, {torch.get_num_threads()} threads, {said.steps} steps")
    print(HEADING)
    for name in METHODS if said.methods == "all" else said.methods.split(","):
        with TemporaryDirectory() as folder:
            asked = Asked(
                base=said.base,
                device=said.device,
                precision=precision,
                recompute=said.recompute,
                method=name,
                steps=said.steps,
                cast=said.cast,
                out=Path(folder),
                memory=said.memory,
            )
            for row in rows(asked):
                print(row, flush=True)
                if said.json:
                    with said.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(row)) + "\n")


if __name__ == "__main__":
    main()
