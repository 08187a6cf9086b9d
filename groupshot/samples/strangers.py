"""Strangers: one of a class whom the base draws by itself, cut out, and the place without them.

FaR (arXiv 2504.03292) generates "priors with class-name diffusion", and composes them with the
references.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL.Image import Image as Picture

from groupshot.base import Base
from groupshot.keep import Kept
from groupshot.masks import Segmenter
from groupshot.samples.batch import TOGETHER
from groupshot.samples.captions import with_article
from groupshot.samples.cutouts import FULL, Cutout, cut, large_enough
from groupshot.samples.grounds import Ground, vacated
from groupshot.samples.photos import Shot
from groupshot.shapes import HardMask, Latent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stranger:
    """Somebody of a class, whom the base drew."""

    shot: Shot
    noun: str
    mask: HardMask
    place: str
    """What the base was told of where they are: "on the beach", or nothing."""

    def cut(self, size: int) -> Cutout:
        """The stranger as captions call one: "a cat", who is nobody's concept."""
        return cut(self.shot, self.mask, "", with_article(self.noun), size)

    def left(self, size: int) -> Iterator[Ground]:
        """The place without the stranger, unless one fills it."""
        return vacated(self.shot, [self.mask], size, self.place)


def asked(nouns: set[str], places: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Every class in every place, as it is asked for: {"a cat on the beach": (noun, place)}."""
    return {
        f"{with_article(noun)} {place}": (noun, place) for noun in sorted(nouns) for place in places
    }


def found(
    base: Base, drawn: Mapping[str, Latent], nouns: Mapping[str, str], eye: Segmenter
) -> Kept:
    """Where the one of a class is in the base's own latents, by the keys of both: bool b × H × W.

    Nowhere in a picture that shows none of the class or several, or one that can't be cut out.
    """
    return {
        key: torch.from_numpy(
            np.stack([alone(eye, picture, nouns[key]) for picture in pictures(base, latents)])
        )
        for key, latents in drawn.items()
    }


def strangers(
    base: Base, drawn: Mapping[str, Latent], known: Mapping[str, tuple[str, str]], masks: Kept
) -> list[Stranger]:
    """Everybody who was found in the base's own latents; `known` are noun and place of each key."""
    return [
        Stranger(
            shot=Shot(picture=picture, shows=(), source=f"the base's own {key}"),
            noun=known[key][0],
            mask=mask,
            place=known[key][1],
        )
        for key, latents in drawn.items()
        for picture, mask in zip(pictures(base, latents), masks[key].numpy(), strict=True)
        if mask.any()
    ]


def alone(eye: Segmenter, picture: Picture, noun: str) -> HardMask:
    """The only one of a class in a picture, if one can be cut out."""
    masks = [candidate.mask for candidate in eye.found(picture, noun) if candidate.score > 0]
    if len(masks) == 1 and masks[0].mean() <= FULL and large_enough(masks[0], picture.width):
        return masks[0]
    return np.zeros((picture.height, picture.width), dtype=bool)


def pictures(base: Base, latents: Latent) -> Iterator[Picture]:
    """Latents as pictures, a few at a time."""
    for i in range(0, len(latents), TOGETHER):
        yield from base.pictures(latents[i : i + TOGETHER])
