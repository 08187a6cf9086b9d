"""What Concept Fusion is good for: `python -m groupshot.benchmarks.overfitting OUT`.

FaR learns pairs with composites and without. On the way its denoising loss is measured, always with
the same noise: on the photos that are learned from, and on new scenes that the world draws of the
same identities, one alone and both together. Where it falls on the photos and rises on new scenes,
the photos are learned by heart. OUT/losses holds every number, OUT/losses.svg plots the means over
the casts. What is finished is not made again.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from groupshot.base import Base, quiet
from groupshot.bench.suites import cast_in
from groupshot.benchmarks.curves import noted
from groupshot.benchmarks.overfitting_plot import Point, plotted
from groupshot.fields import overrides
from groupshot.files import load_json, written
from groupshot.losses import denoising
from groupshot.methods import FaR
from groupshot.progress import watched
from groupshot.run import Run
from groupshot.samples import caption
from groupshot.samples.batch import TOGETHER
from groupshot.samples.crops import encoded
from groupshot.shapes import Latent
from groupshot.toybox import casts, troupes
from groupshot.toybox.casts import Troupe
from groupshot.toybox.world import Identity

TIMES = 4
"""How often each picture is noised, each time from another quarter of the schedule."""

WAYS: Mapping[str, bool] = {"with fusion": True, "without fusion": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """Pictures with captions, of which the loss is measured again and again."""

    latents: Latent
    captions: tuple[str, ...]

    @torch.no_grad()
    def loss(self, base: Base) -> float:
        """The denoising loss of the base as it stands: the same noise and times every time."""
        generator = torch.Generator().manual_seed(0)
        each = base.schedule.config.num_train_timesteps // TIMES
        sums = 0.0
        for k in range(TIMES):
            for i in range(0, len(self.latents), TOGETHER):
                clean = self.latents[i : i + TOGETHER].to(base.device)
                times = k * each + torch.randint(each, (len(clean),), generator=generator)
                times = times.to(base.device)
                noise = torch.randn(clean.shape, generator=generator).to(base.device)
                noisy = base.schedule.add_noise(clean, noise, times)
                text = base.text(self.captions[i : i + TOGETHER])
                target = base.target(clean, noise, times)
                sums += len(clean) * denoising(base.predicted(noisy, times, text), target).item()
        return sums / TIMES / len(self.latents)


@dataclass(frozen=True, slots=True)
class Job:
    """One pair learned in one way."""

    out: Path
    seed: int
    """Of the pair."""
    way: str
    """Of WAYS."""
    fields: FaR
    """What learns, but for the way."""
    every: int
    """Steps from one measurement to the next."""
    scenes: int
    """New ones, of each alone and of both."""

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.seed}-{self.way.replace(' ', '-')}"

    @property
    def method(self) -> FaR:
        """What learns."""
        return replace(self.fields, fusion=WAYS[self.way])

    @property
    def losses(self) -> Path:
        """What was measured so far: {STEP: {EXAM: loss}}."""
        return self.out / "losses" / f"{self.name}.json"


def exams(base: Base, troupe: Troupe, seed: int, n: int) -> dict[str, Exam]:
    """The photos, `n` new scenes of each alone, and as many of both."""
    people = troupe.people
    style = next(iter(troupe.album.values())).picture.scene.style
    photos = [(photo.picture.image, tuple(photo.shows)) for photo in troupe.album.values()]
    alone = [one for name, who in people.items() for one in scenes({name: who}, style, seed, n)]
    both = list(scenes(people, style, seed, n))
    sets = {"photos": photos, "new, alone": alone, "new, together": both}
    return {name: exam(base, pictures) for name, pictures in sets.items()}


def scenes(
    people: Mapping[str, Identity], style: str, seed: int, n: int
) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
    """New scenes of all of these: pictures, and whom they show."""
    rng = np.random.default_rng((seed, len(people), *"".join(people).encode()))
    for picture in casts.photographed(rng, list(people.values()), n, style=style):
        yield picture.image, tuple(people)


def exam(base: Base, pictures: Sequence[tuple[np.ndarray, tuple[str, ...]]]) -> Exam:
    """Pictures in the base's first template, as they are learned from."""
    template = base.card.templates[0]
    return Exam(
        latents=encoded(base, [Image.fromarray(image) for image, _ in pictures]),
        captions=tuple(caption(template, shows) for _, shows in pictures),
    )


def learned(base: Base, job: Job) -> None:
    """Learn a pair in one way, or go on with it, and measure its losses on the way."""
    troupe = troupes.pair(job.seed)
    cast = cast_in(job.out / "casts" / str(job.seed), troupe, hand_masks=False)
    held = exams(base, troupe, job.seed, job.scenes)
    out, file = job.out / "runs" / job.name, job.losses
    run = Run(cast, base=base, method=job.method, out=out, seed=job.seed, resume=out.exists())
    for step in watched(run):
        if step.number == 1 or step.number % job.every == 0:
            noted(file, step.number, {name: one.loss(base) for name, one in held.items()})


def points(job: Job) -> Iterator[Point]:
    """All that was measured of a job."""
    for step, losses in load_json(job.losses).items():
        for name, loss in losses.items():
            yield Point(job.way, name, int(step), loss)


def main() -> None:
    """Read the command line, measure what is missing, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--casts", type=int, default=3)
    parser.add_argument("--cast-seed", type=int, default=100, help="even: both in one style")
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--scenes", type=int, default=8, help="new ones, of each alone and of both")
    parser.add_argument("--set", metavar="FIELD=VALUE", nargs="+", default=[])
    asked = parser.parse_args()
    quiet()
    base, method = Base.load(asked.base), FaR(**overrides(FaR, asked.set))
    seeds = range(asked.cast_seed, asked.cast_seed + 2 * asked.casts, 2)
    jobs = [
        Job(asked.out, seed, way, method, asked.every, asked.scenes)
        for seed, way in product(seeds, WAYS)
    ]
    for job in jobs:
        learned(base, job)
    drawn = plotted([point for job in jobs for point in points(job)])
    with written(asked.out / "losses.svg") as draft:
        draft.write_text(drawn, encoding="utf-8")
    print(f"look at {asked.out / 'losses.svg'}")


if __name__ == "__main__":
    main()
