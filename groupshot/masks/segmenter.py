"""Segmenter: whatever finds the things of a class in a picture."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL.Image import Image as Picture

from groupshot.shapes import HardMask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """Something that may be what was looked for."""

    mask: HardMask
    """As large as the picture."""
    score: float
    """How sure the segmenter is, from 0 to 1: at 0 it counts where the user says that one is there,
    and no better one is."""


@runtime_checkable
class Segmenter(Protocol):
    """A network that is told a class noun and shows where such things are."""

    @property
    def name(self) -> str:
        """What it is called when it finds nothing."""
        ...

    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """Everything in the picture that is a `noun`, each once; of a score the surest first."""
        ...
