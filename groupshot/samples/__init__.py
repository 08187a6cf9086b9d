"""Samples: cast and masks → crops, collages, composites and class priors → captioned batches."""

from groupshot.samples.backdrops import Backdrop, emptied, plain
from groupshot.samples.batch import Batch, Samples, drawn, pooled, tossed, union, unmasked
from groupshot.samples.captions import caption, listed, nouns, part_of, sided, with_article
from groupshot.samples.composites import Composite, Placed, collage, composed, composite
from groupshot.samples.crops import batches, both_ways, crop_masks, cropped, pixels, views
from groupshot.samples.cutouts import Cutout, cut, large_enough
from groupshot.samples.drawings import prior_batches, priors, scenes
from groupshot.samples.photos import PhotoMask, Shot, shots
from groupshot.samples.resizing import resized, resized_batches
from groupshot.samples.spots import Rules
from groupshot.samples.subsets import subset, unions

__all__ = [
    "Backdrop",
    "Batch",
    "Composite",
    "Cutout",
    "PhotoMask",
    "Placed",
    "Rules",
    "Samples",
    "Shot",
    "batches",
    "both_ways",
    "caption",
    "collage",
    "composed",
    "composite",
    "crop_masks",
    "cropped",
    "cut",
    "drawn",
    "emptied",
    "large_enough",
    "listed",
    "nouns",
    "part_of",
    "pixels",
    "plain",
    "pooled",
    "prior_batches",
    "priors",
    "resized",
    "resized_batches",
    "scenes",
    "shots",
    "sided",
    "subset",
    "tossed",
    "union",
    "unions",
    "unmasked",
    "views",
    "with_article",
]
