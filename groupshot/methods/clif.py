"""Non-confusing Generation of Customized Concepts in Diffusion Models (CLIF).

Wang Lin, Jingyuan Chen, Jiaxin Shi, Yichen Zhu, Chen Liang, Junzhong Miao, Tao Jin, Zhou Zhao,
Fei Wu, Shuicheng Yan, Hanwang Zhang. ICML 2024. arXiv 2405.06914.

Concepts are confused in the text already: words whose embeddings are near each other are drawn
alike. So before anything is drawn, the new words are contrasted, as CLIP was trained: collages of a
concept beside a common thing (Global), of a part of it beside one (Region), and of two concepts
(Mix) are told apart by their captions. From there on it is textual inversion, then words and a
LoRA.

Where we differ: the released code does not normalise features, and sums a prompt up at its newest
token instead of its end; here both are fields, and the default what CLIP does. The same phrase of
another collage, whatever its template, is right here and wrong there. Stable Diffusion XL's two
text encoders are contrasted each with its own CLIP, and the losses summed, each half of a row
learning from its own, as an early commit of the code did; the last contrasts only the first, which
here is to name only its CLIP. Its stages are launches, each with a new optimiser; here the words'
begins anew after the contrast, whose gradients are some twenty times as steep, and goes on from the
second stage to the third, which has the templates of the second. It counts epochs; we steps and
collages, however many concepts share them. Sizes, counts and shares of the collages, half of whose
cut-outs are mirrored, are ours, since no source tells them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.clip import Clip, Pooling, at_end, at_highest, clips_of, namer
from groupshot.errors import UserError
from groupshot.keep import Keep, Kept
from groupshot.losses import alike, contrastive, cosine, denoising, inner
from groupshot.masks import naming
from groupshot.masks.partings import parting, usual
from groupshot.masks.segmenters import finder, masks_of
from groupshot.presets import Count, Number, Share, Weight, per_base
from groupshot.samples import (
    Batch,
    Collage,
    Matched,
    Pieces,
    Rules,
    batches,
    collages,
    common,
    counts,
    known,
    matches,
    nouns,
    parts,
    priors,
    seen_as,
    shots,
    views,
    wholes,
)
from groupshot.shapes import HardMask
from groupshot.stage import SCHEDULES, Schedule, Stage
from groupshot.weights import ATTENTION, Part, copied_tokens, lora, text_matrices

COMMON = (
    *("chef", "wizard", "doctor", "jean jacket", "stool", "dog", "cat", "bear", "rabbit", "fox"),
    *("mouse", "robot", "bird", "frog", "elephant", "lion", "dragon"),
)
"""Those that the paper's figure 4 shows, and what the toybox knows: nobody lists them all."""

PARTS = (
    *("head", "face", "ear", "eye", "nose", "mouth", "hair", "neck", "body", "belly", "back"),
    *("arm", "hand", "leg", "foot", "paw", "tail", "wing", "hat", "glasses", "scarf", "shirt"),
    *("jacket", "dress", "trousers", "shoe", "bag", "wheel", "handle", "lid", "door", "window"),
)
"""What concepts are made of and wear: our list, since nobody gives one."""

POOLINGS: Mapping[str, Pooling] = {"end": at_end, "highest": at_highest}
LIKENESSES = {"cosine": cosine, "inner": inner}
LEARNERS: Mapping[str, Callable[[Base], tuple[Part, ...]]] = {
    "tokens": lambda base: (),
    "text-encoder": lambda base: (text_matrices(base),),
}


