"""Whether pictures show seams of composites: `python -m groupshot.benchmarks.seams OUT`.

Composites may teach their seams: a rim around everyone of what was behind them in their photo. So
what lies two or three pixels outside of everyone is compared with the nearest of what lies six
pixels outside, where no rim reaches. A shadow or a horizon differs too, hence the median over the
pixels of a picture; how much the pictures of the world and of the untouched base differ is the
measure. Printed first: what the number says of pastes in the world's drawings whose masks were too
large by none to three pixels, and of far's own cut-outs; then, of the pictures that a bench in OUT
has kept, of each method, with the standard error over pictures.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch
from PIL import Image
from PIL.Image import Image as Picture
from scipy.ndimage import distance_transform_edt

from groupshot.base import Base
from groupshot.benchmarks.composites import Moved, around, moved
from groupshot.masks.sizes import resized
from groupshot.samples.mattes import Colours, matted
from groupshot.shapes import HardMask
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.reading import Reading

RIM, BEYOND = (1.5, 3.5), (5.5, 7.0)
"""Pixels outside of everyone: not the edge itself, which is blended, and where no rim reaches."""


def rim(colours: Colours, anyone: HardMask) -> float | None:
    """How far a picture's RIM differs from the nearest of BEYOND, of 255; None without them."""
    if not anyone.any():
        return None
    out = np.asarray(distance_transform_edt(~anyone))
    near, far = ((out >= begin) & (out < end) for begin, end in (RIM, BEYOND))
    if not (near.any() and far.any()):
        return None
    nearest = distance_transform_edt(~far, return_distances=False, return_indices=True)
    rows, columns = np.asarray(nearest)
    differences = np.abs(colours[near] - colours[rows[near], columns[near]])
    return 255 * float(np.median(differences.mean(axis=-1)))


def rims(pictures: Sequence[Picture], reader: Reader) -> list[float]:
    """Of every picture that anybody is in."""
    pairs = zip(pictures, reader.read(pictures), strict=True)
    found = (
        rim(np.asarray(picture.convert("RGB")) / 255, seen(reading, picture))
        for picture, reading in pairs
    )
    return [each for each in found if each is not None]


def seen(reading: Reading, picture: Picture) -> HardMask:
    """Where anybody is; nowhere where nobody is."""
    anyone = np.zeros((picture.height, picture.width), bool)
    for character in reading.characters:
        anyone |= resized(character.mask, picture.size)
    return anyone


def pasted(truth: Moved, *, larger: int) -> Colours:
    """Someone in another place, with so many pixels of their own around them."""
    return np.where(around(truth.mask, larger)[..., None], truth.photo, truth.empty)


def fused(truth: Moved) -> Colours:
    """Someone in another place, as composites have them."""
    alpha, own = matted(truth.photo, truth.mask)
    return alpha[..., None] * own + (1 - alpha[..., None]) * truth.empty


WAYS: Mapping[str, Callable[[Moved], Colours]] = {
    "drawn there": lambda truth: truth.there,
    "as far pastes": fused,
    **{f"{k} pixels too large": partial(pasted, larger=k) for k in range(1, 4)},
}
"""How somebody comes in front of another place."""


def known(n: int, base: Base, reader: Reader) -> Iterator[tuple[str, list[float]]]:
    """The rims of pictures whose seams are known, as the base's autoencoder gives them back."""
    rng = np.random.default_rng(5)
    people = [moved(rng) for _ in range(n)]
    for name, way in WAYS.items():
        images = torch.from_numpy(np.stack([way(truth) for truth in people]))
        latents = base.encoded(2 * images.movedim(-1, 1).float() - 1)
        yield name, rims(base.pictures(latents), reader)


def drawn(cells: Path, methods: Sequence[str], reader: Reader) -> Iterator[tuple[str, list[float]]]:
    """The rims of what methods have drawn of the casts that all of them have drawn."""
    casts = [{cell.name for cell in (cells / name).glob("*")} for name in methods]
    for name in methods:
        files = [
            file
            for cast in sorted(set.intersection(*casts))
            for file in sorted((cells / name / cast).glob("*.webp"))
        ]
        yield name, rims([Image.open(file) for file in files], reader)


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", metavar="OUT", type=Path, help="a bench's folder")
    parser.add_argument("--suite", default="pairs")
    parser.add_argument("--methods", default="world,words,dreambooth,far", help="%(default)s")
    parser.add_argument("-n", type=int, default=48, help="known pictures of each kind")
    options = parser.parse_args()
    reader, cells = Reader.load("segmenter"), options.out / "cells" / options.suite
    made = drawn(cells, options.methods.split(","), reader)
    for name, found in chain(known(options.n, Base.load(), reader), made):
        if len(found) > 1:
            error = stdev(found) / len(found) ** 0.5
            print(f"{name}: {fmean(found):.2f} ± {error:.2f} of {len(found)}", flush=True)


if __name__ == "__main__":
    main()
