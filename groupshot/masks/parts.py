"""Over-segmentation: what a concept is made of, with names where somebody knows them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image as Pictures
from PIL.Image import Image as Picture
from skimage import segmentation

from groupshot.masks.sizes import resized
from groupshot.masks.toybox import Toybox
from groupshot.shapes import HardMask
from groupshot.toybox.world import PARTS, REGIONS

SMALLEST = 0.01
"""The least that a part may have of its concept: less shows nothing."""

SIDE = 256
"""The longer side at which scikit-image sees a concept, in pixels."""

COUNT = 8
"""About how many parts SLIC makes; felzenszwalb's have at least a quarter of such a one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A region of a concept."""

    mask: HardMask
    """As large as the photo, and wholly inside the concept."""
    name: str = ""
    """What it is, "hat"; empty where nobody knows."""


Pixels = UInt8[np.ndarray, "h w 3"]
"""A picture of 8-bit colours."""

Regions = Int[np.ndarray, "h w"]
"""A number from 1 for each region; 0 is none."""

Parted = Callable[[Picture, HardMask], list[Part]]
"""Takes a concept in a photo apart, given its mask there; the largest part comes first."""


Namer = Callable[[Sequence[Picture]], Sequence[str]]
"""Says what parts are, cut out on white: a word for each, empty where it knows none."""


def anatomy(toybox: Toybox) -> Parted:
    """The parts of a toybox character, as its CLIP has seen them cut out: a head with its face.

    An accessory is called what it is, "hat"; a mark nothing, for no caption can name it.
    """

    def parted(picture: Picture, mask: HardMask) -> list[Part]:
        (reading,) = toybox.reader.read([picture])
        seen = max(
            reading.characters,
            key=lambda each: int((resized(each.mask, picture.size) & mask).sum()),
            default=None,
        )
        if seen is None:
            return []
        regions = REGIONS | {seen.attributes["accessory"]: ("accessory",), "": ("mark",)}
        shapes = {
            name: np.isin(seen.parts, [PARTS.index(part) for part in own])
            for name, own in regions.items()
        }
        whole = {name: resized(shape, picture.size) for name, shape in shapes.items()}
        return sifted([Part(mask=shape & mask, name=name) for name, shape in whole.items()], mask)

    return parted


def felzenszwalb(picture: Picture, mask: HardMask) -> list[Part]:
    """Regions that differ more from each other than within (Felzenszwalb & Huttenlocher 2004)."""

    def cut(photo: Pixels, inside: HardMask) -> Regions:
        least = round(inside.sum() / COUNT / 4)
        return segmentation.felzenszwalb(photo, scale=100, sigma=0.8, min_size=least) + 1

    return segmented(picture, mask, cut)


def slic(picture: Picture, mask: HardMask) -> list[Part]:
    """About COUNT compact regions of like colour (SLIC: Achanta et al. 2012)."""

    def cut(photo: Pixels, inside: HardMask) -> Regions:
        return segmentation.slic(photo, n_segments=COUNT, mask=inside, start_label=1)

    return segmented(picture, mask, cut)


def segmented(
    picture: Picture, mask: HardMask, cut: Callable[[Pixels, HardMask], Regions]
) -> list[Part]:
    """What `cut` makes of a concept: it sees the box around it, at most SIDE pixels long."""
    box = Pictures.fromarray(mask).getbbox()
    if box is None:
        return []
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    scale = min(1.0, SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = picture.convert("RGB").resize(size, Pictures.Resampling.BOX, box=box)
    labels = cut(np.array(small), resized(mask, size, box)).astype(np.int32)
    whole = Pictures.fromarray(labels).resize((width, height), Pictures.Resampling.NEAREST)
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels[top:bottom, left:right] = np.asarray(whole)
    regions = (labels == i for i in range(1, int(labels.max()) + 1))
    return sifted([Part(mask=region & mask) for region in regions], mask)


def sifted(parts: Iterable[Part], mask: HardMask) -> list[Part]:
    """Parts that are large enough to show something, the largest first."""
    large = [part for part in parts if part.mask.sum() >= max(1, SMALLEST * mask.sum())]
    return sorted(large, key=lambda part: -int(part.mask.sum()))


def naming(apart: Parted, namer: Namer) -> Parted:
    """The same parts, with the names that a namer has for them."""

    def parted(picture: Picture, mask: HardMask) -> list[Part]:
        parts = apart(picture, mask)
        names = namer([on_white(picture, part.mask) for part in parts])
        return [replace(part, name=name) for part, name in zip(parts, names, strict=True)]

    return parted


def on_white(picture: Picture, mask: HardMask) -> Picture:
    """What a mask marks in a picture, cut out and laid on white."""
    shape = Pictures.fromarray(mask)
    white = Pictures.new("RGB", picture.size, "white")
    return Pictures.composite(picture.convert("RGB"), white, shape).crop(shape.getbbox())
