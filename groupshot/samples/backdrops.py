"""Backdrops: what cut-outs are laid on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from PIL import Image as Pictures
from PIL.Image import Image as Picture
from scipy.ndimage import binary_dilation
from skimage.restoration import inpaint_biharmonic

from groupshot.errors import UserError
from groupshot.samples.patches import patched
from groupshot.samples.photos import PhotoMask, Shot

GROWN = 0.03
"""How far around a subject its photo is filled anew, as a share of the photo's shorter side."""

MOST = 0.8
"""A hole of more of its photo than this leaves too little to fill it from."""


Hole = Bool[np.ndarray, "h w"]
"""The pixels of a resized photo that are filled anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """A square picture to lay things on, and what captions say of it."""

    picture: Picture
    words: str = ""
    """What ends the caption: "in the snow"; nothing where it is not known."""
    name: str = ""
    """The concept that it is, if it is one."""


def plain(size: int, colour: str = "white") -> Backdrop:
    """An even canvas."""
    return Backdrop(picture=Pictures.new("RGB", (size, size), colour))


def emptied(shot: Shot, subjects: PhotoMask, size: int) -> Picture:
    """A photo without its subjects, its shorter side `size` pixels.

    The hole is filled from the rest of the photo, and what no part of it fits by biharmonic
    inpainting. A shadow on the ground stays unless it is marked too. Raises a UserError where the
    subjects fill the photo.
    """
    hole = hole_of(shot, subjects, size)
    if hole.mean() > MOST:
        raise UserError(
            f"Its subjects fill {hole.mean():.0%} of {shot.source}, so there is no background to "
            "take from it: use other photos, or plain backgrounds."
        )
    height, width = hole.shape
    photo = shot.picture.convert("RGB").resize((width, height), Pictures.Resampling.LANCZOS)
    full, left = patched(np.asarray(photo) / 255, hole)
    if left.any():
        full = inpaint_biharmonic(full, left, channel_axis=-1).clip(0, 1)
    return Pictures.fromarray((full * 255).round().astype(np.uint8))


def left_over(shot: Shot, subjects: PhotoMask, size: int) -> bool:
    """Whether enough of a photo is nobody's for `emptied` to fill the rest from."""
    return bool(hole_of(shot, subjects, size).mean() <= MOST)


def hole_of(shot: Shot, subjects: PhotoMask, size: int) -> Hole:
    """What is to be filled anew of a photo whose shorter side is `size` pixels."""
    scale = size / min(shot.picture.size)
    width, height = (max(size, round(side * scale)) for side in shot.picture.size)
    marks = Pictures.fromarray(subjects.astype(np.float32))
    marked = np.asarray(marks.resize((width, height), Pictures.Resampling.BOX)) > 0
    return binary_dilation(marked, iterations=max(2, round(GROWN * size)))
