"""What a scene holds, as class numbers: by character for the CLIP pair, by latent for the U-Net."""

from collections.abc import Sequence

import numpy as np

from groupshot.toybox.training.records import Array
from groupshot.toybox.world import (
    ACCESSORIES,
    BACKGROUNDS,
    COLOURS,
    KINDS,
    PARTS,
    PATTERNS,
    RELATIONS,
    STYLES,
    Scene,
)

SLOTS = 4
"""Characters, from left to right, that are told one by one."""

ABSENT = -1
"""Value of a label that does not apply; cross-entropies ignore it."""

WORN = {
    "kind": KINDS,
    "colour": tuple(COLOURS),
    "second": tuple(COLOURS),
    "pattern": PATTERNS,
    "accessory": ACCESSORIES,
    "accessory_colour": ("none", *COLOURS),
}
"""Attributes of one character and their values."""

WHOLE = {
    "background": BACKGROUNDS,
    "style": STYLES,
    "relation": RELATIONS,
    "count": tuple(range(1, 11)),
}
"""Attributes of a whole scene and their values."""


def worn(scenes: Sequence[Scene | None]) -> dict[str, Array]:
    """For each attribute, int64 [scenes, SLOTS]: the value's number, or ABSENT."""
    table = {name: np.full((len(scenes), SLOTS), ABSENT, np.int64) for name in WORN}
    for row, scene in enumerate(scenes):
        characters = scene.characters if scene is not None else ()
        for slot, placed in enumerate(characters[:SLOTS] if len(characters) <= SLOTS else ()):
            for name, values in WORN.items():
                table[name][row, slot] = values.index(getattr(placed.identity, name))
    return table


def whole(scenes: Sequence[Scene | None]) -> dict[str, Array]:
    """For each attribute of the whole, int64 [scenes]: the value's number, or ABSENT."""
    table = {name: np.full(len(scenes), ABSENT, np.int64) for name in WHOLE}
    for row, scene in enumerate(scenes):
        if scene is not None:
            relation = scene.bonds[0].relation if scene.bonds else RELATIONS[0]
            told = {"style": scene.style, "relation": relation, "count": len(scene.characters)}
            table["background"][row] = BACKGROUNDS.index(scene.background)
            for name, value in told.items():
                table[name][row] = WHOLE[name].index(value)
    return table


def places(scenes: Sequence[Scene], owners: Array) -> dict[str, Array]:
    """The characters' attributes painted where their owners are: int64 [scenes, h, w] each.

    `owners` is uint8 [scenes, h, w]; where nobody is, a label is ABSENT.
    """
    table = {name: np.full(owners.shape, ABSENT, np.int64) for name in WORN}
    for row, scene in enumerate(scenes):
        for name, values in WORN.items():
            numbers = [values.index(getattr(c.identity, name)) for c in scene.characters]
            table[name][row] = np.array([ABSENT, *numbers])[owners[row]]
    return table


PART_WEIGHTS = np.ones(len(PARTS), np.float32)
"""How much each part counts where it is small and matters: eyes above all."""
for _name, _weight in {"nothing": 0.6, "face": 3.0, "mark": 3.0, "accessory": 2.0}.items():
    PART_WEIGHTS[PARTS.index(_name)] = _weight
