"""What refining masks costs, and what it gives: `python -m groupshot.benchmarks.crf`.

Scenes of the toybox, of which only rough masks are known: 16 × 16, as attention has them.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from groupshot.crf import DEEPLAB, SIDE, marginals, upsampled
from groupshot.masks import beliefs, chosen, refined
from groupshot.shapes import Image, Masks
from groupshot.toybox import world

ROUGH = 16
"""Side of the masks that are known."""

PHOTOS = (128, 512, 1024)
"""Sides of the photos that are upsampled to."""


class Known(NamedTuple):
    """A scene, and where everyone in it is."""

    image: Image
    true: Masks
    rough: Masks


def scene(seed: int) -> Known:
    """Two characters."""
    picture = world.draw(world.dream(np.random.default_rng(seed), population="cast", count=2))
    owners = np.stack([picture.owners == i + 1 for i in range(2)])
    true = torch.from_numpy(owners)[None].float()
    image = torch.from_numpy(picture.image).permute(2, 0, 1)[None] / 127.5 - 1
    return Known(image, true, F.interpolate(true, (ROUGH, ROUGH), mode="area"))


def seconds(work: Callable[[Known], object], scenes: Sequence[Known]) -> float:
    """The median time of one, after one to warm up."""
    work(scenes[0])
    taken: list[float] = []
    for each in scenes:
        began = time.perf_counter()
        work(each)
        taken.append(time.perf_counter() - began)
    return median(taken)


def overlap(found: Masks, true: Masks) -> float:
    """Mean intersection over union."""
    both, either = torch.minimum(found, true).sum((2, 3)), torch.maximum(found, true).sum((2, 3))
    return float((both / either.clamp(min=1)).mean())


def smooth(each: Known) -> Masks:
    """The rough masks at the photo's size by themselves."""
    large = F.interpolate(each.rough, each.true.shape[2:], mode="bilinear")
    return chosen(beliefs(large, 1.0))


def settled(each: Known) -> Masks:
    """The CRF alone, on its largest grid."""
    grid = F.interpolate(each.rough, (SIDE, SIDE), mode="bilinear")
    return marginals(beliefs(grid, 0.5), each.image, DEEPLAB)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="scenes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scenes = [scene(seed) for seed in range(options.n)]
    print(f"{options.n} scenes of two, {options.threads} threads, medians")
    print(f"CRF on {SIDE} x {SIDE}: {seconds(settled, scenes):.3f} s a photo")
    labels = settled(scenes[0])
    for side in PHOTOS:
        large = [each._replace(image=F.interpolate(each.image, (side, side))) for each in scenes]
        spent = seconds(lambda each: upsampled(labels, each.image), large)
        print(f"upsampling to {side} x {side}: {spent:.3f} s a photo")
    before = fmean(overlap(smooth(each), each.true) for each in scenes)
    after = fmean(overlap(refined(each.rough, each.image), each.true) for each in scenes)
    print(f"IoU with the truth: {before:.3f} before, {after:.3f} after")


if __name__ == "__main__":
    main()
