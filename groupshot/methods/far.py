"""Enhancing Multi-Concept Text-to-Image Diffusion via Concept Fusion and Localized Refinement.

Tran et al., 2025. arXiv 2504.03292: Fuse-and-Refine, FaR.

Concept Fusion cuts subjects out of their backgrounds and recombines them, with others of their
classes that the base has drawn, into composites: there is no end to what can be learned from, and
where everyone is in it is known exactly. Localized Refinement holds each word's cross-attention to
the region of its own concept. Some modules learn at the same time, in one stage.

Where we differ: no code is known, and of the paper only the abstract is known to us. Every number
and every formula is a choice of ours and a field; what the abstract says stands at each. Pictures
of the classes are learned beside the composites, as in DreamBooth.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.attention import positions, recorded
from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.keep import Keep, Kept
from groupshot.losses import FORMULAS, masked_by_area, prior
from groupshot.masks.segmenters import finder, masks_of
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.retention import Lesson, joined, lessons, noised, retention
from groupshot.samples import (
    Batch,
    Rules,
    Unencoded,
    composed,
    nouns,
    pooled,
    priors,
    scenes,
    shots,
    stacked,
    union,
)
from groupshot.samples.captions import SCENERY, known, templated
from groupshot.samples.fusion import Draw, Fusion, Mixture, either, photo_draw, subjects
from groupshot.samples.grounds import Ground, Masked, bare, photographed
from groupshot.samples.room import check_most
from groupshot.samples.strangers import Stranger, asked, found, strangers
from groupshot.shapes import Latent
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import ATTENTION, EVERYWHERE, ROWS, SETS, tokens

Pair = tuple[Batch, Lesson]
"""Composites and photos with masks, and the base's own pictures of their classes."""