Found = Sequence[Mapping[str, HardMask]]
"""Masks by name, for each photo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clif:
    """New words are contrasted with each other and with common ones, then learned with a LoRA."""

    name: ClassVar[str] = "clif"

    contrastive: bool = True
    """Whether there is a contrastive stage; without it the other two are the same."""
    contrast_steps: Number = per_base(200, sd=1000)
    """Steps of the contrastive stage."""
    token_steps: Number = per_base(300, sd=500)
    """Steps of textual inversion."""
    steps: Number = per_base(900, sd=1500)
    """Steps of the last stage, rows and LoRA together: on sd three times as many, as the code's."""
    contrast_batch: Count = per_base(64, sd=128)
    """Collages a step, contrasted with each other; the code's on sd."""
    batch: Count = per_base(4, xl=1)
    """Photos a step in the other two stages: the code's 4."""
    vectors: Count = 2
    """Rows of the embedding table for each concept, all begun as its noun: the code's 2."""
    learns: Literal["tokens", "text-encoder"] = "tokens"
    """What the contrast changes: the rows (the code), or the text encoder too (the paper)."""
    contrast_rate: Weight = per_base(2e-3, sd=1e-4)
    """Learning rate of the rows in the contrastive stage; the code's on sd."""
    encoder_rate: Weight = 1e-5
    """Learning rate of the text encoder, if it learns: its matrices, which a LoRA file can hold."""
    token_rate: Weight = per_base(1e-3, sd=2e-4)
    """Learning rate of the rows in the other two; the code's on sd."""
    lora_rate: Weight = 2e-4
    """Learning rate of the LoRA: the code's."""
    schedule: Schedule = per_base("falling", sd="constant")
    """How the rates of the last stage go: on sd constant as in the code, or falling to a tenth."""
    rank: Count = 16
    """Rank of the LoRA: the code's 16."""
    modules: tuple[str, ...] = ATTENTION
    """Endings of the names of the U-Net's layers that the LoRA changes: the code's, attention."""
    clip: tuple[str, ...] = ()
    """The CLIP that compares, one for each text encoder: folders or models of the hub; empty, the
    base's own, or the one that its text encoder was taken from."""
    collages: Number = per_base(480, sd=2000)
    """How many collages are made; their shares are as follows."""
    global_share: Weight = 1.0
    """Of a concept beside a common thing; the paper does not tell, here all are equal."""
    region_share: Weight = 1.0
    """Of a part of a concept beside a common thing."""
    mix_share: Weight = 1.0
    """Of two concepts."""
    smallest: Share = 0.35
    """The least that a cut-out's longer side has of the canvas, if it has as many pixels; ours."""
    largest: Share = 0.6
    """The most."""
    overlap: Share = 0.1
    """The largest intersection over union of the two boxes of a collage; ours."""
    common: tuple[str, ...] = COMMON
    """Class words of common things; those that the base has no words for are left out."""
    common_each: Count = 2
    """Pictures that the base draws of each."""
    parts: str = ""
    """What takes concepts apart: anatomy, slic, felzenszwalb, sam or sam=MODEL; empty, the first in
    the toybox, slic elsewhere."""
    part_words: tuple[str, ...] = per_base((), sd=PARTS)
    """What parts may be called by the CLIP that compares; none in the toybox, where `anatomy` knows
    them. The paper asks a language model."""
    sure: Share = 0.5
    """The least chance that CLIP gives a part's name; what is less sure has none: ours."""
    segmenter: str = ""
    """Who finds what has no hand mask: NAME or NAME=MODEL,MODEL; empty, the base's own choice."""
    pooling: Literal["end", "highest"] = "end"
    """Where a caption is summed up: at its end, or at its highest token number (the code)."""
    likeness: Literal["cosine", "inner"] = "cosine"
    """What is compared: directions, as CLIP does, or lengths too (the code)."""
    crops: Count = 4
    """Different crops made of each photo, for the other two stages."""
    least: Share = 0.9
    """The smallest crop, as a share of the photo's shorter side."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Any]]:
        """Three stages: contrast, rows alone, rows and LoRA."""
        rows = copied_tokens(base, nouns(cast), self.vectors)
        if self.contrastive:
            yield self.contrast(base, cast, keep, rows)
        photos = shots(cast)
        crops = keep("crops", lambda g: views(base, photos, self.crops, self.least, g))
        instances = batches(base, photos, crops["views"], self.batch)

        def loss(batch: Batch, generator: Generator) -> dict[str, Tensor]:
            guess, target = base.guessed(batch.latents, base.text(batch.captions), generator)
            return {"denoising": denoising(guess, target)}

        yield Stage(
            name="tokens",
            train={rows: self.token_rate},
            samples=instances,
            loss=loss,
            steps=self.token_steps,
            fresh=True,
        )
        adapter = lora(base, self.rank, self.modules, keep.seeded("lora"))
        yield Stage(
            name="joint",
            train={rows: self.token_rate, adapter: self.lora_rate},
            samples=instances,
            loss=loss,
            steps=self.steps,
            schedule=SCHEDULES[self.schedule],
        )

    def contrast(self, base: Base, cast: Cast, keep: Keep, rows: Part) -> Stage[Matched]:
        """The first stage: collages and their captions are matched."""
        others = LEARNERS[self.learns](base)
        clips = clips_of(base, self.clip)
        if others and not all(each.shared for each in clips):
            raise UserError(
                "this base's text encoder lacks layers of its CLIP's, so the contrast cannot "
                "change it: leave learns=text-encoder out"
            )
        masks, own = self.sources(base, cast, keep)

        def seen(generator: Generator) -> Kept:
            made = self.made(base, self.pieces(base, cast, masks, own, clips[0]), generator)
            pictures = [each.picture for each in made]
            return seen_as(made, torch.cat([each.seen(pictures).cpu() for each in clips], dim=-1))

        return Stage(
            name="contrast",
            train={rows: self.contrast_rate} | dict.fromkeys(others, self.encoder_rate),
            samples=matches(base, keep("collages", seen), self.contrast_batch),
            loss=lambda batch, _: self.contrasts(clips, batch),
            steps=self.contrast_steps,
        )

    def collaged(self, base: Base, cast: Cast, keep: Keep) -> tuple[Pieces, list[Collage]]:
        """What collages are made of, and all of them, to be looked at."""
        masks, own = self.sources(base, cast, keep)
        pieces = self.pieces(base, cast, masks, own, clips_of(base, self.clip)[0])
        return pieces, self.made(base, pieces, keep.seeded("collages"))

    def sources(self, base: Base, cast: Cast, keep: Keep) -> tuple[Found, Kept]:
        """Masks for each photo of the cast, and what the base draws of common things."""
        masks = masks_of(cast, base, keep, self.segmenter)
        drawn = keep("common", lambda g: priors(base, self.words(base), self.common_each, g))
        return masks, drawn

    def words(self, base: Base) -> set[str]:
        """The common things that the base draws: none where no collage shows any."""
        needed = self.global_share + self.region_share > 0
        return set(known(self.common, base.lexicon)) if needed else set()

    def pieces(
        self,
        base: Base,
        cast: Cast,
        masks: Found,
        own: Kept,
        clip: Clip,
    ) -> Pieces:
        """All that collages are made of: the cast by its masks, and the base's `own` drawings.

        Parts have the names that the CLIP gives them, where there are `part_words`.
        """
        masked = list(zip(shots(cast), masks, strict=True))
        apart = parting(self.parts or usual(base.card.segmenter), base.device)
        if self.part_words:
            apart = naming(apart, namer(clip, self.part_words, self.sure))
        there = wholes(cast, masked, base.size)
        return Pieces(
            wholes=there,
            parts=parts(list(there), masked, apart, base.lexicon, base.size),
            common=common(base, own, finder(self.segmenter, base)),
        )

    def made(self, base: Base, pieces: Pieces, generator: Generator) -> list[Collage]:
        """The collages."""
        shares = {"global": self.global_share, "region": self.region_share, "mix": self.mix_share}
        numbers = counts(shares, self.collages, len(pieces.wholes))
        rules = Rules(size=(self.smallest, self.largest), overlap=self.overlap)
        return collages(pieces, numbers, base.size, rules, generator)

    def contrasts(self, clips: Sequence[Clip], batch: Matched) -> dict[str, Tensor]:
        """A term for each CLIP: each moves its own text encoder's half of the rows."""
        widths = [len(each.projection) for each in clips]
        apart = [replace(batch, images=own) for own in batch.images.split(widths, dim=-1)]
        return {
            f"contrast-{i}" if i > 1 else "contrast": self.contrasted(clip, own)
            for i, (clip, own) in enumerate(zip(clips, apart, strict=True), start=1)
        }

    def contrasted(self, clip: Clip, batch: Matched) -> Tensor:
        """How badly collages and captions are told apart: symmetric InfoNCE."""
        texts = clip.said(batch.captions, POOLINGS[self.pooling])
        pairs = alike(batch.phrases).to(texts.device)
        return contrastive(batch.images, texts, pairs, clip.scale, LIKENESSES[self.likeness])
