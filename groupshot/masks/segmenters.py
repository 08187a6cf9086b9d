"""The segmenters by name, as the command line and methods call them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import torch
from PIL.Image import Image as Picture

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.keep import Keep
from groupshot.masks.clipseg import ClipSeg
from groupshot.masks.grounded import Dino, Grounded, Owl, Sam, Sam2
from groupshot.masks.segmenter import Candidate, Segmenter
from groupshot.masks.sightings import kept, restored, sightings
from groupshot.masks.toybox import Toybox
from groupshot.shapes import HardMask


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of segmenter, and how to load one."""

    load: Callable[[Sequence[str], torch.device], Segmenter]
    models: tuple[str, ...] = ()
    """The hub's models that it is made of unless others are named."""


def grounded(name: str, detector: type[Owl | Dino], cutter: type[Sam | Sam2]) -> Kind:
    """A detector and what cuts out what it finds."""

    def load(models: Sequence[str], device: torch.device) -> Segmenter:
        boxes, masks = models
        return Grounded(name=name, detector=detector(boxes, device), cutter=cutter(masks, device))

    return Kind(load=load, models=(HUB[detector], HUB[cutter]))


HUB: Mapping[type, str] = {
    Owl: "google/owlv2-base-patch16-ensemble",
    Dino: "IDEA-Research/grounding-dino-tiny",
    Sam: "facebook/sam-vit-huge",
    Sam2: "facebook/sam2.1-hiera-large",
    ClipSeg: "CIDAS/clipseg-rd64-refined",
}
"""The model of each kind; OWLv2 and SAM are those of MuDI."""


class Nobody:
    """Finds nothing: hand masks are all there is."""

    name = "hand"

    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """Nothing, whatever is asked for."""
        return []


SEGMENTERS: Mapping[str, Kind] = {
    Nobody.name: Kind(load=lambda models, device: Nobody()),
    "toybox": Kind(load=lambda models, device: Toybox.load()),
    "owlv2-sam": grounded("owlv2-sam", Owl, Sam),
    "dino-sam": grounded("dino-sam", Dino, Sam),
    "owlv2-sam2": grounded("owlv2-sam2", Owl, Sam2),
    "dino-sam2": grounded("dino-sam2", Dino, Sam2),
    "clipseg": Kind(load=lambda models, device: ClipSeg(models[0], device), models=(HUB[ClipSeg],)),
}


class Waiting:
    """A segmenter that is loaded when it is first asked: where all masks are given, never."""

    def __init__(self, name: str, load: Callable[[], Segmenter]) -> None:
        """Wait; `load` is called at most once."""
        self.name = name
        self.load = load

    @cached_property
    def segmenter(self) -> Segmenter:
        """The one that answers."""
        return self.load()

    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """What it finds; a UserError where it cannot be loaded."""
        return self.segmenter.found(picture, noun)


def segmenter(said: str, device: torch.device) -> Segmenter:
    """A segmenter from NAME, or from NAME=MODEL,MODEL with folders or other models of the hub.

    Raises a UserError for what cannot be meant; models are not loaded before they are needed.
    """
    name, _, models = said.partition("=")
    if name not in SEGMENTERS:
        close = get_close_matches(name, SEGMENTERS, n=2) or list(SEGMENTERS)
        raise UserError(f"there is no segmenter '{name}': try {', '.join(close)}")
    kind = SEGMENTERS[name]
    chosen = models.split(",") if models else list(kind.models)
    if len(chosen) != len(kind.models):
        like = "=" + ",".join(kind.models) if kind.models else ""
        raise UserError(f"'{said}' names {len(chosen)} models: write {name}{like}")
    return Waiting(name, lambda: kind.load(chosen, device))


def finder(said: str, base: Base) -> Segmenter:
    """The segmenter that somebody `said`, or else the base's own."""
    return segmenter(said or base.card.segmenter, base.device)


def masks_of(cast: Cast, base: Base, keep: Keep, said: str) -> tuple[dict[str, HardMask], ...]:
    """Where each concept is in each photo: by hand masks, and by a segmenter where there is none.

    The segmenter is loaded, and in memory, only while it looks.
    """
    return restored(cast, keep("masks", lambda _: kept(sightings(cast, finder(said, base)))))
