"""Visual Concept-driven Image Generation with Text-to-Image Diffusion Model.

Tanzila Rahman, Shweta Mahajan, Hsin-Ying Lee, Jian Ren, Sergey Tulyakov, Leonid Sigal. CRV 2025.
arXiv 2402.11487.

Concepts that share their photos are told apart without anyone's masks. As in EM, two steps take
turns: where attention looks for a concept's words says where the concept is (E), and the words are
learned inside these masks, their attention drawn to them (M). So words and masks refine each other,
and the masks are a product too.

Where we differ: the paper leaves open how attention is made binary, how often masks are found
again, whether weights learn after the words, and all rates: these are fields. By default nothing is
made binary before the CRF (`rule`); the few places that are looked at hardest do not decide how
high attention is (`peak`); a photo's things are taken to have equal shares of it (`balance`), its
only background to be what they leave, wherever its own word is looked for (`leftover`); on the
toybox the U-Net learns in the second phase (`weights`). Once masks have settled they stay, whatever
is learned after that (`settled`). Losses and phases are Break-A-Scene's (arXiv 2305.16311), which
the paper builds on, but masks are made small as means over area, not by the nearest pixel, and what
is preserved is the classes, on the toybox in some places (`scenery`). Who is on the left may be
said (`hints`).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, repeat
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.attention import positions, recorded
from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.crf import POTENTIALS
from groupshot.estep import Look, Scene, enlarged, estimated, learnable, portions, scenes
from groupshot.keep import Keep, Kept
from groupshot.losses import denoising, localised, masked, prior
from groupshot.masks import RULES, by_hand, kept, refined
from groupshot.masks.rounds import agreement
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.retention import Lesson, Lessons, lessons
from groupshot.samples import (
    Batch,
    Samples,
    batches,
    both_ways,
    nouns,
    pooled,
    priors,
    shots,
    union,
    unions,
)
from groupshot.samples.captions import SCENERY, known
from groupshot.samples.room import check_room
from groupshot.stage import Stage
from groupshot.weights import ATTENTION, SETS, Part, shaken, tokens

Nouns = Mapping[str, str]
"""The class noun of each concept."""

Pair = tuple[Batch, Lesson]
"""Photos of the cast with masks, and the base's own pictures of their classes."""

