"""Patches: a hole in a photo is filled with other columns of it, moved to the side or mirrored.

So the ground meets the ground and the sky the sky, and all stays as sharp as it was. After He & Sun
(ECCV 2012), "Statistics of Patch Offsets for Image Completion", where a few shifts in any direction
fill a hole and graph cuts sew them together. `python -m groupshot.benchmarks.composites` compares
the scenes behind the toybox characters with what is filled in for them.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from scipy.ndimage import binary_dilation

from groupshot.samples.mattes import Colours
from groupshot.shapes import HardMask

Columns = Int[np.ndarray, " W"]
"""For each column of a photo the one that is copied there; none where that lies outside it."""
Pixels = Int[np.ndarray, "2 _"]
"""Rows and columns of some pixels."""

PARTS = 8
"""How many parts of the photo may fill a hole between them."""
LEAST = 0.1
"""The smallest share of a hole, and of its rim, that a part must reach."""
RIM = 4
"""The width of the rim around a hole, in pixels, that a part is compared with."""
AGREEMENT = 8.0
"""How much the mean difference on the rim (0 to 1) counts against the share that is filled."""
STEPS = 64
"""How many moves are tried along a photo's width."""
ENOUGH = 2**14
"""The most pixels that moves are compared by: as many as a photo of the toybox has."""


def patched(photo: Colours, hole: HardMask) -> tuple[Colours, HardMask]:
    """The photo with its hole filled, and what no part of it could fill."""
    full, left = photo.copy(), hole.copy()
    for _ in range(PARTS):
        inner = np.array(left.nonzero())
        rim = np.array((binary_dilation(left, iterations=RIM) & ~left).nonzero())
        some = sampled(inner), sampled(rim)
        fits = [(worth(full, hole, *some, each), each) for each in moves(hole.shape[1])]
        best, columns = max(fits, key=lambda fit: fit[0], default=(-np.inf, None))
        if columns is None or best == -np.inf:
            break
        rows, own, other = copied(hole, inner, columns)
        full[rows, own] = photo[rows, other]
        left[rows, own] = False
    return full, left


def moves(width: int) -> Iterator[Columns]:
    """The columns of a photo, moved to either side or mirrored about any line."""
    own, step = np.arange(width), max(1, width // STEPS)
    for shift in range(step, width, step):
        yield own + shift
        yield own - shift
    for line in range(0, 2 * width, step):
        yield line - own


def sampled(pixels: Pixels) -> Pixels:
    """All pixels, or every nth of very many: moves are compared by those."""
    return pixels[:, :: math.ceil(max(1, pixels.shape[1]) / ENOUGH)]


def worth(full: Colours, hole: HardMask, inner: Pixels, rim: Pixels, columns: Columns) -> float:
    """The share of a hole that columns fill, less how they differ from what is around it."""
    share = copied(hole, inner, columns).shape[1] / max(1, inner.shape[1])
    rows, own, other = copied(hole, rim, columns)
    if share < LEAST or len(rows) < LEAST * rim.shape[1]:
        return -np.inf
    return float(share - AGREEMENT * np.abs(full[rows, own] - full[rows, other]).mean())


def copied(hole: HardMask, pixels: Pixels, columns: Columns) -> Int[np.ndarray, "3 _"]:
    """Rows, columns and source columns of those pixels whose source is in the photo."""
    rows, own = pixels
    other = columns[own]
    inside = (other >= 0) & (other < hole.shape[1])
    known = inside & ~hole[rows, other % hole.shape[1]]
    return np.stack([rows, own, other])[:, known]
