"""Masks: where each concept is in each photo, and what it is made of.

Given by hand, found by a segmenter, read from attention, refined by a CRF, over-segmented. What
loads a network of its own stays in its module: `segmenters`, `automatic`.
"""

from groupshot.masks.attended import (
    RULES,
    Rule,
    balanced,
    beliefs,
    chosen,
    heightened,
    levelled,
    refined,
)
from groupshot.masks.parts import Namer, Part, Parted, anatomy, felzenszwalb, naming, slic
from groupshot.masks.segmenter import Candidate, Segmenter
from groupshot.masks.sightings import Sighting, by_hand, kept, restored, sightings
from groupshot.masks.toybox import Toybox

__all__ = [
    "RULES",
    "Candidate",
    "Namer",
    "Part",
    "Parted",
    "Rule",
    "Segmenter",
    "Sighting",
    "Toybox",
    "anatomy",
    "balanced",
    "beliefs",
    "by_hand",
    "chosen",
    "felzenszwalb",
    "heightened",
    "kept",
    "levelled",
    "naming",
    "refined",
    "restored",
    "sightings",
    "slic",
]
