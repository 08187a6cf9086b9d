"""Rounds: the masks that a run has kept, each time that it found them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

from torch import Tensor

from groupshot.cast import Cast
from groupshot.keep import Kept
from groupshot.masks.sightings import Sighting, photos, restored
from groupshot.masks.sizes import resized
from groupshot.shapes import HardMask

KEPT = re.compile(r"masks(?:-(\d+))?")
"""The names of what a plan keeps its masks as: `masks`, or `masks-0`, `masks-1`, …"""


def rounds(kept: Path) -> dict[int, Path]:
    """The files of masks in a run's folder of what was kept, by their rounds, the first first."""
    found = {
        int(named[1] or 0): file
        for file in kept.glob("*.safetensors")
        if (named := KEPT.fullmatch(file.stem))
    }
    return dict(sorted(found.items()))


def remembered(cast: Cast, masks: Kept, source: str) -> Iterator[Sighting]:
    """Every photo of the cast with masks that were kept, at the photo's own resolution."""
    for shown, there in zip(photos(cast), restored(cast, masks), strict=True):
        yield Sighting(
            path=shown.path,
            photo=shown.path.relative_to(cast.folder).as_posix(),
            picture=shown.picture,
            masks={name: resized(mask, shown.picture.size) for name, mask in there.items()},
            sources=dict.fromkeys(there, source),
            files=shown.files,
        )


def agreement(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The mean intersection over union of the same masks in two rounds; two empty ones agree."""
    return fmean(alike(one[key], other[key]) for key in one)


def alike(one: Tensor | HardMask, other: Tensor | HardMask) -> float:
    """Intersection over union of two masks, both arrays or both tensors of bools."""
    either = float((one | other).sum())
    return float((one & other).sum()) / either if either else 1.0