PLACES = ("down", "up")
"""The sections of the U-Net whose attention counts: Break-A-Scene's code leaves out the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaR:
    """Composites of cut-out subjects are learned, and each word looks at its own."""

    name: ClassVar[str] = "far"

    fusion: bool = True
    """Concept Fusion; without it the photos themselves are all that is learned from."""
    localized: bool = True
    """Localized Refinement; without it nothing is asked of attention."""
    steps: Number = per_base(600, sd=1000, xl=2010)
    """Steps of gradient descent: ours, for want of the paper's; on sd as many as DreamBooth's."""
    batch: Count = per_base(4, sd=2, xl=1)
    """Composites and photos a step: as in our other methods."""
    vectors: Count = per_base(ROWS, sd=2)
    """Rows of the embedding table for each concept; on sd Custom Diffusion's word and its noun."""
    learns: Literal["keys-values", "lora", "unet"] = per_base("unet", sd="keys-values", xl="lora")
    """What learns beside the rows; the paper says "specific modules". On sd Custom Diffusion's; on
    the toybox those alone learned no new shapes, and a LoRA took longer over them."""
    token_rate: Weight = per_base(5e-3, sd=5e-4)
    """Learning rate of the rows: Textual Inversion's 0.005; on sd Break-A-Scene's."""
    weight_rate: Weight = per_base(1e-4, sd=2e-5, xl=1e-5)
    """Learning rate of weights that learn whole: as in our Custom Diffusion on sd; on the toybox
    the better of two."""
    lora_rate: Weight = per_base(5e-4, sd=1e-4)
    """Learning rate of the LoRA: on sd as in our DreamBooth, on the toybox best of two."""
    rank: Count = per_base(16, xl=32)
    """Rank of the LoRA, where that learns: as in our DreamBooth."""
    modules: tuple[str, ...] = per_base(EVERYWHERE, sd=ATTENTION)
    """Endings of the names of the U-Net's layers that the LoRA changes: as in our DreamBooth."""
    schedule: Schedule = per_base("falling", sd="constant")
    """How the rates go: constant, or falling to a tenth; ours."""
    composites: Share = per_base(0.8, sd=0.5)
    """Share of composites, the rest are photos: ours, best of two; the relative MuDI has 0.3."""
    most: Count = 3
    """The most concepts in a composite: ours; any number up to it is as likely."""
    smallest: Share = per_base(0.55, sd=0.35)
    """The longer side of the smallest who is alone, as a share of the canvas: ours."""
    largest: Share = per_base(0.9, sd=0.7)
    """The longer side of the largest who is alone: ours."""
    crowding: Weight = 0.25
    """Of k, each is k to the minus this as large: ours. Who is always small is drawn in a crowd."""
    overlap: Share = 0.25
    """The largest intersection over union of two boxes: ours, so that some stand behind others."""
    turn: Weight = 5.0
    """The most that one is turned to either side, in degrees: ours."""
    flip: Share = 0.5
    """The chance that one is mirrored: Break-A-Scene's."""
    light: Share = 0.1
    """How far each follows the light of its new place, from 0 to 1: ours; more pales a gray cat."""
    strangers: Share = per_base(0.0, sd=0.25)
    """The chance that one of a class whom the base drew stands beside them ("priors"): ours."""
    sided: Share = 0.25
    """The chance that a caption of two says who is on the left: CLIF's words, our share."""
    backdrops: tuple[Literal["photos", "scenes", "plain"], ...] = ("photos", "scenes")
    """Behind them: photos and scenes of the base's without those in them, or white: ours."""
    places: tuple[str, ...] = SCENERY
    """Where the base draws its scenes, as captions say it; those whose words it knows: ours."""
    segmenter: str = ""
    """Who finds what has no hand mask: NAME or NAME=MODEL,MODEL; empty, the base's own choice."""
    formula: tuple[Literal["relative", "outside", "leaking", "contested"], ...] = ("relative",)
    """What is asked of attention, added up: Break-A-Scene's, Mix-of-Show's, or two of our own."""
    attention: Weight = per_base(0.5, sd=0.01)
    """Weight of it: on sd Break-A-Scene's and Mix-of-Show's 0.01; on the toybox best of four."""
    resolutions: tuple[int, ...] = per_base((16,), sd768=(24,), xl=(32,))
    """Sides of the attention maps that are looked at: Break-A-Scene's 16, a quarter of a latent."""
    rest: Share = per_base(0.3, sd=1.0)
    """How much the loss counts where no concept is; on sd whole, as in MuDI's run."""
    priors: Number = per_base(16, sd=200, xl=50)
    """Pictures that the base draws of each class before it learns, or 0: as in our others."""
    prior_batch: Count = 1
    """How many of them a step: ours; two take longer and changed nothing beyond chance."""
    prior_weight: Weight = 1.0
    """Weight of their loss: DreamBooth's λ is 1."""
    recalled: Number = per_base(512, sd=0)
    """How many of them, each with some noise, are learned as the untouched base guesses them; 0 for
    learning them as they are: ours."""
    retention: Weight = per_base(1000.0, sd=0.0)
    """Weight of keys and values staying what they were for the classes' words: ours."""
    least: Share = 0.9
    """The smallest part of a photo that is shown, as a share of its shorter side: ours."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Pair]]:
        """One stage: rows and weights together."""
        with recorded(base, self.resolutions, PLACES):
            pass  # refuses here what the base has no attention at
        photos = self.masked(base, cast, keep)
        draw = photo_draw(photos, base.card.templates, base.size, self.least)
        if self.fusion:
            fusion, own = self.materials(base, cast, keep, photos)
            draw = either(self.composites, fusion.draw, draw)
        else:
            own = self.drawn(base, cast, keep)
        rows = tokens(base, nouns(cast), self.vectors, keep.seeded("tokens"))
        if self.fusion:
            check_most(base, [c.name for c in cast.concepts if c.kind == "thing"], self.most)
        others = SETS[self.learns](base, self.rank, self.modules, keep.seeded("modules"))
        rate = self.lora_rate if self.learns == "lora" else self.weight_rate
        captions = templated(base.card.templates, sorted({*nouns(cast).values()}))
        stay = retention(base, others, captions, self.retention)
        preserved = lessons(base, own, self.prior_batch, self.recalled, keep.seeded("recalled"))
        yield Stage(
            name="joint",
            train={rows: self.token_rate} | dict.fromkeys(others, rate),
            draws=lambda step, g: (step, self.pictures(base, cast, draw, g)),
            samples=lambda drawn, g: (composed(base, drawn[1]), preserved(drawn[0], g)),
            loss=lambda pair, g: self.loss(base, pair, g) | stay(),
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )

    def pictures(self, base: Base, cast: Cast, draw: Draw, g: Generator) -> Unencoded:
        """A batch of composites and photos."""
        return stacked([draw(g) for _ in range(self.batch)], cast.names, base.shape[-1])

    def fused(self, base: Base, cast: Cast, keep: Keep) -> Fusion:
        """What composites are made of, to look at before anything is learned."""
        return self.materials(base, cast, keep, self.masked(base, cast, keep))[0]

    def masked(self, base: Base, cast: Cast, keep: Keep) -> list[Masked]:
        """Every photo, and where in it each concept is."""
        masks = masks_of(cast, base, keep, self.segmenter)
        return list(zip(shots(cast), masks, strict=True))

    def drawn(self, base: Base, cast: Cast, keep: Keep) -> Kept:
        """The base's own pictures of every class."""
        classes = set(nouns(cast).values())
        return keep("priors", lambda g: priors(base, classes, self.priors, g))

    def materials(
        self, base: Base, cast: Cast, keep: Keep, photos: Sequence[Masked]
    ) -> tuple[Fusion, Kept]:
        """What composites are made of; what is wrong with photos is said before any drawing."""
        places = {concept.name for concept in cast.concepts if concept.kind == "background"}
        people = subjects(photos, places, self.smallest, base.size)
        if not people:
            raise UserError(
                f"{cast.folder} has only backgrounds, and nobody to put before them: add a "
                "subject, or learn without composites (fusion=false)"
            )
        own = self.drawn(base, cast, keep)
        others = self.others(base, cast, keep, own)
        fusion = Fusion(
            subjects=people,
            strangers=[each.cut(base.size) for each in others],
            grounds=self.grounds(photos, others, places, base.size),
            templates=base.card.templates,
            mixture=self.mixture(),
            size=base.size,
        )
        return fusion, own

    def mixture(self) -> Mixture:
        """What is drawn at random, as the fields say."""
        rules = Rules(
            size=(self.smallest, self.largest),
            flip=self.flip,
            turn=self.turn,
            overlap=self.overlap,
            light=self.light,
        )
        return Mixture(
            rules=rules,
            crowding=self.crowding,
            most=self.most,
            strangers=self.strangers,
            sided=self.sided,
            least=self.least,
        )

    def others(self, base: Base, cast: Cast, keep: Keep, own: Kept) -> list[Stranger]:
        """Who is alone in the base's own pictures of the classes, those in places included."""
        classes = {nouns(cast)[each.name] for each in cast.concepts if each.kind == "thing"}
        there = known(self.places, base.lexicon) if "scenes" in self.backdrops else ()
        where = asked(classes, there)
        drawn = keep("scenes", lambda g: scenes(base, list(where), 1, g))
        if self.strangers and self.priors:
            drawn |= {noun: own[noun] for noun in classes}
            where |= {noun: (noun, "") for noun in classes}
        told = {key: noun for key, (noun, _) in where.items()}
        masks = keep("strangers", lambda _: found(base, drawn, told, finder(self.segmenter, base)))
        return strangers(base, drawn, where, masks)

    def grounds(
        self,
        photos: Sequence[Masked],
        others: Sequence[Stranger],
        places: Collection[str],
        size: int,
    ) -> list[Ground]:
        """Places with nobody in them, of all the kinds that are asked for."""
        kinds: dict[str, Callable[[], Iterable[Ground]]] = {
            "photos": lambda: photographed(photos, places, size),
            "scenes": lambda: (ground for one in others if one.place for ground in one.left(size)),
            "plain": lambda: [bare(size)],
        }
        made = [ground for kind in self.backdrops for ground in kinds[kind]()]
        if not made:
            raise UserError(
                "the subjects fill every photo, so there is no place to put them in: add photos "
                "with more of their surroundings, or take white ones (backdrops=plain)"
            )
        return made

    def loss(self, base: Base, pair: Pair, generator: Generator) -> dict[str, Tensor]:
        """Composites, the classes preserved, and where each word looks, in one pass."""
        mine, own = pair
        asked, n = joined([noised(base, mine, generator), own]), len(mine.latents)
        text = base.text(asked.captions)
        if not self.localized:
            return self.errors(mine, base.predicted(asked.noisy, asked.times, text), asked.target)
        where = positions(base, asked.captions, [f"<{name}>" for name in mine.names])
        with recorded(base, self.resolutions, PLACES) as record:
            guess = base.predicted(asked.noisy, asked.times, text)
        looks = [
            FORMULAS[formula](record.maps(where, side)[:n], pooled(mine.masks, side))
            for side in self.resolutions
            for formula in self.formula
        ]
        attention = torch.stack(looks).sum() / len(self.resolutions)
        return self.errors(mine, guess, asked.target) | {"attention": self.attention * attention}

    def errors(self, mine: Batch, guess: Latent, target: Latent) -> dict[str, Tensor]:
        """How far the denoiser is off."""
        n = len(mine.latents)
        region = self.rest + (1 - self.rest) * union(mine.masks)
        return {
            "denoising": masked_by_area(guess[:n], target[:n], region),
            "prior": prior(guess[n:], target[n:], self.prior_weight),
        }
