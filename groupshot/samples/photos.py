"""Photos of a cast, and whom each shows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL.Image import Image as Picture

from groupshot.cast import Cast
from groupshot.shapes import HardMask

PhotoMask = HardMask | Float[np.ndarray, "H W"]
"""Where one thing is in a photo, pixel by pixel: 0 nowhere, 1 wholly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photo and whom it shows."""

    picture: Picture
    shows: tuple[str, ...]
    source: str
    """What it is called when something is wrong with it: its path."""


def shots(cast: Cast) -> tuple[Shot, ...]:
    """Every photo of the cast, those of one concept first."""
    alone = [
        Shot(picture=photo.image(), shows=(concept.name,), source=str(photo.path))
        for concept in cast.concepts
        for photo in concept.photos
    ]
    together = [
        Shot(picture=each.photo.image(), shows=each.shows, source=str(each.photo.path))
        for each in cast.together
    ]
    return (*alone, *together)
