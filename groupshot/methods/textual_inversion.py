"""An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion.

Rinon Gal, Yuval Alaluf, Yuval Atzmon, Or Patashnik, Amit H. Bermano, Gal Chechik, Daniel Cohen-Or.
ICLR 2023. arXiv 2208.01618.

A concept is a new word. Only the word's embedding learns, from the usual denoising loss on its
photos with captions such as "a photo of <luna>"; the model itself stays as it is. So nothing is
forgotten, and nothing can be drawn that the model could not draw already.

Where we differ: all concepts of a cast are learned in one run, each equally often.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.keep import Keep
from groupshot.losses import denoising
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.samples import Batch, batches, shots, views
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import ROWS, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TextualInversion:
    """Only new words are learned; the base stays as it is."""

    name: ClassVar[str] = "textual-inversion"

    steps: Number = per_base(400, sd=5000)
    """Steps of gradient descent; the paper's 5000 on sd."""
    batch: Count = per_base(4, xl=1)
    """Photos a step; the paper's 4."""
    vectors: Count = per_base(ROWS, sd=1)
    """Rows of the embedding table for each concept; the paper's 1 on sd."""
    rate: Weight = per_base(2e-3, sd=5e-3)
    """Learning rate of the rows; the paper's 0.005 on sd."""
    schedule: Schedule = "constant"
    """How the rate goes: constant as in the code, or falling to a tenth."""
    crops: Count = 4
    """Different crops made of each photo."""
    least: Share = 0.9
    """The smallest crop, as a share of the photo's shorter side."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Batch]]:
        """One stage: the rows."""
        photos = shots(cast)
        crops = keep("crops", lambda g: views(base, photos, self.crops, self.least, g))
        nouns = {concept.name: concept.noun for concept in cast.concepts}
        rows = tokens(base, nouns, self.vectors, keep.seeded("tokens"))

        def loss(batch: Batch, generator: Generator) -> dict[str, Tensor]:
            text = base.text(batch.captions)
            guess, target = base.guessed(batch.latents, text, generator)
            return {"denoising": denoising(guess, target)}  # eq. 2

        yield Stage(
            name="tokens",
            train={rows: self.rate},
            samples=batches(base, photos, crops["views"], self.batch),
            loss=loss,
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )
