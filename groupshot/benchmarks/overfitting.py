"""What Concept Fusion is good for: `python -m groupshot.benchmarks.overfitting OUT`.

FaR learns pairs with composites and without. On the way its denoising loss is measured, always with
the same noise: on the photos that are learned from, and on new scenes that the world draws of the
same identities, one alone and both together. Where it falls on the photos and rises on new scenes,
the photos are learned by heart. OUT/losses.json holds every number, OUT/losses.svg plots the means
over the casts.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from groupshot.base import Base, quiet
from groupshot.benchmarks.overfitting_plot import plotted
from groupshot.cast import Cast
from groupshot.fields import overrides
from groupshot.files import save_json
from groupshot.folders import check_free
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


class Point(NamedTuple):
    """One measurement."""

    cast: int
    """The seed of the pair."""
    way: str
    """Of WAYS."""
    exam: str
    step: int
    loss: float


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


def measured(base: Base, method: FaR, seed: int, every: int, n: int) -> Iterator[Point]:
    """Both ways of learning the pair of a seed, examined every so many steps."""
    troupe = troupes.pair(seed)
    held = exams(base, troupe, seed, n)
    with TemporaryDirectory() as folder:
        casts.save(Path(folder) / "cast", troupe)
        cast = Cast.load(Path(folder) / "cast")
        for way, fusion in WAYS.items():
            learner = replace(method, fusion=fusion)
            run = Run(cast, base=base, method=learner, out=Path(folder) / way, seed=seed)
            for step in watched(run):
                if step.number == 1 or step.number % every == 0:
                    for name, one in held.items():
                        yield Point(seed, way, name, step.number, one.loss(base))


def main() -> None:
    """Read the command line, measure, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--casts", type=int, default=3)
    parser.add_argument("--cast-seed", type=int, default=100, help="even: both in one style")
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--scenes", type=int, default=8, help="new ones, of each alone and of both")
    parser.add_argument("--set", metavar="FIELD=VALUE", nargs="+", default=["steps=800"])
    asked = parser.parse_args()
    check_free(asked.out)
    quiet()
    base, method = Base.load(asked.base), FaR(**overrides(FaR, asked.set))
    seeds = range(asked.cast_seed, asked.cast_seed + 2 * asked.casts, 2)
    points = [
        point for seed in seeds for point in measured(base, method, seed, asked.every, asked.scenes)
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    save_json(asked.out / "losses.json", {"points": [point._asdict() for point in points]})
    (asked.out / "losses.svg").write_text(plotted(points), encoding="utf-8")
    print(f"look at {asked.out / 'losses.svg'}")


if __name__ == "__main__":
    main()
