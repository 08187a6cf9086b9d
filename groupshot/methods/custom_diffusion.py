"""Multi-Concept Customization of Text-to-Image Diffusion.

Nupur Kumari, Bingliang Zhang, Richard Zhang, Eli Shechtman, Jun-Yan Zhu. CVPR 2023.
arXiv 2212.04488.

Of the model, only what cross-attention makes of the words learns: its keys and values, a few
percent of the weights, beside a new word before each class noun. Photos are shown small on an empty
canvas and zoomed into, with words for it, and the loss counts only where the photo is; pictures of
the class are learned beside them.

Where we differ: where a base has no words for sizes, as the toybox has none, photos stay as they
are, since what no caption says is learned as if it were the concept's. The class noun behind the
new word is copied into the concept's rows and learns too; the pictures of the class are drawn by
the base, where the paper's are retrieved photos.
"""

from collections.abc import Generator as Yields
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.attention import layers
from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.keep import Keep
from groupshot.losses import masked_by_area, prior
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.samples import (
    Batch,
    Samples,
    Shot,
    batches,
    nouns,
    prior_batches,
    priors,
    resized,
    resized_batches,
    shots,
    views,
)
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import KEYS_VALUES, ROWS, SETS, tokens

Pair = tuple[Batch, Batch]
"""Photos of the cast, and the base's own pictures of their classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomDiffusion:
    """New words and the keys and values of cross-attention are learned, from resized photos."""

    name: ClassVar[str] = "custom-diffusion"

    steps: Number = per_base(500, sd=1000)
    """Steps of gradient descent; the code's on sd, for several concepts on one GPU."""
    batch: Count = per_base(4, sd=2, xl=1)
    """Photos a step; the code's 2 on sd, on each of its GPUs."""
    vectors: Count = per_base(ROWS, sd=2)
    """Rows of the embedding table for each concept; on sd the code's new word and the noun."""
    token_rate: Weight = per_base(5e-3, sd=2e-5, xl=1e-5)
    """Learning rate of the rows; the code has 1e-5 a picture for them and for the weights."""
    learns: Literal["keys-values", "lora"] = per_base("keys-values", xl="lora")
    """What learns beside the rows: keys and values of cross-attention, whole or as a LoRA."""
    weight_rate: Weight = per_base(3e-6, sd=2e-5, xl=1e-5)
    """Learning rate of the keys and values; on sd and xl the code's 1e-5 for each of a batch."""
    lora_rate: Weight = 1e-4
    """Learning rate of the LoRA, if it is one: as in our DreamBooth."""
    rank: Count = per_base(16, xl=32)
    """Rank of the LoRA: as in our DreamBooth."""
    modules: tuple[str, ...] = KEYS_VALUES
    """Endings of the names of the U-Net's layers that the LoRA changes."""
    schedule: Schedule = per_base("falling", sd="constant")
    """How the rates go: on sd constant as in the code, or falling to a tenth."""
    priors: Number = per_base(16, sd=200, xl=50)
    """Pictures that the base draws of each class before it learns, or 0; the paper's on sd."""
    prior_batch: Count = per_base(2, sd=1)
    """How many of them a step."""
    prior_weight: Weight = 1.0
    """Weight of their loss: the code's 1."""
    resizing: bool = per_base(False, sd=True)
    """Whether photos are made small or zoomed into, as in the code; on the toybox, which has no
    words for it, the better of two."""
    views: Count = 12
    """Different views made of each photo."""
    least: Share = 0.9
    """The smallest part of a photo that is shown where none is resized: as in our others."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Pair]]:
        """One stage: rows, keys and values together."""
        photos, classes = shots(cast), nouns(cast)
        own = keep("priors", lambda g: priors(base, set(classes.values()), self.priors, g))
        instances = self.instances(base, photos, keep)
        rows = tokens(base, classes, self.vectors, keep.seeded("tokens"))
        others = SETS[self.learns](base, self.rank, self.modules, keep.seeded("lora"))
        rate = self.lora_rate if self.learns == "lora" else self.weight_rate
        base.attach(begun_alike(base))
        preserved = prior_batches(base, own, self.prior_batch)
        yield Stage(
            name="joint",
            train={rows: self.token_rate} | dict.fromkeys(others, rate),
            samples=lambda step, g: (instances(step, g), preserved(step, g)),
            loss=lambda pair, g: self.loss(base, pair, g),
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )

    def instances(self, base: Base, photos: tuple[Shot, ...], keep: Keep) -> Samples:
        """Batches of the photos, resized or a little cropped."""
        if self.resizing:
            made = keep("views", lambda g: resized(base, photos, self.views, g))
            return resized_batches(base, photos, made, self.batch)
        made = keep("crops", lambda g: views(base, photos, self.views, self.least, g))
        return batches(base, photos, made["views"], self.batch)

    def loss(self, base: Base, pair: Pair, generator: Generator) -> dict[str, Tensor]:
        """Both terms in one pass of the denoiser."""
        mine, own = pair
        latents = torch.cat([mine.latents, own.latents])
        text = base.text(mine.captions + own.captions)
        guess, target = base.guessed(latents, text, generator)
        n = len(mine.latents)
        return {
            "denoising": masked_by_area(guess[:n], target[:n], mine.valid),
            "prior": prior(guess[n:], target[n:], self.prior_weight),
        }


@contextmanager
def begun_alike(base: Base) -> Yields[None]:
    """Keys and values learn nothing from the first position, which all prompts share.

    The paper's code detaches them there.
    """

    def hold(module: Any, inputs: Any, output: Tensor) -> Tensor:
        return torch.cat([output[:, :1].detach(), output[:, 1:]], dim=1)

    with ExitStack() as hooks:
        for layer in layers(base):
            for projection in (layer.attention.to_k, layer.attention.to_v):
                hooks.enter_context(projection.register_forward_hook(hold))
        yield
