"""Composites to look at: `python -m groupshot.benchmarks.composite_sheet FILE`.

The example casts, cut out by the world's own masks: side by side on white, in front of other places
and of their own photos emptied, apart and overlapping. Below each picture stand the masks and boxes
of what was placed in it, in the colours red, blue, green and yellow.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Generator

from groupshot.previews import COLUMNS, composites
from groupshot.report import Row, sheet
from groupshot.samples import (
    Backdrop,
    Composite,
    Cutout,
    Rules,
    Shot,
    collage,
    composite,
    cut,
    drawn,
    emptied,
    part_of,
    plain,
    subset,
)
from groupshot.samples.fusion import Draw
from groupshot.toybox import casts, world
from groupshot.toybox.casts import EXAMPLES

GROUND = Rules(feet=(0.8, 0.98))
CROWDED = Rules(feet=(0.75, 0.98), overlap=1.0, hidden=0.5, turn=8.0)
LIT = Rules(feet=(0.8, 0.98), light=0.5)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A drawn photo of somebody, cut up."""

    photo: Image.Image
    whole: Cutout
    worn: Cutout
    """The accessory."""
    empty: Backdrop
    """The photo without them."""


def taken(cast: str, seed: int) -> dict[str, list[Taken]]:
    """The photos of an example cast's members."""
    return {
        name: [
            taken_apart(picture, name)
            for picture in casts.photographed(np.random.default_rng((seed, k)), [who], 5)
        ]
        for k, (name, who) in enumerate(EXAMPLES[cast].items())
    }


def taken_apart(picture: world.Picture, name: str) -> Taken:
    """A photo of one character, cut up."""
    photo, size = Image.fromarray(picture.image), world.SIZE
    shot = Shot(picture=photo, shows=(name,), source="the toybox")
    there, worn = picture.owners > 0, picture.parts == world.PARTS.index("accessory")
    (character,) = picture.scene.characters
    said = part_of(name, character.identity.accessory)
    place = world.PLACES[picture.scene.background][0]
    return Taken(
        photo=photo,
        whole=cut(shot, there, name, f"<{name}>", size),
        worn=cut(shot, worn, name, said, size),
        empty=Backdrop(picture=emptied(shot, there, size), words=place),
    )


def places() -> list[Backdrop]:
    """Every background of the world, with nobody there."""
    rng = np.random.default_rng(0)
    scenes = [world.dream(rng, count=1, background=place) for place in world.BACKGROUNDS]
    pictures = [world.draw(replace(scene, characters=())) for scene in scenes]
    return [
        Backdrop(picture=Image.fromarray(p.image), words=world.PLACES[p.scene.background][0])
        for p in pictures
    ]


def rows(cast: str, seed: int) -> list[Row]:
    """Everything that is made of a cast."""
    there, white, grounds = taken(cast, seed), plain(world.SIZE), places()
    everyone = [each for photos in there.values() for each in photos]

    def some(g: Generator, who: Sequence[str]) -> list[Cutout]:
        return [pick(there[name], g).whole for name in who]

    def on_white(g: Generator) -> Composite:
        one, other = some(g, subset(list(there), g)[:1]), pick(everyone, g)
        pair = (one[0], other.worn if one[0].name == other.whole.name else other.whole)
        return collage(pair, white, "a photo of {}", Rules(), g)

    def before(rules: Rules, behind: Sequence[Backdrop]) -> Draw:
        def draw(g: Generator) -> Composite:
            who = some(g, subset(list(there), g) if rules is GROUND else list(there))
            return composite(who, pick(behind, g), "a photo of {}", rules, g)

        return draw

    left = [each.empty for each in everyone]
    return [
        Row(heading=f"{cast}: photos", pictures=[each.photo for each in everyone[::2]]),
        Row(heading="the same, emptied", pictures=[back.picture for back in left[::2]]),
        *shown("collages", on_white),
        *shown("composites in other places", before(GROUND, grounds)),
        *shown("in front of emptied photos", before(GROUND, left)),
        *shown("overlapping and turned", before(CROWDED, grounds)),
        *shown("in the light of the place, by half", before(LIT, grounds)),
    ]


def shown(heading: str, draw: Draw) -> list[Row]:
    """A row of composites, and one of their masks."""
    made = [draw(torch.Generator().manual_seed(seed)) for seed in range(COLUMNS)]
    return list(composites(heading, made))


def pick(things: Sequence[T], generator: Generator) -> T:
    """Any one of them."""
    return things[drawn(len(things), generator)]


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--cast", choices=("two-cats", "two-dogs-and-robot"), default="two-cats")
    options = parser.parse_args()
    page = sheet(rows(options.cast, list(EXAMPLES).index(options.cast)))
    page.save(options.file, optimize=True, quality=85)


if __name__ == "__main__":
    main()
