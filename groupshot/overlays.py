"""Overlays: photos with their masks painted over, so that people see what will be used."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion
from tqdm import tqdm

from groupshot.cast import Cast
from groupshot.masks import Sighting
from groupshot.masks.sizes import resized
from groupshot.report import Row, sheet

SHEET = "sheet.png"

SIDE = 1024
"""The most pixels that an overlay has on its longer side."""

TINTS = {
    "orange": (230, 159, 0),
    "blue": (0, 114, 178),
    "green": (0, 158, 115),
    "pink": (204, 121, 167),
    "red": (213, 94, 0),
    "sky": (86, 180, 233),
    "yellow": (240, 228, 66),
    "black": (0, 0, 0),
}
"""The colours of concepts in their order: those that the colour-blind tell apart (Okabe & Ito)."""

OPACITY = 0.4
"""Of a tint."""

FADED = 0.6
"""How far what is nobody's goes towards white."""

THICKNESS = 1 / 150
"""Of contours, as a share of the shorter side."""

COLUMNS = 6
"""Photos in a row of the sheet."""


def overlaid(cast: Cast, found: Iterable[Sighting], out: Path) -> list[Sighting]:
    """Fill `out` with sheet.png, an overlay of each photo, and each mask as a file to correct.

    `found` is every photo of the cast with its masks, whoever made them.
    A mask under `masks/` is named as a hand mask is: corrected, it can be copied into the cast.
    """
    count = sum(len(concept.photos) for concept in cast.concepts) + len(cast.together)
    seen = list(tqdm(found, total=count, unit="photo", delay=1))
    tints = dict(zip(cast.names, cycle(TINTS), strict=False))
    pictures = [painted(each, tints) for each in seen]
    for each, picture in zip(seen, pictures, strict=True):
        save(picture, out / "overlays" / f"{each.photo}.png")
        for name, mask in each.masks.items():
            save(Image.fromarray(mask), out / "masks" / each.files[name].relative_to(cast.folder))
    sheet(list(rows(seen, pictures, tints))).save(out / SHEET, optimize=True)
    return seen


def save(picture: Image.Image, file: Path) -> None:
    """Write a picture, and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, optimize=True)


def painted(seen: Sighting, tints: Mapping[str, str]) -> Image.Image:
    """A photo of at most SIDE pixels: each concept tinted and in a contour, the rest faded."""
    photo = seen.picture.copy()
    photo.thumbnail((SIDE, SIDE))
    page = np.asarray(photo.convert("RGB"), dtype=np.float64)
    width = max(1, round(THICKNESS * min(photo.size)))
    masks = {name: resized(mask, photo.size) for name, mask in seen.masks.items()}
    nobody = np.sum(list(masks.values()), axis=0)[..., None] == 0
    page = page + FADED * nobody * (255 - page)
    for name, inside in masks.items():
        inner: Any = binary_erosion(inside, iterations=width, border_value=1)
        share = np.where(inside & ~inner, 1.0, OPACITY * inside)[..., None]
        page = page + share * (np.array(TINTS[tints[name]]) - page)
    return Image.fromarray(page.round().astype(np.uint8))


def rows(
    seen: Sequence[Sighting], pictures: Sequence[Image.Image], tints: Mapping[str, str]
) -> Iterator[Row]:
    """Rows of overlays, with what is in them below."""
    cells = [(caption(each, tints), one) for each, one in zip(seen, pictures, strict=True)]
    for i in range(0, len(cells), COLUMNS):
        some = cells[i : i + COLUMNS]
        yield Row(
            heading="photos and their masks" if i == 0 else "",
            pictures=[one for _, one in some],
            captions=[said for said, _ in some],
        )


def caption(seen: Sighting, tints: Mapping[str, str]) -> str:
    """ "luna/1.jpg: luna (orange) 34%, hand mask"."""
    return f"{seen.photo}: " + "; ".join(
        f"{name} ({tints[name]}) {share:.0%}, {seen.sources[name]}"
        for name, share in seen.shares.items()
    )


def line(seen: Sighting) -> str:
    """ "luna/1.jpg  luna 34% (hand mask)"."""
    return "  ".join(
        [seen.photo, *(f"{n} {s:.0%} ({seen.sources[n]})" for n, s in seen.shares.items())]
    )


def document(seen: Sighting) -> dict[str, Any]:
    """The same as a JSON value."""
    concepts = {
        name: {"share": round(share, 4), "source": seen.sources[name]}
        for name, share in seen.shares.items()
    }
    return {"photo": seen.photo, "concepts": concepts}
