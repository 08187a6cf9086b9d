"""Lights: how bright and how contrasty a place is, so that what is moved there can follow."""

from dataclasses import dataclass

import numpy as np

from groupshot.samples.mattes import Colours, Share

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""

EVEN = 0.02
"""A place of less spread than this is a plain canvas, which says nothing about light."""

STEEPEST, FURTHEST = 1.5, 0.2
"""The most that contrast is raised or lowered, and brightness moved: a gray cat stays gray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Mean and standard deviation of the luminance of a place, from 0 to 1."""

    mean: float
    spread: float


def light(colours: Colours, weights: Share) -> Light:
    """The light of those pixels that have weight."""
    luma = colours @ np.array(LUMA)
    total = weights.sum() + 1e-6
    mean = (luma * weights).sum() / total
    spread = (((luma - mean) ** 2 * weights).sum() / total) ** 0.5
    return Light(mean=float(mean), spread=float(spread))


def relit(colours: Colours, old: Light, new: Light, strength: float) -> Colours:
    """Colours moved from one light to another: 0 leaves them, 1 follows the place wholly.

    Their luminance goes the way that the surroundings' mean and spread go, within bounds; hue
    stays. So light like the old one changes nothing, and a dark cat stays darker than a bright one.
    """
    if min(old.spread, new.spread) < EVEN or strength == 0:
        return colours
    gain = np.clip(new.spread / old.spread, 1 / STEEPEST, STEEPEST)
    shift = np.clip(new.mean - old.mean, -FURTHEST, FURTHEST)
    luma = (colours @ np.array(LUMA))[..., None]
    there = (luma - old.mean) * gain + old.mean + shift
    return np.clip(colours + strength * (there - luma), 0, 1)
