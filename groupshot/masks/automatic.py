"""SAM's automatic masks: everything that a grid of points finds, kept where it is a concept's."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from PIL.Image import Image as Picture
from transformers import SamImageProcessorPil, SamModel, pipeline

from groupshot.errors import UserError
from groupshot.masks.loading import network, opened
from groupshot.masks.parts import Part, Parted, sifted
from groupshot.shapes import HardMask

INSIDE = 0.8
"""A segment is the concept's if more of it than this lies within the concept's mask."""

WHOLE = 0.8
"""A segment that covers more of the concept than this is no part of it."""


def sam_parts(source: str, device: torch.device) -> Parted:
    """Parts by the automatic masks of a SAM, a folder or a model of the hub.

    They may lie within each other, as an eye in a head. A UserError without torchvision, which
    transformers needs to tell like masks apart.
    """
    if find_spec("torchvision") is None:
        raise UserError("SAM's automatic masks need torchvision: install it, or use slic")
    sam: Any = pipeline(
        "mask-generation",
        model=network(SamModel, source, device),
        image_processor=opened(SamImageProcessorPil, source),
        device=device,
    )

    def parted(picture: Picture, mask: HardMask) -> list[Part]:
        found = (np.asarray(each) for each in sam(picture)["masks"])
        return sifted([Part(mask=each & mask) for each in own(found, mask)], mask)

    return parted


def own(found: Iterator[HardMask], mask: HardMask) -> Iterator[HardMask]:
    """The segments that are parts of a concept: inside it, and not nearly all of it."""
    for each in found:
        shared = (each & mask).sum()
        if shared > INSIDE * each.sum() and shared < WHOLE * mask.sum():
            yield each
