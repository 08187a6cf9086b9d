"""From attention to masks: maps are made binary, or settled with the picture by a CRF."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from skimage.filters import threshold_li, threshold_otsu
from torch.nn import functional as F

from groupshot.crf import DEEPLAB, SIDE, Potentials, marginals, upsampled
from groupshot.shapes import CrossMap, FullMasks, Image, Labels, Masks

Rule = Callable[[CrossMap], Masks]
"""Makes masks of maps, each map for itself or all of a picture together."""

SHARE = 0.5
"""Where a map is relatively high, as a share of its maximum."""

BALANCING = 50
"""Rounds in which maps are balanced."""


def levelled(maps: CrossMap, share: float) -> CrossMap:
    """Each map cut off at a height that this share of its places do not exceed; 1 cuts nothing.

    Where a few places are looked at far harder than the rest of a thing, half of the maximum is
    theirs alone. Words that are then learned inside such masks are looked for in less still.
    """
    tops = maps.float().flatten(2).quantile(share, dim=2)[..., None, None]
    return torch.minimum(maps, tops.to(maps.dtype))


def heightened(maps: CrossMap) -> Masks:
    """Each map divided by its maximum, as Break-A-Scene's and Mix-of-Show's losses do it."""
    return maps / maps.amax((2, 3), keepdim=True).clamp(min=1e-12)


def balanced(maps: CrossMap) -> Masks:
    """As high as the highest map of `heightened` everywhere, but with equal shares for all maps.

    A place is a thing's by its share of the attention there, as in a mixture whose components weigh
    alike: each map is multiplied by what gives it as much of the picture as the others have
    (Sinkhorn & Knopp 1967). A word that is looked for everywhere then takes nothing from others.
    """
    high = heightened(maps).clamp(min=1e-6)
    peak = high.amax(1, keepdim=True)
    weights = torch.ones_like(high[:, :, :1, :1])
    for _ in range(BALANCING):
        shares = weights * high / (weights * high).sum(1, keepdim=True)
        totals = (peak * shares).sum((2, 3), keepdim=True)
        weights = weights * totals.mean(1, keepdim=True) / totals
    claims = weights * high
    return peak * claims / claims.amax(1, keepdim=True)


def relative(maps: CrossMap) -> Masks:
    """1 where a map has at least SHARE of its maximum (prompt-to-prompt's LocalBlend: 0.3)."""
    return (heightened(maps) >= SHARE).to(maps.dtype)


def otsu(maps: CrossMap) -> Masks:
    """1 above the threshold that parts a map's values into two most even groups (Otsu 1979)."""
    return above(threshold_otsu, maps)


def li(maps: CrossMap) -> Masks:
    """1 above the threshold at which a map and its mask tell most alike (Li & Lee 1993)."""
    return above(threshold_li, maps)


def strongest(maps: CrossMap) -> Masks:
    """1 where a map is the highest of all and of SHARE, each divided by its maximum: disjoint."""
    return chosen(beliefs(heightened(maps), 1.0))


RULES: Mapping[str, Rule] = {
    "soft": heightened,
    "relative": relative,
    "otsu": otsu,
    "li": li,
    "argmax": strongest,
}
"""How maps are made masks: Rahman et al. (arXiv 2402.11487) say only "binarized"."""


def above(threshold: Callable[[np.ndarray], float], maps: CrossMap) -> Masks:
    """1 where a map is above its own threshold."""
    flat = [each.detach().float().cpu().numpy() for each in maps.flatten(0, 1)]
    cuts = torch.tensor([threshold(each) for each in flat], device=maps.device)
    return (maps > cuts.view(*maps.shape[:2], 1, 1)).to(maps.dtype)


def beliefs(masks: Masks, trust: float) -> Labels:
    """Masks of k things as probabilities of k + 1 labels, the first for none of them.

    None is as likely as the likeliest is not. `trust` is what masks count against knowing nothing.
    """
    labels = torch.cat([1 - masks.amax(1, keepdim=True), masks], 1)
    labels = labels / labels.sum(1, keepdim=True)
    return trust * labels + (1 - trust) / labels.shape[1]


def chosen(labels: Labels) -> Masks:
    """The likeliest label of each place as masks of all labels but the first; of equals, that."""
    best = F.one_hot(labels.argmax(1), labels.shape[1]).movedim(-1, 1)
    return best[:, 1:].to(labels.dtype)


def refined(
    masks: Masks, images: Image, potentials: Potentials = DEEPLAB, trust: float = 0.5
) -> FullMasks:
    """Masks at the images' size that follow their edges and are disjoint: 0 or 1, by a CRF.

    The masks, soft or binary and of any resolution, are of the whole of each image. All things of
    a picture and the rest of it are settled together, on a grid of at most SIDE × SIDE cells.
    `trust` is pydensecrf's `gt_prob`, by default 0.5 there as well.
    """
    longest = max(images.shape[2:])
    scale = min(1.0, SIDE / longest)
    grid = [max(1, round(side * scale)) for side in images.shape[2:]]
    small = F.interpolate(masks.float(), grid, mode="bilinear", antialias=True)
    labels = marginals(beliefs(small, trust), images, potentials)
    return chosen(upsampled(labels, images))
