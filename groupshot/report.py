"""Contact sheets: rows of pictures with a heading each and a caption below every picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

CELL = 192
GAP = 12
HEADING = 20
CAPTION = 13
SPACING = 4
INK, SOFT, PAPER = "#222222", "#666666", "white"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Pictures of one kind."""

    heading: str
    pictures: Sequence[Image.Image]
    captions: Sequence[str] = ()
    """One a picture, or none at all."""

    @property
    def height(self) -> int:
        """Of heading, pictures and captions, in pixels."""
        lines = max((len(wrapped(caption)) for caption in self.captions), default=0)
        return HEADING + 2 * GAP + CELL + lines * (CAPTION + SPACING)


def sheet(rows: Sequence[Row]) -> Image.Image:
    """Lay rows below one another, as wide as the longest."""
    columns = max(len(row.pictures) for row in rows)
    width = GAP + columns * (CELL + GAP)
    page = Image.new("RGB", (width, GAP + sum(row.height + GAP for row in rows)), PAPER)
    top = GAP
    for row in rows:
        _lay(page, row, top)
        top += row.height + GAP
    return page


def _lay(page: Image.Image, row: Row, top: int) -> None:
    pen = ImageDraw.Draw(page)
    pen.text((GAP, top), row.heading, INK, ImageFont.load_default(HEADING))
    top += HEADING + GAP
    for i, picture in enumerate(row.pictures):
        left = GAP + i * (CELL + GAP)
        page.paste(fitted(picture), (left, top))
        if row.captions:
            text, font = "\n".join(wrapped(row.captions[i])), ImageFont.load_default(CAPTION)
            pen.multiline_text((left, top + CELL + SPACING), text, SOFT, font, spacing=SPACING)


def fitted(picture: Image.Image) -> Image.Image:
    """Centre a picture in a square cell, whole and in its own proportions."""
    scale = CELL / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    cell = Image.new("RGB", (CELL, CELL), PAPER)
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    cell.paste(small, ((CELL - size[0]) // 2, (CELL - size[1]) // 2))
    return cell


def wrapped(caption: str) -> list[str]:
    """Break a caption into lines that are no wider than a cell."""
    letters = int(CELL / ImageFont.load_default(CAPTION).getlength("n"))
    return wrap(caption, letters)
