"""DreamBooth: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation.

Nataniel Ruiz, Yuanzhen Li, Varun Jampani, Yael Pritch, Michael Rubinstein, Kfir Aberman.
CVPR 2023. arXiv 2208.12242.

A concept is bound to an identifier by tuning the model on its few photos. Pictures of the concept's
class, drawn by the model before it was tuned, are learned beside them, so that the class stays what
it was and does not all turn into the one subject (prior preservation).

Where we differ: new words take the place of a rare one; the U-Net learns through LoRA unless it is
told to learn whole; all concepts of a cast are learned in one run, each equally often.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.keep import Keep
from groupshot.losses import denoising, prior
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.samples import Batch, batches, nouns, prior_batches, priors, shots, views
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import ATTENTION, EVERYWHERE, ROWS, SETS, tokens

Pair = tuple[Batch, Batch]
"""Photos of the cast, and the base's own pictures of their classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DreamBooth:
    """New words and a LoRA, or the U-Net, are learned, and the classes preserved."""

    name: ClassVar[str] = "dreambooth"

    steps: Number = per_base(400, sd=1000, xl=2010)
    """Steps of gradient descent; the paper's on sd, MuDI's on xl."""
    batch: Count = per_base(4, sd=2, xl=1)
    """Photos a step; Mix-of-Show's on sd, MuDI's on xl."""
    vectors: Count = per_base(ROWS, sd=2)
    """Rows of the embedding table for each concept."""
    learns: Literal["lora", "unet"] = "lora"
    """What learns beside the rows: a LoRA, which most use today, or as in the paper the U-Net."""
    token_rate: Weight = per_base(5e-3, sd=1e-3)
    """Learning rate of the rows; Mix-of-Show's on sd."""
    lora_rate: Weight = 1e-4
    """Learning rate of the LoRA: Mix-of-Show's and MuDI's; on the toybox, too, the best of four."""
    weight_rate: Weight = per_base(1e-4, sd=5e-6)
    """Learning rate of the U-Net, where that learns: the paper's on sd, on the toybox FaR's."""
    schedule: Schedule = per_base("falling", sd="constant")
    """How the rates go: constant, or falling to a tenth."""
    rank: Count = per_base(16, xl=32)
    """Rank of the LoRA; MuDI's on xl."""
    modules: tuple[str, ...] = per_base(EVERYWHERE, sd=ATTENTION)
    """Endings of the names of the U-Net's layers that the LoRA changes: attention on sd, as usual;
    on the toybox all that are large, since attention alone learned no new shapes there."""
    priors: Number = per_base(16, sd=200, xl=50)
    """Pictures that the base draws of each class before it learns, or 0; MuDI's on xl."""
    prior_batch: Count = per_base(2, sd=1)
    """How many of them a step."""
    prior_weight: Weight = 1.0
    """Weight of their loss: the paper's λ of 1."""
    crops: Count = 4
    """Different crops made of each photo."""
    least: Share = 0.9
    """The smallest crop, as a share of the photo's shorter side."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Pair]]:
        """One stage: rows and LoRA together."""
        photos, classes = shots(cast), nouns(cast)
        own = keep("priors", lambda g: priors(base, set(classes.values()), self.priors, g))
        crops = keep("crops", lambda g: views(base, photos, self.crops, self.least, g))
        rows = tokens(base, classes, self.vectors, keep.seeded("tokens"))
        others = SETS[self.learns](base, self.rank, self.modules, keep.seeded("lora"))
        rate = self.lora_rate if self.learns == "lora" else self.weight_rate
        instances = batches(base, photos, crops["views"], self.batch)
        preserved = prior_batches(base, own, self.prior_batch)
        yield Stage(
            name="joint",
            train={rows: self.token_rate} | dict.fromkeys(others, rate),
            samples=lambda step, g: (instances(step, g), preserved(step, g)),
            loss=lambda pair, g: self.loss(base, pair, g),
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )

    def loss(self, base: Base, pair: Pair, generator: Generator) -> dict[str, Tensor]:
        """Both terms of eq. 2 in one pass of the denoiser."""
        mine, own = pair
        latents = torch.cat([mine.latents, own.latents])
        text = base.text(mine.captions + own.captions)
        guess, target = base.guessed(latents, text, generator)
        n = len(mine.latents)
        return {
            "denoising": denoising(guess[:n], target[:n]),
            "prior": prior(guess[n:], target[n:], self.prior_weight),
        }
