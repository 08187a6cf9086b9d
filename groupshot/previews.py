"""Previews: what a method would learn from, drawn before it learns.

Cut-outs, those whom the base drew, the places without anybody, and composites with their captions.
Below each composite stand the masks and boxes of what was placed in it, in the colours red, blue,
green and yellow.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image, ImageDraw

from groupshot.base import Base
from groupshot.cast import Cast, check_nouns
from groupshot.keep import Keep, seeded
from groupshot.report import Row, sheet
from groupshot.samples import Composite, Cutout
from groupshot.samples.fusion import Fusion

COMPOSITES = "composites.png"

COLUMNS = 6
"""Pictures in a row."""
ROWS = 4
"""Rows of composites."""
SIDE = 384
"""Side of a painted picture, in pixels."""

TINTS = ((230, 60, 60), (60, 110, 230), (60, 170, 80), (230, 170, 40))
"""What masks are painted in, in the order of what was placed."""

PALE, GREY, SQUARE = 255, 224, 8
"""What lies behind cut-outs: two greys, in squares of so many pixels."""


@runtime_checkable
class Fusing(Protocol):
    """A method that learns from composites."""

    def fused(self, base: Base, cast: Cast, keep: Keep) -> Fusion:
        """What they are made of."""
        ...


def previewed(method: Fusing, base: Base, cast: Cast, file: Path) -> None:
    """Save a sheet of what a run of the method with seed 0 would learn from.

    Raises a UserError where the base does not know a class word.
    """
    if base.lexicon:
        check_nouns(cast, base.lexicon)
    with TemporaryDirectory() as folder:
        fusion = method.fused(base, cast, Keep(Path(folder), seed=0))
    sheet(list(rows(fusion))).save(file, optimize=True)


def rows(fusion: Fusion) -> Iterator[Row]:
    """Everything that goes into composites, and some of them."""
    for name, own in fusion.subjects.items():
        yield from laid_out(f"{name}, cut out", [shown(each) for each in own])
    cut = [shown(each) for each in fusion.strangers]
    yield from laid_out("others of their classes, drawn by the base", cut[:COLUMNS])
    yield from laid_out("places", [each.picture for each in fusion.grounds])
    for k in range(ROWS):
        made = [fusion.draw(seeded(0, "preview", k, i)) for i in range(COLUMNS)]
        yield from composites("composites" if k == 0 else "", made)


def laid_out(heading: str, pictures: Sequence[Image.Image]) -> Iterator[Row]:
    """Any number of pictures, in rows."""
    for i in range(0, len(pictures), COLUMNS):
        yield Row(heading="" if i else heading, pictures=pictures[i : i + COLUMNS])


def composites(heading: str, made: Sequence[Composite]) -> Iterator[Row]:
    """A row of composites with their captions, and one of their masks."""
    yield Row(
        heading=heading,
        pictures=[each.picture for each in made],
        captions=[each.caption for each in made],
    )
    yield Row(heading="", pictures=[painted(each) for each in made])


def shown(thing: Cutout) -> Image.Image:
    """A cut-out on a chequered ground."""
    width, height = thing.picture.size
    squares = np.add.outer(np.arange(height) // SQUARE, np.arange(width) // SQUARE) % 2
    ground = Image.fromarray(np.where(squares, PALE, GREY).astype(np.uint8)).convert("RGBA")
    return Image.alpha_composite(ground, thing.picture)


def painted(made: Composite) -> Image.Image:
    """Masks in TINTS over a pale picture, with their boxes, at SIDE."""
    page = 255 - (255 - np.asarray(made.picture, dtype=float)) * 0.3
    tinted = list(zip(TINTS, made.placed, strict=False))
    for tint, placed in tinted:
        page += placed.mask[..., None] * 0.75 * (np.array(tint) - page)
    large = Image.fromarray(page.round().astype(np.uint8)).resize((SIDE, SIDE))
    pen, scale = ImageDraw.Draw(large), SIDE / made.picture.width
    for tint, placed in tinted:
        left, top, right, bottom = (scale * side for side in placed.box)
        pen.rectangle((left, top, right, bottom), outline=tint, width=3)
    return large