STARTS: Mapping[str, Callable[[Nouns], Mapping[str, str | None]]] = {
    "class": lambda classes: classes,
    "random": lambda classes: dict.fromkeys(classes),
}
"""What each concept's rows begin as: its class noun, or noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptDrivenEM:
    """Words and the masks that their attention makes are refined in turn; no masks are given."""

    name: ClassVar[str] = "concept-driven"

    steps: Number = per_base(150, sd=400)
    """Steps of the first phase: Break-A-Scene's on sd."""
    weight_steps: Number = per_base(500, sd=400)
    """Steps of the second phase: Break-A-Scene's on sd."""
    batch: Count = per_base(4, sd=1)
    """Photos a step: our choice; Break-A-Scene's on sd."""
    vectors: Count = 1
    """Rows of the embedding table for each concept: the paper's one token."""
    start: Literal["class", "random"] = "class"
    """What rows begin as: the class noun or noise; the paper allows both."""
    noise: Weight = 0.1
    """Noise on the rows at the start, in units of the table's spread: two of one class begin apart.
    Our choice."""
    token_rate: Weight = per_base(5e-3, sd=5e-4)
    """Learning rate of the rows in the first phase: our choice; Break-A-Scene's on sd."""
    weight_rate: Weight = per_base(1e-4, sd=2e-6)
    """Learning rate of the rows and weights in the second phase: Break-A-Scene's on sd."""
    lora_rate: Weight = 1e-4
    """Learning rate of the LoRA, where that learns: as in our DreamBooth."""
    rank: Count = per_base(16, xl=32)
    """Rank of the LoRA, where that learns: as in our DreamBooth."""
    weights: Literal["none", "keys-values", "lora", "unet", "everything"] = per_base(
        "unet", sd="everything", xl="lora"
    )
    """What learns with the rows in the second phase; none leaves it out. The paper tunes tokens,
    which on the toybox learn no new shapes; Break-A-Scene everything, which forgot words there."""
    attention: Weight = per_base(0.1, sd=0.01)
    """Weight of the cross-attention loss: Break-A-Scene's on sd; on the toybox best of two."""
    resolutions: tuple[int, ...] = per_base((8, 16), sd=(16,), sd768=(24,), xl=(32,))
    """Sides of the attention maps that masks are made of and the loss looks at: on the toybox
    things show at 16, backgrounds at 8; on sd Break-A-Scene's, a quarter of a latent."""
    places: tuple[str, ...] = per_base(("mid", "up"), sd=("down", "up"))
    """Sections of the U-Net whose attention counts: on sd Break-A-Scene's; the toybox's "down"
    shows nothing."""
    timesteps: Count = 50
    """Random timesteps over which attention is averaged: the paper's 50. On the toybox ten find as
    good masks (`BENCH.md`)."""
    peak: Share = 0.97
    """The share of a map's places that are no higher than what counts as its height: ours. With 1,
    its maximum, as in Break-A-Scene's loss, some masks on the toybox shrank to a spot."""
    balance: bool = True
    """Whether a photo's things get equal shares of its attention, or one may take all: ours."""
    rule: Literal["soft", "relative", "otsu", "li", "argmax"] = "soft"
    """How maps are made masks; the paper says only "binarized". soft leaves it to the CRF, and was
    the best at the start on the toybox: `python -m groupshot.benchmarks.em_start`."""
    leftover: bool = True
    """Whether a photo's only background is what its things leave, or attended: our choice."""
    crf: bool = True
    """Whether a dense CRF settles all masks of a photo together, as in the paper."""
    potentials: Literal["deeplab", "cutler", "weak", "dss"] = "deeplab"
    """Whose published parameters the CRF has, of those in `crf.POTENTIALS`; the paper gives none.
    On the toybox `python -m groupshot.benchmarks.em_start` compares them."""
    refresh: Count = 50
    """Steps from one estimate of the masks to the next: our choice."""
    settled: Share = 0.98
    """Masks that agree so well with those before (mean IoU) stay to the end; 1: never."""
    hints: bool = True
    """Whether a `where` in cast.yaml, left or right, weighs on the masks. Our addition."""
    warm_up: Number = 0
    """Steps at the beginning that learn whole photos, before the first estimate. Our choice."""
    update_masks: bool = True
    """Whether masks are estimated again; false is the paper's ablation, once and never again."""
    hand_masks: bool = False
    """Whether the cast's hand masks are taken instead; false does not look at them."""
    priors: Number = per_base(16, sd=100, xl=50)
    """Pictures that the base draws of each class before it learns, or 0: Break-A-Scene's on sd."""
    scenery: tuple[str, ...] = per_base(SCENERY, sd=())
    """Where it draws them too, so that these words keep their meaning; those it knows: ours."""
    recalled: Number = per_base(512, sd=0)
    """How many of them, each with some noise, are learned as the untouched base guesses them; 0 for
    learning them as they are: ours."""
    prior_batch: Count = 1
    """How many of them a step of the second phase: ours."""
    prior_weight: Weight = 1.0
    """Weight of their loss: Break-A-Scene's 1."""
    crops: Count = 4
    """Different crops made of each photo."""
    least: Share = 0.9
    """The smallest crop, as a share of the photo's shorter side."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Any]]:
        """The rows, then the rows with weights; before each stage masks are found anew."""
        classes, photos = nouns(cast), shots(cast)
        crops = keep("crops", lambda g: both_ways(base, photos, self.crops, self.least, g))
        rows = self.rows(base, classes, keep)
        check_room(base, cast)
        if self.warm_up:
            yield self.whole(base, batches(base, photos, crops["views"][:, :, 0], self.batch), rows)
        periods = self.periods(base, cast, crops, keep)
        yield from self.words(base, rows, periods)
        if self.weights != "none":
            yield from self.everything(base, rows, keep, periods, cast)

    def rows(self, base: Base, classes: Nouns, keep: Keep) -> Part:
        """The concepts' rows, no two of them alike."""
        part = tokens(base, STARTS[self.start](classes), self.vectors, keep.seeded("tokens"))
        return shaken(part, self.noise * base.spread, keep.seeded("noise"))

    def whole(self, base: Base, samples: Samples, rows: Part) -> Stage[Batch]:
        """A stage before any masks, as Textual Inversion."""

        def loss(batch: Batch, generator: Generator) -> dict[str, Tensor]:
            guess = base.guessed(batch.latents, base.text(batch.captions), generator)
            return {"denoising": denoising(*guess)}

        return Stage(
            name="warm-up",
            train={rows: self.token_rate},
            samples=samples,
            loss=loss,
            steps=self.warm_up,
        )

    def words(self, base: Base, rows: Part, periods: Iterator[Samples]) -> Iterator[Stage[Batch]]:
        """The first phase."""
        for number, steps in enumerate(portions(self.steps, self.refresh)):
            yield Stage(
                name=f"tokens-{number}",
                train={rows: self.token_rate},
                samples=next(periods),
                loss=lambda batch, g: self.loss(base, batch, g),
                steps=steps,
            )

    def everything(
        self, base: Base, rows: Part, keep: Keep, periods: Iterator[Samples], cast: Cast
    ) -> Iterator[Stage[Pair]]:
        """The second phase, in which the classes are preserved."""
        own = keep("priors", lambda g: self.drawn(base, cast, g))
        preserved = lessons(base, own, self.prior_batch, self.recalled, keep.seeded("recalled"))
        others = SETS[self.weights](base, self.rank, ATTENTION, keep.seeded("lora"))
        rate = self.lora_rate if self.weights == "lora" else self.weight_rate
        for number, steps in enumerate(portions(self.weight_steps, self.refresh)):
            yield Stage(
                name=f"weights-{number}",
                train={rows: self.weight_rate} | dict.fromkeys(others, rate),
                samples=paired(next(periods), preserved),
                loss=lambda pair, g: self.loss(base, pair[0], g) | self.prior(base, pair[1]),
                steps=steps,
            )

    def drawn(self, base: Base, cast: Cast, generator: Generator) -> Kept:
        """The base's own pictures of every class: of things as many here as there."""
        places = ("", *known(self.scenery, base.lexicon))
        things = {each.noun or "" for each in cast.concepts if each.kind == "thing"}
        phrases = {f"{noun} {place}".strip() for noun in things for place in places}
        own = priors(base, phrases, math.ceil(self.priors / len(places)), generator)
        return own | priors(base, {*nouns(cast).values()} - things, self.priors, generator)

    def loss(self, base: Base, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Both terms of the M-step, in one pass of the denoiser."""
        where = positions(base, batch.captions, [f"<{name}>" for name in batch.names])
        with recorded(base, self.resolutions, self.places) as record:
            text = base.text(batch.captions)
            guess, target = base.guessed(batch.latents, text, generator)
            maps = {side: record.maps(where, side) for side in self.resolutions}
        apart = [localised(each, pooled(batch.masks, side)) for side, each in maps.items()]
        return {
            "masked": masked(guess, target, union(batch.masks)),  # eq. 3
            "attention": self.attention * torch.stack(apart).mean(),  # eq. 4
        }

    def prior(self, base: Base, own: Lesson) -> dict[str, Tensor]:
        """What keeps the classes what they were."""
        if not own.captions:
            return {}
        guess = base.predicted(own.noisy, own.times, base.text(own.captions))
        return {"prior": prior(guess, own.target, self.prior_weight)}

    def periods(self, base: Base, cast: Cast, crops: Kept, keep: Keep) -> Iterator[Samples]:
        """What each stage learns from: all photos, with the masks that there are by then."""
        photos, found = shots(cast), self.masks(base, cast, keep)
        for masks, shown in learnable(cast, found, keep.folder.parent):
            some = tuple(replace(p, shows=names) for p, names in zip(photos, shown, strict=True))
            yield unions(base, some, crops, masks, self.batch)

    def masks(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Kept]:
        """Masks for each stage in turn, without end."""
        if self.hand_masks:
            return repeat(keep("masks", lambda _: kept(by_hand(cast))))
        found = self.estimates(base, cast, keep)
        return found if self.update_masks else repeat(next(found))

    def estimates(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Kept]:
        """Masks by attention, each time anew until they have settled."""
        some = self.scenes(base, cast)
        now = before = keep("masks-0", lambda g: estimated(base, some, self.look, g))
        yield now
        for number in count(1):
            now = keep(f"masks-{number}", lambda g: estimated(base, some, self.look, g))
            yield now
            if agreement(before, now) >= self.settled:
                break
            before = now
        yield from repeat(now)

    def scenes(self, base: Base, cast: Cast) -> tuple[Scene, ...]:
        """Every photo, with hints if they are wanted."""
        return scenes(base, cast if self.hints else cast.unhinted)

    @property
    def look(self) -> Look:
        """How the E-step looks."""
        crf = partial(refined, potentials=POTENTIALS[self.potentials])
        return Look(
            timesteps=self.timesteps,
            resolutions=self.resolutions,
            places=self.places,
            peak=self.peak,
            balance=self.balance,
            rule=RULES[self.rule],
            leftover=self.leftover,
            settle=crf if self.crf else enlarged,
        )


def paired(mine: Samples, own: Lessons) -> Callable[[int, Generator], Pair]:
    """Both batches of a step."""
    return lambda step, generator: (mine(step, generator), own(step, generator))
