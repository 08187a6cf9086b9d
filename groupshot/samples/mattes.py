"""Mattes: how much of each pixel is the subject's, and what colour the subject has there.

A photo's pixel at the edge of its subject is a mixture, I = αF + (1 - α)B. Pasted as it is, it
brings the old background along: a halo. `python -m groupshot.benchmarks.composites` measures what
is left of it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt, gaussian_filter

from groupshot.shapes import HardMask

Colours = Float[np.ndarray, "H W 3"]
"""A picture from 0 to 1."""
Share = Float[np.ndarray, "H W"]
"""From 0 to 1 at each pixel."""

INWARD, OUTWARD = 1, 2
"""From this depth in a mask on pixels are the subject's, and from this far outside the others'."""
NEAR, FAR = 0.7, 2.0
"""How far, in pixels, subject's and background's colours are looked for: standard deviations."""
TRUST = 0.02
"""How much the mask counts where subject and background have nearly the same colour."""
HALF = 0.5
"""What the mask's own pixels are the subject's at least, however like the background they look."""
TINY = 1e-6


class Matte(NamedTuple):
    """A subject without its background."""

    alpha: Share
    colours: Colours
    """Its own, as if it filled every pixel that it has a share of."""


def matted(photo: Colours, inside: HardMask) -> Matte:
    """The subject of a photo, from a mask whose edge is right within a pixel or two.

    In a narrow band along the edge, α is what best explains the pixel as a mixture of the colours
    on both sides, min |I - αF - (1 - α)B|² + trust · |α - mask|²; then F by Blur-Fusion (Forte,
    "Approximate Fast Foreground Colour Estimation", ICIP 2021).
    """
    within, beyond = (np.asarray(distance_transform_edt(side)) for side in (inside, ~inside))
    depth = within - beyond
    ours, theirs = (depth > 0).astype(float), (depth <= -OUTWARD).astype(float)
    f, b = spread(photo, ours, NEAR), spread(photo, theirs, FAR)
    mask = gaussian_filter(ours, 0.5)
    apart = f - b
    mixed = (((photo - b) * apart).sum(-1) + TRUST * mask) / ((apart**2).sum(-1) + TRUST)
    alpha = np.clip(mixed, HALF * ours, 1)
    alpha[depth > INWARD] = 1
    alpha[depth <= -OUTWARD] = 0
    return Matte(alpha, fused(photo, alpha))


def fused(photo: Colours, alpha: Share) -> Colours:
    """The subject's own colours, F̂ + α(I - αF̂ - (1 - α)B̂) with F̂ and B̂ spread by α."""
    a = alpha[..., None]
    f, b = spread(photo, alpha, NEAR), spread(photo, 1 - alpha, NEAR)
    return np.clip(f + a * (photo - a * f - (1 - a) * b), 0, 1)


def spread(photo: Colours, weights: Share, distance: float) -> Colours:
    """The mean colour around each pixel, of those pixels that have weight."""
    sigma = (distance, distance, 0)
    total = gaussian_filter(weights, sigma[:2])[..., None]
    return gaussian_filter(photo * weights[..., None], sigma) / (total + TINY)
