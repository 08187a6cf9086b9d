"""Masks by attention when they are first asked for: `python -m groupshot.benchmarks.em_start`.

Entangled casts of the toybox, each word at its class noun, or as it is after some steps on whole
photos (`--set warm_up=50`): mask IoU for every rule that makes maps binary, with a CRF and without,
each thing's attention as it is or balanced; whose parameters the CRF may have; and what an E-step
costs.
"""

import argparse
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from groupshot.base import Base, faster, quiet
from groupshot.bench.suites import ENTANGLED, SUITES, cast_in
from groupshot.cast import Cast
from groupshot.crf import POTENTIALS
from groupshot.estep import Look, Scene, averaged, enlarged, parted, sided
from groupshot.fields import overrides
from groupshot.keep import Keep, seeded
from groupshot.masks import RULES, refined
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.run import Run
from groupshot.samples import nouns
from groupshot.scores.masks import overlap, true_mask
from groupshot.toybox.casts import Troupe

Way = tuple[str, str, bool]
"""A rule, what settles its masks, and whether attention is balanced."""

WAYS: Sequence[Way] = [*product(RULES, ("alone", "CRF"), (False, True))]
"""All of them, those of a rule side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the first E-step of some casts gives and costs."""

    overlaps: dict[Way, list[float]] = field(default_factory=dict[Way, list[float]])
    """For every concept in every photo."""
    potentials: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """The same by whose parameters the CRF has, all else as the method has it."""
    seconds: list[float] = field(default_factory=list[float])
    """Of each photo: attention, one rule and the CRF."""


def measure(
    base: Base, method: ConceptDrivenEM, troupe: Troupe, seed: int, most: int, found: Found
) -> None:
    """Add the first photos of a seed's cast to what was found."""
    with tempfile.TemporaryDirectory() as place:
        cast = cast_in(Path(place) / "cast", troupe, False)
        with ready(base, method, cast, Path(place)):
            for scene in method.scenes(base, cast)[:most]:
                began = time.perf_counter()
                maps = averaged(base, scene, method.look, seeded(seed, scene.photo)).cpu()
                maps = sided(maps, scene)
                method.look.settle(parted(maps, scene, method.look), scene.image)
                found.seconds.append(time.perf_counter() - began)
                for way, masks in made(maps, scene, method.look):
                    found.overlaps.setdefault(way, []).extend(shares(cast, scene, masks))
                for name, masks in settled(maps, scene, method.look):
                    found.potentials.setdefault(name, []).extend(shares(cast, scene, masks))


@contextmanager
def ready(base: Base, method: ConceptDrivenEM, cast: Cast, place: Path) -> Generator[None]:
    """The base as it is when masks are first asked for; a warm-up is learned before."""
    if not method.warm_up:
        with base.borrowed():
            method.rows(base, nouns(cast), Keep(place, 0))
            yield
        return
    with closing(iter(Run(cast, base=base, method=method, out=place / "run"))) as steps:
        for _ in range(method.warm_up):
            next(steps)
        yield


def made(maps: Tensor, scene: Scene, look: Look) -> Iterator[tuple[Way, Tensor]]:
    """The masks of each way."""
    for rule, name, balance in WAYS:
        masks = parted(maps, scene, replace(look, rule=RULES[rule], balance=balance))
        settle = enlarged if name == "alone" else look.settle
        yield (rule, name, balance), settle(masks, scene.image)[0] >= 0.5


def settled(maps: Tensor, scene: Scene, look: Look) -> Iterator[tuple[str, Tensor]]:
    """The masks of each of POTENTIALS."""
    masks = parted(maps, scene, look)
    for name, potentials in POTENTIALS.items():
        yield name, refined(masks, scene.image, potentials)[0] >= 0.5


def shares(cast: Cast, scene: Scene, masks: Tensor) -> Iterator[float]:
    """IoU with the truth of everyone in a photo."""
    for name, mask in zip(scene.shows, masks, strict=True):
        true = true_mask(cast.folder, scene.photo, name)
        if true is not None:
            yield overlap(mask, true)


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=ENTANGLED, default=ENTANGLED[0])
    parser.add_argument("--casts", type=int, default=6)
    parser.add_argument("--cast-seed", type=int, default=1000, help="of the first (1000)")
    parser.add_argument("--photos", type=int, default=3, help="of each cast (3)")
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    quiet()
    base, found = Base.load(asked.base), Found()
    base.precision = faster(base)
    method = fitted(ConceptDrivenEM, base, **overrides(ConceptDrivenEM, asked.set))
    suite = SUITES[asked.suite]
    for seed in range(asked.cast_seed, asked.cast_seed + asked.casts):
        troupe = suite.troupe(seed, suite.sizes[0])
        measure(base, method, troupe, seed, asked.photos, found)
    casts = f"{asked.casts} casts of {asked.suite} from {asked.cast_seed}"
    print(f"{casts}, {len(found.seconds)} photos, {asked.base}")
    print(f"E-step: {fmean(found.seconds):.2f} s a photo, {asked.threads} threads")
    print(f"{'':10}{'alone':>8}{'balanced':>10}{'CRF':>8}{'balanced':>10}")
    for rule, ways in groupby(WAYS, key=lambda way: way[0]):
        bare, fair, crf, both = (fmean(found.overlaps[way]) for way in ways)
        print(f"{rule:10}{bare:8.3f}{fair:10.3f}{crf:8.3f}{both:10.3f}")
    balance = "balanced" if method.balance else "not balanced"
    print(f"CRF of {method.rule}, {balance}, with the parameters of")
    for name, overlaps in found.potentials.items():
        print(f"{name:10}{fmean(overlaps):8.3f}")


if __name__ == "__main__":
    main()
