"""The ways to take a concept apart by name, as methods call them."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

import torch

from groupshot.errors import UserError
from groupshot.masks.automatic import sam_parts
from groupshot.masks.parts import Parted, anatomy, felzenszwalb, slic
from groupshot.masks.toybox import Toybox

SAM = "facebook/sam-vit-huge"
"""The model whose automatic masks are parts, unless another is named."""

PARTINGS: Mapping[str, Callable[[str, torch.device], Parted]] = {
    "anatomy": lambda model, device: anatomy(Toybox.load()),
    "felzenszwalb": lambda model, device: felzenszwalb,
    "slic": lambda model, device: slic,
    "sam": lambda model, device: sam_parts(model or SAM, device),
}


def parting(said: str, device: torch.device) -> Parted:
    """A way to take concepts apart from NAME, or sam=MODEL; a UserError where there is none."""
    name, _, model = said.partition("=")
    if name not in PARTINGS:
        close = get_close_matches(name, PARTINGS, n=2) or list(PARTINGS)
        raise UserError(f"nothing takes concepts apart as '{name}': try {', '.join(close)}")
    return PARTINGS[name](model, device)


def usual(segmenter: str) -> str:
    """The way that goes with a segmenter: who finds toybox characters knows their anatomy."""
    return "anatomy" if segmenter == "toybox" else "slic"
