"""Samples: cast and masks → crops, collages, composites and class priors → captioned batches."""

from groupshot.samples.backdrops import Backdrop, emptied, plain
from groupshot.samples.batch import Batch, Samples, drawn, pooled, tossed, union, unmasked
from groupshot.samples.captions import caption, known, listed, nouns, part_of, sided, with_article
from groupshot.samples.collages import Collage, Matched, collages, counts, matches, seen_as
from groupshot.samples.composites import (
    Composite,
    Placed,
    Unencoded,
    collage,
    composed,
    composite,
    stacked,
)
from groupshot.samples.crops import batches, both_ways, crop_masks, cropped, pixels, views
from groupshot.samples.cutouts import Cutout, cut, large_enough
from groupshot.samples.drawings import prior_batches, priors, scenes
from groupshot.samples.photos import PhotoMask, Shot, shots
from groupshot.samples.pieces import Pieces, common, parts, wholes
from groupshot.samples.resizing import resized, resized_batches
from groupshot.samples.spots import Rules
from groupshot.samples.subsets import subset, unions

__all__ = [
    "Backdrop",
    "Batch",
    "Collage",
    "Composite",
    "Cutout",
    "Matched",
    "PhotoMask",
    "Pieces",
    "Placed",
    "Rules",
    "Samples",
    "Shot",
    "Unencoded",
    "batches",
    "both_ways",
    "caption",
    "collage",
    "collages",
    "common",
    "composed",
    "composite",
    "counts",
    "crop_masks",
    "cropped",
    "cut",
    "drawn",
    "emptied",
    "known",
    "large_enough",
    "listed",
    "matches",
    "nouns",
    "part_of",
    "parts",
    "pixels",
    "plain",
    "pooled",
    "prior_batches",
    "priors",
    "resized",
    "resized_batches",
    "scenes",
    "seen_as",
    "shots",
    "sided",
    "stacked",
    "subset",
    "tossed",
    "union",
    "unions",
    "unmasked",
    "views",
    "wholes",
    "with_article",
]
