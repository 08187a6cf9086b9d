"""Break-A-Scene: Extracting Multiple Concepts from a Single Image.

Omri Avrahami, Kfir Aberman, Ohad Fried, Daniel Cohen-Or, Dani Lischinski. SIGGRAPH Asia 2023.
arXiv 2305.16311.

Concepts that share their photos are told apart by masks. Each step names a random subset of those
in a photo and learns only where the subset is (masked diffusion loss), while the attention of each
new word is drawn to its own concept's mask (cross-attention loss). First the words learn alone,
then with them the whole U-Net and text encoder, slowly.

Where we differ: several photos instead of one, a segmenter where masks are not given, and the
pictures whose loss preserves the model are of the concepts' classes instead of one general prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.attention import positions, recorded
from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.keep import Keep
from groupshot.losses import localised, masked, prior
from groupshot.masks.segmenters import masks_of
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.samples import (
    Batch,
    both_ways,
    nouns,
    pooled,
    prior_batches,
    priors,
    shots,
    union,
    unions,
)
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import ATTENTION, SETS, tokens

Pair = tuple[Batch, Batch]
"""Photos of the cast with masks, and the base's own pictures of their classes."""

PLACES = ("down", "up")
"""The sections of the U-Net whose attention counts: the code leaves out the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakAScene:
    """New words are learned inside masks, then with them the whole model, slowly."""

    name: ClassVar[str] = "break-a-scene"

    steps: Number = per_base(200, sd=400)
    """Steps of each of the two phases; the paper's on sd."""
    batch: Count = per_base(4, sd=1)
    """Photos a step; the paper's on sd."""
    vectors: Count = 1
    """Rows of the embedding table for each concept: the paper's 1."""
    token_rate: Weight = per_base(5e-3, sd=5e-4)
    """Learning rate of the rows in the first phase; the paper's on sd."""
    weights: Literal["everything", "lora"] = per_base("everything", xl="lora")
    """What learns with the rows in the second phase: U-Net and text encoder, as in the paper, or
    to save memory a LoRA of the U-Net."""
    weight_rate: Weight = 2e-6
    """Learning rate of the rows and of everything in the second phase: the paper's."""
    lora_rate: Weight = 1e-4
    """Learning rate of the LoRA, where that learns: as in our DreamBooth."""
    rank: Count = per_base(16, xl=32)
    """Rank of the LoRA, where that learns: as in our DreamBooth."""
    schedule: Schedule = "constant"
    """How the rates of the second phase go: constant as in the code, or falling to a tenth."""
    attention: Weight = 0.01
    """Weight of the cross-attention loss: the code's 0.01."""
    resolution: Count = per_base(16, sd768=24, xl=32)
    """Side of the attention maps that the loss looks at: the paper's 16, a quarter of a latent."""
    segmenter: str = ""
    """Who finds what has no hand mask: NAME or NAME=MODEL,MODEL; empty, the base's own choice."""
    priors: Number = per_base(16, sd=100, xl=50)
    """Pictures that the base draws of each class before it learns, or 0; the paper's on sd."""
    prior_batch: Count = per_base(2, sd=1)
    """How many of them a step."""
    prior_weight: Weight = 1.0
    """Weight of their loss: the paper's 1."""
    crops: Count = 4
    """Different crops made of each photo."""
    least: Share = 0.9
    """The smallest crop, as a share of the photo's shorter side."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Pair]]:
        """Two stages: the rows, then the rows with the whole U-Net and text encoder."""
        photos, classes = shots(cast), nouns(cast)
        masks = masks_of(cast, base, keep, self.segmenter)
        own = keep("priors", lambda g: priors(base, set(classes.values()), self.priors, g))
        crops = keep("crops", lambda g: both_ways(base, photos, self.crops, self.least, g))
        rows = tokens(base, classes, self.vectors, keep.seeded("tokens"))
        instances = unions(base, photos, crops, masks, self.batch)
        preserved = prior_batches(base, own, self.prior_batch)

        def samples(step: int, generator: Generator) -> Pair:
            return instances(step, generator), preserved(step, generator)

        def loss(pair: Pair, generator: Generator) -> dict[str, Tensor]:
            return self.loss(base, pair, generator)

        yield Stage(
            name="tokens",
            train={rows: self.token_rate},
            samples=samples,
            loss=loss,
            steps=self.steps,
        )
        others = SETS[self.weights](base, self.rank, ATTENTION, keep.seeded("lora"))
        rate = self.lora_rate if self.weights == "lora" else self.weight_rate
        yield Stage(
            name="everything",
            train={rows: self.weight_rate} | dict.fromkeys(others, rate),
            samples=samples,
            loss=loss,
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )

    def loss(self, base: Base, pair: Pair, generator: Generator) -> dict[str, Tensor]:
        """All three terms in one pass of the denoiser."""
        mine, own = pair
        captions, n = mine.captions + own.captions, len(mine.latents)
        latents = torch.cat([mine.latents, own.latents])
        where = positions(base, captions, [f"<{name}>" for name in mine.names])
        with recorded(base, (self.resolution,), PLACES) as record:
            guess, target = base.guessed(latents, base.text(captions), generator)
            maps = record.maps(where, self.resolution)[:n]
        there = pooled(mine.masks, self.resolution)
        return {
            "masked": masked(guess[:n], target[:n], union(mine.masks)),
            "attention": self.attention * localised(maps, there),
            "prior": prior(guess[n:], target[n:], self.prior_weight),
        }
