"""Masks at another size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from groupshot.shapes import HardMask

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; the ends are exclusive."""


def resized(mask: NDArray[np.bool_], size: tuple[int, int], box: Box | None = None) -> HardMask:
    """A mask, or what lies in a box of it, at `size` (width, height): pixels that it half covers.

    By way of greys, since Pillow's own array of a picture of bits has 255 where numpy wants 1.
    """
    greys = Pictures.fromarray(mask).convert("L")
    return np.asarray(greys.resize(size, Pictures.Resampling.BILINEAR, box=box)) > 127
