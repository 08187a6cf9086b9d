"""How well a base's CLIP pair matches pictures of the world with what is said about them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from groupshot.toybox.swaps import SWAPS, told_apart
from groupshot.toybox.training import parts
from groupshot.toybox.training.contrast import normalised, tokenized
from groupshot.toybox.world import Scene, caption, draw, dream

AMONG = 256
"""Pictures and captions that are matched with each other at once."""
FULL, PLAIN = 3, 2
"""Degrees of detail: everything that has a name; all but second colour and style."""


class Matcher(NamedTuple):
    """A CLIP pair."""

    tokenizer: CLIPTokenizer
    text: CLIPTextModel
    vision: CLIPVisionModelWithProjection
    projection: Tensor

    @torch.no_grad()
    def said(self, captions: list[str]) -> Tensor:
        """A unit vector for each caption."""
        pooled = self.text(tokenized(self.tokenizer, captions)).pooler_output
        return F.normalize(pooled @ self.projection.T, dim=-1)

    @torch.no_grad()
    def seen(self, scenes: Sequence[Scene]) -> Tensor:
        """A unit vector for the picture of each scene."""
        images = normalised(np.stack([draw(scene).image for scene in scenes]))
        return F.normalize(self.vision(images).image_embeds, dim=-1)


def figures(folder: Path, rounds: int, seed: int) -> dict[str, float]:
    """`clip.r1`, `clip.sides` and `clip.colours`, each on 256 unseen scenes a round."""
    pair = Matcher(
        CLIPTokenizer.from_pretrained(folder / parts.TOKENIZER),
        parts.text_in(folder).eval(),
        parts.vision_in(folder).eval(),
        parts.projection_in(folder)["weight"],
    )
    found: dict[str, list[float]] = {"clip.r1": [], **{f"clip.{how}": [] for how in SWAPS}}
    for n in range(rounds):
        found["clip.r1"].append(retrieved(pair, np.random.default_rng((seed, 1, n))))
        for how in SWAPS:
            rng = np.random.default_rng((seed, 2, n))
            found[f"clip.{how}"].append(preferred(pair, how, rng))
    return {key: float(np.mean(values)) for key, values in found.items()}


def retrieved(pair: Matcher, rng: np.random.Generator) -> float:
    """Share of pictures whose own full caption is the nearest."""
    scenes = [dream(rng, population="unseen") for _ in range(AMONG)]
    texts = pair.said([caption(scene, rng, FULL) for scene in scenes])
    nearest = (pair.seen(scenes) @ texts.T).argmax(1)
    return float((nearest == torch.arange(AMONG)).float().mean())


def preferred(pair: Matcher, how: str, rng: np.random.Generator) -> float:
    """Share of two-character scenes whose caption ranks above the same with something swapped."""
    scenes: list[Scene] = []
    true: list[str] = []
    wrong: list[str] = []
    while len(scenes) < AMONG:
        scene, seed = dream(rng, population="unseen", count=2), int(rng.integers(2**32))
        other = SWAPS[how](scene)
        if other is None:
            continue
        said, swapped = (caption(s, np.random.default_rng(seed), PLAIN) for s in (scene, other))
        if told_apart(scene, said, swapped, how):
            scenes, true, wrong = [*scenes, scene], [*true, said], [*wrong, swapped]
    seen = pair.seen(scenes)
    better = (seen * pair.said(true)).sum(1) > (seen * pair.said(wrong)).sum(1)
    return float(better.float().mean())
