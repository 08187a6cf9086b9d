"""Cut-outs on an empty canvas, whole or in parts: what the CLIP pair sees besides scenes."""

from typing import NamedTuple

import numpy as np

from groupshot.toybox.world.captions import beside, described
from groupshot.toybox.world.drawing import box_of, draw
from groupshot.toybox.world.dreaming import Rng, identity, pick, staged
from groupshot.toybox.world.vocabulary import PARTS, PLAIN, SIZE

REGIONS: dict[str, tuple[str, ...]] = {
    "head": ("head", "face", "ears"),
    "ears": ("ears",),
    "body": ("body", "belly", "arms"),
    "belly": ("belly",),
    "legs": ("legs",),
    "tail": ("tail",),
}
"""Names of a character's regions, and the parts that each is made of."""


class Cutout(NamedTuple):
    """Something cut out, and what it is called."""

    image: np.ndarray
    """uint8 [h, w, 3]."""
    mask: np.ndarray
    """bool [h, w]."""
    words: str


class Collage(NamedTuple):
    """One or two cut-outs on a plain canvas, with a caption and the mask of each."""

    image: np.ndarray
    """uint8 [128, 128, 3]."""
    owners: np.ndarray
    """uint8 [128, 128]: 0 nothing, i + 1 the i-th from the left."""
    caption: str


def collage(rng: Rng, population: str = "nameable") -> Collage:
    """A random collage: two thirds hold two things, a third of the things are parts."""
    n = 2 if rng.random() < 2 / 3 else 1
    things = [cutout(rng, population) for _ in range(n)]
    image = np.full((SIZE, SIZE, 3), int(rng.integers(250, 256)), np.uint8)
    owners = np.zeros((SIZE, SIZE), np.uint8)
    for i, thing in enumerate(things):
        half = SIZE // n
        h, w = thing.mask.shape
        x = half * i + int(rng.integers(max(1, half - w + 1)))
        y = int(rng.integers(max(1, SIZE - h + 1)))
        x = min(x, SIZE - w)
        image[y : y + h, x : x + w][thing.mask] = thing.image[thing.mask]
        owners[y : y + h, x : x + w][thing.mask] = i + 1
    words = [t.words for t in things]
    said = words[0] if n == 1 else beside(rng, *words)
    opening = pick(rng, ("", "a picture of ", "a photo of "))
    return Collage(image, owners, opening + said)


def cutout(rng: Rng, population: str) -> Cutout:
    """A whole character or one of its regions, cropped to its box."""
    while True:
        who = identity(rng, population)
        picture = draw(staged(rng, [who], background=PLAIN))
        mask, words = picture.owners > 0, described(rng, who, int(rng.integers(1, 4)))
        if rng.random() < 1 / 3:
            region = pick(rng, list(REGIONS))
            mask = np.isin(picture.parts, [PARTS.index(p) for p in REGIONS[region]])
            words = f"the {region} of {described(rng, who, 1)}"
        if mask.sum() >= 40:
            break
    x0, y0, x1, y1 = box_of(mask)
    thing = Cutout(picture.image[y0:y1, x0:x1], mask[y0:y1, x0:x1], words)
    return halved(thing) if x1 - x0 > SIZE // 2 else thing


def halved(thing: Cutout) -> Cutout:
    """A wide cut-out made to fit half the canvas."""
    return Cutout(thing.image[::2, ::2], thing.mask[::2, ::2], thing.words)
