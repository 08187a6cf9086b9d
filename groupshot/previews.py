"""Previews: what a method would learn from, drawn before it learns.

Cut-outs, whole and in parts, what the base drew, places without anybody, and the composites or
collages made of them, with their captions. Below each composite stand the masks and boxes of what
was placed in it, in the colours red, blue, green and yellow.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from groupshot.base import Base
from groupshot.cast import Cast, check_nouns
from groupshot.keep import Keep, seeded
from groupshot.report import Row, sheet
from groupshot.samples import Collage, Composite, Cutout, Pieces
from groupshot.samples.fusion import Fusion

COLUMNS = 6
"""Pictures in a row."""
ROWS = 4
"""Rows of composites, or of collages of each kind."""
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


@runtime_checkable
class Collaging(Protocol):
    """A method that learns from collages."""

    def collaged(self, base: Base, cast: Cast, keep: Keep) -> tuple[Pieces, Sequence[Collage]]:
        """What they are made of, and all of them."""
        ...


Showing = Fusing | Collaging
"""A method that makes pictures to learn from."""


def previewed(method: Showing, base: Base, cast: Cast, out: Path) -> Path:
    """Save a sheet of what a run of the method with seed 0 would learn from; the file in `out`.

    Raises a UserError where the base does not know a class word.
    """
    if base.lexicon:
        check_nouns(cast, base.lexicon)
    with TemporaryDirectory() as folder:
        keep = Keep(Path(folder), seed=0)
        if isinstance(method, Fusing):
            file, page = out / "composites.png", list(of_fusion(method.fused(base, cast, keep)))
        else:
            file, page = out / "collages.png", list(of_collages(*method.collaged(base, cast, keep)))
    sheet(page).save(file, optimize=True)
    return file


def of_fusion(fusion: Fusion) -> Iterator[Row]:
    """Everything that goes into composites, and some of them."""
    for name, own in fusion.subjects.items():
        yield from laid_out(f"{name}, cut out", [shown(each) for each in own])
    cut = [shown(each) for each in fusion.strangers]
    yield from laid_out("others of their classes, drawn by the base", cut[:COLUMNS])
    yield from laid_out("places", [each.picture for each in fusion.grounds])
    for k in range(ROWS):
        made = [fusion.draw(seeded(0, "preview", k, i)) for i in range(COLUMNS)]
        yield from composites("composites" if k == 0 else "", made)


def of_collages(pieces: Pieces, made: Sequence[Collage]) -> Iterator[Row]:
    """Cut-outs of each concept, one of each of its parts and of each common thing; collages."""
    for name, things in pieces.wholes.items():
        yield from called(f"{name}, cut out", things)
        own = pieces.parts.get(name, [])
        yield from called(f"{name}, {len(own)} parts", {part.words: part for part in own}.values())
    number = sum(map(len, pieces.common.values()))
    one_each = [things[0] for things in pieces.common.values()]
    yield from called(f"{number} common things, drawn by the base", one_each)
    for kind in dict.fromkeys(each.kind for each in made):
        some = [each for each in made if each.kind == kind]
        few = some[: ROWS * COLUMNS]
        framed = [ImageOps.expand(each.picture, border=1, fill="silver") for each in few]
        phrases = [each.phrase for each in few]
        yield from laid_out(f"{kind}: {len(some)} collages", framed, phrases)


def called(heading: str, things: Iterable[Cutout]) -> Iterator[Row]:
    """Cut-outs with what captions call them."""
    some = list(things)
    yield from laid_out(heading, [shown(each) for each in some], [each.words for each in some])


def laid_out(
    heading: str, pictures: Sequence[Image.Image], captions: Sequence[str] = ()
) -> Iterator[Row]:
    """Any number of pictures, in rows."""
    for i in range(0, len(pictures), COLUMNS):
        yield Row(
            heading="" if i else heading,
            pictures=pictures[i : i + COLUMNS],
            captions=captions[i : i + COLUMNS],
        )


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
