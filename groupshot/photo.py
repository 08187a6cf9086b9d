"""One picture file of the user's: given upright in RGB, or refused with one sentence."""

import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from groupshot.errors import UserError

READABLE = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
FOREIGN = {".heic", ".heif", ".jxl", ".dng"}
SMALLEST_SIDE = 32

MARKED = 128
"""From this grey on, a pixel of a mask is the subject's."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""What Pillow's decoders raise on a damaged file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A picture file and, where there is one, the mask file beside it."""

    path: Path
    mask_path: Path | None = None

    def image(self) -> Image.Image:
        """Give the picture upright in RGB: first frame, transparency laid on white."""
        return _flattened(_opened(self.path))

    def mask(self) -> Image.Image | None:
        """Give the mask ('L', 255 on the subject), from its own file or the alpha channel."""
        picture = _opened(self.path)
        if self.mask_path is not None:
            return read_mask(self.mask_path, size=picture.size)
        if not picture.has_transparency_data:
            return None
        alpha = picture.convert("RGBA").getchannel("A")
        if np.asarray(alpha).max() < MARKED:
            raise UserError(f"{self.path} is wholly transparent: save it with the subject opaque")
        return None if alpha.getextrema() == (255, 255) else alpha

    def check(self) -> None:
        """Read everything once, so that a file that cannot be used is refused before any work."""
        if min(_opened(self.path).size) < SMALLEST_SIDE:
            raise UserError(
                f"{self.path} is under {SMALLEST_SIDE} pixels on a side: use a larger picture"
            )
        self.mask()


def pictures_in(folder: Path) -> list[Path]:
    """List a folder's pictures, 2.jpg before 10.jpg, without masks and hidden files."""
    if not folder.is_dir():
        return []
    files = [f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")]
    for file in files:
        if file.suffix.lower() in FOREIGN:
            raise UserError(f"{file} is in a format that cannot be read: save it as JPEG or PNG")
    pictures = [f for f in files if f.suffix.lower() in READABLE and not is_mask(f)]
    return sorted(pictures, key=_natural)


def is_mask(file: Path) -> bool:
    """Tell whether a file is a mask by its name: N.mask.png, or N.luna.mask.png.

    So is N.mask.jpg, which is refused elsewhere: it must not be learned as a photo.
    """
    return file.suffix.lower() in READABLE and file.stem.lower().endswith(".mask")


def read_mask(path: Path, *, size: tuple[int, int]) -> Image.Image:
    """Read a mask file as 'L'; UserError where its size is another or it marks nothing."""
    mask = _opened(path)
    if mask.size != size:
        raise UserError(
            f"{path} is {mask.width} x {mask.height} and its photo {size[0]} x {size[1]}: "
            "a mask has the size of its photo"
        )
    grey = _flattened(mask, "black").convert("L")
    if np.asarray(grey).max() < MARKED:
        raise UserError(f"{path} marks nothing: paint the subject white, or remove the file")
    return grey


def _opened(path: Path) -> Image.Image:
    """Decode the first frame upright; the size is refused from the header, before decoding."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return ImageOps.exif_transpose(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        limit = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise UserError(
            f"{path} has more than {limit} million pixels: make it smaller first"
        ) from bomb
    except _BROKEN as broken:
        raise UserError(
            f"{path} cannot be read as a picture (damaged or cut short): replace or remove it"
        ) from broken


def _flattened(picture: Image.Image, ground: str = "white") -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits of grey: Pillow would clip
        grey = np.asarray(picture, dtype=np.float64)
        return Image.fromarray((grey * 255 / max(grey.max(), 255)).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    under = Image.new("RGBA", layered.size, ground)
    return Image.alpha_composite(under, layered).convert("RGB")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort digits by value: '10' after '9'."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
