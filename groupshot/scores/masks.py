"""Mask IoU: how well the masks that a run used cover what is truly there.

A plan that finds masks keeps them (`keep.Keep`) as `masks`, or `masks-1`, `masks-2`, … where it
finds them again; a tensor PHOTO:NAME, such as `together/1.png:luna`, is [h, w] and 0 to 1.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from statistics import fmean

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from groupshot.files import load_tensors
from groupshot.masks.rounds import rounds
from groupshot.toybox.casts import TRUE_MASKS, masked


def mask_iou(run: Path, cast: Path) -> float | None:
    """The mean over concepts and photos of the last masks' overlap with the true ones.

    None where the run has kept no masks, or nobody knows the true ones.
    """
    shares = [
        overlap(found, true)
        for key, found in last_masks(run / "kept").items()
        if (true := true_mask(cast, *key.rsplit(":", 1))) is not None
    ]
    return fmean(shares) if shares else None


def last_masks(folder: Path) -> Mapping[str, Tensor]:
    """The masks that a run found last, by PHOTO:NAME."""
    files = list(rounds(folder).values())
    return load_tensors(files[-1])[0] if files else {}


def true_mask(cast: Path, photo: str, name: str) -> np.ndarray | None:
    """What the world drew of a concept in a photo, bool [height, width]."""
    file = cast / TRUE_MASKS / PurePosixPath(masked(photo, name))
    return np.asarray(Image.open(file).convert("L")) > 127 if file.is_file() else None


def overlap(found: Tensor, true: np.ndarray) -> float:
    """Intersection over union at the photo's own resolution."""
    large = F.interpolate(found[None, None].float(), true.shape, mode="bilinear")[0, 0] >= 0.5
    both = torch.from_numpy(true)
    return float((large & both).sum() / (large | both).sum().clamp(min=1))
