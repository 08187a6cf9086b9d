"""Masks by attention before anything is learned: `python -m groupshot.benchmarks.em_start`.

Entangled casts of the toybox, each word at its class noun: mask IoU for every rule that makes maps
binary, with a CRF and without, each thing's attention as it is or balanced; and what an E-step
costs.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from groupshot.base import Base, faster, quiet
from groupshot.bench.suites import SUITES, cast_in
from groupshot.cast import Cast
from groupshot.estep import Look, Scene, averaged, enlarged, parted, sided
from groupshot.keep import Keep, seeded
from groupshot.masks import RULES, refined
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.samples import nouns
from groupshot.scores.masks import overlap, true_mask
from groupshot.shapes import FullMasks, Image, Masks

Way = tuple[str, str, bool]
"""A rule, what settles its masks, and whether attention is balanced."""

SETTLE: Mapping[str, Callable[[Masks, Image], FullMasks]] = {"alone": enlarged, "CRF": refined}

WAYS: Sequence[Way] = [*product(RULES, SETTLE, (False, True))]
"""All of them, those of a rule side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the first E-step of some casts gives and costs."""

    overlaps: dict[Way, list[float]] = field(default_factory=dict[Way, list[float]])
    """For every concept in every photo."""
    seconds: list[float] = field(default_factory=list[float])
    """Of each photo: attention, one rule and the CRF."""


def measure(base: Base, method: ConceptDrivenEM, seed: int, most: int, found: Found) -> None:
    """Add a cast's first photos to what was found."""
    with tempfile.TemporaryDirectory() as place:
        cast = cast_in(Path(place) / "cast", SUITES["entangled"].troupe(seed, 2), False)
        with base.borrowed():
            method.rows(base, nouns(cast), Keep(Path(place), 0))
            for scene in method.scenes(base, cast)[:most]:
                began = time.perf_counter()
                maps = averaged(base, scene, method.look, seeded(seed, scene.photo)).cpu()
                maps = sided(maps, scene)
                refined(parted(maps, scene, method.look), scene.image)
                found.seconds.append(time.perf_counter() - began)
                for way, masks in made(maps, scene, method.look):
                    found.overlaps.setdefault(way, []).extend(shares(cast, scene, masks))


def made(maps: Tensor, scene: Scene, look: Look) -> Iterator[tuple[Way, Tensor]]:
    """The masks of each way."""
    for rule, name, balance in WAYS:
        masks = parted(maps, scene, replace(look, rule=RULES[rule], balance=balance))
        yield (rule, name, balance), SETTLE[name](masks, scene.image)[0] >= 0.5


def shares(cast: Cast, scene: Scene, masks: Tensor) -> Iterator[float]:
    """IoU with the truth of everyone in a photo."""
    for name, mask in zip(scene.shows, masks, strict=True):
        true = true_mask(cast.folder, scene.photo, name)
        if true is not None:
            yield overlap(mask, true)


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--casts", type=int, default=6)
    parser.add_argument("--cast-seed", type=int, default=1000, help="of the first (1000)")
    parser.add_argument("--photos", type=int, default=3, help="of each cast (3)")
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    quiet()
    base, found = Base.load(asked.base), Found()
    base.precision, method = faster(base), fitted(ConceptDrivenEM, base)
    for seed in range(asked.cast_seed, asked.cast_seed + asked.casts):
        measure(base, method, seed, asked.photos, found)
    print(f"{asked.casts} casts from {asked.cast_seed}, {len(found.seconds)} photos, {asked.base}")
    print(f"E-step: {fmean(found.seconds):.2f} s a photo, {asked.threads} threads")
    print(f"{'':10}{'alone':>8}{'balanced':>10}{'CRF':>8}{'balanced':>10}")
    for rule, ways in groupby(WAYS, key=lambda way: way[0]):
        bare, fair, settled, both = (fmean(found.overlaps[way]) for way in ways)
        print(f"{rule:10}{bare:8.3f}{fair:10.3f}{settled:8.3f}{both:10.3f}")


if __name__ == "__main__":
    main()
