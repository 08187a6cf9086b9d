"""The drawn world: scenes from seeds, their pictures, captions and exact answers."""

from groupshot.toybox.world.captions import PLACES, caption, described
from groupshot.toybox.world.collages import REGIONS, Collage, collage
from groupshot.toybox.world.drawing import Picture, box_of, draw
from groupshot.toybox.world.dreaming import POPULATIONS, dream, identity, staged, touching
from groupshot.toybox.world.lexicon import WORDS
from groupshot.toybox.world.scenes import Bond, Placed, Scene, mirrored
from groupshot.toybox.world.vocabulary import (
    ACCESSORIES,
    ATTRIBUTES,
    BACKGROUNDS,
    COLOURS,
    KINDS,
    MARKS,
    PARTS,
    PATTERNS,
    PLAIN,
    RELATIONS,
    SIZE,
    STYLES,
    Identity,
)

__all__ = [
    "ACCESSORIES",
    "ATTRIBUTES",
    "BACKGROUNDS",
    "COLOURS",
    "KINDS",
    "MARKS",
    "PARTS",
    "PATTERNS",
    "PLACES",
    "PLAIN",
    "POPULATIONS",
    "REGIONS",
    "RELATIONS",
    "SIZE",
    "STYLES",
    "WORDS",
    "Bond",
    "Collage",
    "Identity",
    "Picture",
    "Placed",
    "Scene",
    "box_of",
    "caption",
    "collage",
    "described",
    "draw",
    "dream",
    "identity",
    "mirrored",
    "staged",
    "touching",
]
