"""What composites cost, and how true they are: `python -m groupshot.benchmarks.composites`.

The toybox's world can draw a character again on another background, or the background without it;
so a pasted character and a filled hole can be compared with the truth, pixel by pixel.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.restoration import inpaint_biharmonic

from groupshot.samples import Cutout, Rules, Shot, collage, composite, cut, emptied, plain
from groupshot.samples.mattes import Colours, Matte, matted
from groupshot.toybox import world
from groupshot.toybox.world.backgrounds import backdrop
from groupshot.toybox.world.drawing import colours, layers

Mask = np.ndarray
"""bool [128, 128]."""


class Moved(NamedTuple):
    """Someone drawn in two places."""

    photo: Colours
    mask: Mask
    there: Colours
    """In the other place."""
    empty: Colours
    """The other place without them, but for their shadow."""


def moved(rng: np.random.Generator) -> Moved:
    """Someone new, in front of two backgrounds."""
    one, other = (str(each) for each in rng.choice(world.BACKGROUNDS, 2, replace=False))
    here = world.staged(rng, [world.identity(rng, "cast")], background=one)
    there = replace(here, background=other)
    photo, shadows = world.draw(here), [s for owner, s in layers(there) if owner == 0]
    empty = colours(there, backdrop(other, there.background_seed), shadows)
    return Moved(photo.image / 255, photo.owners > 0, world.draw(there).image / 255, empty / 255)


def hard(photo: Colours, mask: Mask) -> Matte:
    """The mask as it is."""
    return Matte(mask.astype(float), photo)


def feathered(photo: Colours, mask: Mask) -> Matte:
    """The mask blurred by half a pixel, the photo as it is."""
    return Matte(gaussian_filter(mask.astype(float), 0.5), photo)


CUTS: dict[str, Callable[[Colours, Mask], Matte]] = {
    "hard": hard,
    "feathered": feathered,
    "matted": matted,
}
MASKS: dict[str, Callable[[Mask], Mask]] = {
    "true": lambda mask: mask,
    "a pixel too large": lambda mask: around(mask, 1),
    "a pixel too small": lambda mask: ~around(~mask, 1),
}


def rim_error(way: Callable[[Colours, Mask], Matte], given: Mask, truth: Moved) -> float:
    """Mean difference from the truth within two pixels of the edge, of 255."""
    alpha, own = way(truth.photo, given)
    pasted = alpha[..., None] * own + (1 - alpha[..., None]) * truth.empty
    rim = around(truth.mask, 2) & around(~truth.mask, 2)
    return 255 * float(np.abs(pasted - truth.there)[rim].mean())


def around(mask: Mask, pixels: int) -> Mask:
    """The mask and so many pixels around it."""
    return np.asarray(binary_dilation(mask, iterations=pixels))


def edges(n: int) -> Iterator[str]:
    """A line for each way to cut: its error with each kind of mask."""
    rng = np.random.default_rng(0)
    people = [moved(rng) for _ in range(n)]
    for name, way in CUTS.items():
        errors = {
            kind: fmean(rim_error(way, spoil(each.mask), each) for each in people)
            for kind, spoil in MASKS.items()
        }
        yield f"edge, {name:<10}" + ", ".join(f"{k} mask {v:.1f}" for k, v in errors.items())


def holes(n: int) -> Iterator[str]:
    """How far what is filled in is from what was there, of 255."""
    rng = np.random.default_rng(3)
    ours: list[float] = []
    smooth: list[float] = []
    for _ in range(n):
        picture = world.draw(world.staged(rng, [world.identity(rng, "cast")]))
        truth = world.draw(replace(picture.scene, characters=())).image.astype(float)
        mask, hole = picture.owners > 0, around(picture.owners > 0, 4)
        filled = np.asarray(emptied(shot(picture), mask, world.SIZE))
        blurred = 255 * inpaint_biharmonic(picture.image / 255, hole, channel_axis=-1).clip(0, 1)
        ours.append(float(np.abs(filled - truth)[hole].mean()))
        smooth.append(float(np.abs(blurred - truth)[hole].mean()))
    yield f"hole, emptied {fmean(ours):.1f}, biharmonic alone {fmean(smooth):.1f}"


def times(n: int, size: int) -> Iterator[str]:
    """Milliseconds of cutting someone out, and of a collage and a composite of two."""
    rng, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    pictures = [world.draw(world.staged(rng, [world.identity(rng, "cast")])) for _ in range(2)]
    one, other = (cutout(picture, size) for picture in pictures)
    scene = replace(plain(size), picture=Image.fromarray(pictures[0].image).resize((size, size)))
    rules = Rules(feet=(0.7, 1.0), turn=5.0, light=0.3)
    ways: dict[str, Callable[[], object]] = {
        "cut out": lambda: cutout(pictures[0], size),
        "collage": lambda: collage((one, other), plain(size), "{}", Rules(), generator),
        "composite": lambda: composite((one, other), scene, "{}", rules, generator),
    }
    for name, way in ways.items():
        taken = list(timed(way, n))
        middle, worst = 1000 * median(taken), 1000 * max(taken)
        yield f"{name} at {size} px: {middle:.1f} ms (slowest {worst:.1f})"


def timed(way: Callable[[], object], n: int) -> Iterator[float]:
    """Seconds of each of n times, after one to warm up."""
    way()
    for _ in range(n):
        began = time.perf_counter()
        way()
        yield time.perf_counter() - began


def cutout(picture: world.Picture, size: int) -> Cutout:
    """The character of a drawn photo."""
    mask = Image.fromarray(picture.owners > 0).resize((size, size))
    return cut(shot(picture, size), np.asarray(mask), "luna", "<luna>", size)


def shot(picture: world.Picture, size: int = world.SIZE) -> Shot:
    """A drawn picture as a photo."""
    photo = Image.fromarray(picture.image).resize((size, size))
    return Shot(picture=photo, shows=("luna",), source="the toybox")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=60, help="pictures of each kind")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for lines in (edges(options.n), holes(options.n), times(options.n, 128), times(options.n, 512)):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
