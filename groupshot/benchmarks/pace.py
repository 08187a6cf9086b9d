"""What methods' steps cost beside a plain LoRA's: `python -m groupshot.benchmarks.pace`.

On a CPU the steps of ours and of the plain ones take turns, so that what slows the machine down for
a while slows all of them. On a GPU each has it for itself, one after another, and its own peak of
memory. Neither side learns priors, and both have the same batch, precision and LoRA. With `--base
sd15`, `sd21-base`, `sd21` or `sdxl` weights are random, of the published configuration.
"""

import argparse
import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from groupshot.base import Base, quiet
from groupshot.benchmarks.plain import begun
from groupshot.benchmarks.published import PUBLISHED, published
from groupshot.cast import Cast
from groupshot.folders import filled
from groupshot.methods import METHODS
from groupshot.presets import fitted
from groupshot.run import Run
from groupshot.toybox.casts import save, save_hand_masks
from groupshot.toybox.troupes import trio

WARM = 2
"""Steps of each stage that are not counted: the first holds all that is prepared."""

MEASURED: Mapping[str, Any] = {
    "priors": 0,
    "strangers": 0.0,
    "backdrops": ("photos",),
    "hand_masks": True,
    "contrastive": False,
    "learns": "lora",
    "weights": "lora",
}
"""Fields as they are measured, where a method has them: masks by hand, a LoRA, no priors."""

Timed = Generator[tuple[str, float]]
"""The stage and the seconds of each step, made when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    base: str
    method: str
    stage: str
    batch: int
    step: float
    """Seconds, as a median."""
    plain: float
    """Of a plain step, as a median."""
    words: float
    """Of a plain step that moves the embedding table too."""
    peak: int
    """MiB of the GPU's memory, or 0 on a CPU."""
    plain_peak: int

    def __str__(self) -> str:
        peaks = f"{self.peak:7d}{self.plain_peak:7d}"
        return (
            f"{self.base:10}{self.method:18}{self.stage:12}{self.batch:5d}{self.step:9.3f}s"
            f"{self.step / self.plain:8.3f}{self.step / self.words:8.3f}{peaks}"
        )


HEADING = (
    f"{'base':10}{'method':18}{'stage':12}{'batch':>5}{'a step':>10}{'x plain':>8}{'x words':>8}"
    f"{'MiB':>7}{'plain':>7}"
)


def ours(run: Run) -> Timed:
    """The steps of a run."""
    began = now(run.base.device)
    for step in run:
        yield step.stage, now(run.base.device) - began
        began = now(run.base.device)


def theirs(base: Base, rank: int, batch: int, words: bool) -> Timed:
    """Plain steps without end."""
    plain = begun(base, rank, batch, words)
    while True:
        began = now(base.device)
        plain.step()
        yield "", now(base.device) - began


def now(device: torch.device) -> float:
    """The time, when all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def in_turns(some: Iterable[Callable[[], Timed]]) -> list[tuple[list[tuple[str, float]], int]]:
    """The steps of each, made in turns for as long as the first goes on."""
    turns = zip(*[each() for each in some], strict=False)
    return [(list(steps), 0) for steps in zip(*turns, strict=True)]


def one_by_one(some: Iterable[Callable[[], Timed]]) -> list[tuple[list[tuple[str, float]], int]]:
    """The steps of each and its peak of memory, one after another; as many as the first has."""
    found: list[tuple[list[tuple[str, float]], int]] = []
    for each in some:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        count = len(found[0][0]) if found else None
        steps = [step for step, _ in zip(each(), range(count or 10**9), strict=False)]
        found.append((steps, torch.cuda.max_memory_allocated() // 2**20))
    return found


def rows(name: str, fresh: Callable[[], Base], cast: Path, steps: int) -> Generator[Row]:
    """What the last stage of a method costs on a base, `fresh` each time."""
    base = fresh()
    method = measured(name, base, steps)
    rank, batch = method.get("rank", 16), method["batch"]
    with TemporaryDirectory() as folder:
        enlarged = cast_of(cast, Path(folder) / "cast", base.size)
        made = partial(
            Run, enlarged, base=base, method=METHODS[name](**method), out=Path(folder) / "run"
        )
        some = [lambda: ours(made())]
        some += [partial(theirs_on, fresh, rank, batch, words) for words in (False, True)]
        (own, peak), *others = (in_turns if base.device.type == "cpu" else one_by_one)(some)
    plain, words = (median(seconds for _, seconds in each[WARM:]) for each, _ in others)
    for stage, of_stage in groupby(own, key=lambda each: each[0]):
        counted = [seconds for _, seconds in of_stage][WARM:]
        yield Row(
            base=base.source,
            method=name,
            stage=stage,
            batch=batch,
            step=median(counted),
            plain=plain,
            words=words,
            peak=peak,
            plain_peak=others[0][1],
        )


def theirs_on(fresh: Callable[[], Base], rank: int, batch: int, words: bool) -> Timed:
    """Plain steps on a base of their own."""
    return theirs(fresh(), rank, batch, words)


def measured(name: str, base: Base, steps: int) -> dict[str, Any]:
    """A method's fields as they are measured."""
    known = {field.name for field in fields(METHODS[name])}  # type: ignore[arg-type]
    counts = {"steps": steps + WARM, "token_steps": WARM + 1, "refresh": steps + WARM}
    said = {k: v for k, v in (*MEASURED.items(), *counts.items()) if k in known}
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


def base_of(name: str, device: str, precision: str, recompute: bool) -> Base:
    """A base to be measured, by its name here or anywhere."""
    if name in PUBLISHED:
        return published(name, device, precision, recompute)
    base = Base.load(name, device, precision, recompute)
    base.precision = precision
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
    parser.add_argument("--json", type=Path, help="add the rows to this file, a line each")
    asked = parser.parse_args()
    quiet()
    precision = asked.precision or ("bf16" if asked.device == "cuda" else "fp32")
    fresh = partial(base_of, asked.base, asked.device, precision, asked.recompute)
    print(f"{asked.device}, {precision}, {torch.get_num_threads()} threads, {asked.steps} steps")
    print(HEADING)
    for name in METHODS if asked.methods == "all" else asked.methods.split(","):
        for row in rows(name, fresh, asked.cast, asked.steps):
            print(row, flush=True)
            if asked.json:
                with asked.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(row)) + "\n")


if __name__ == "__main__":
    main()
