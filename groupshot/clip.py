"""Clip: how near prompts and pictures are, by a base's text encoder and the tower that fits it."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPImageProcessorPil, CLIPModel

from groupshot.base import Base, Encoder, folder, lowered
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.masks import Namer
from groupshot.masks.loading import network, opened
from groupshot.samples import with_article
from groupshot.shapes import Ids, Image, ImageFeatures, TextFeatures

PROJECTION = "text_projection/model.safetensors"
"""The file in a base's folder that maps its text encoder's summary to where pictures are."""

TOGETHER = 32
"""Pictures that pass through the tower at once."""

FITTING = {
    (768, 12): "openai/clip-vit-large-patch14",
    (1024, 23): "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    (1280, 32): "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
}
"""The CLIP that a text encoder was taken from, by its width and layers.

That of SD 1.x and the first of XL; of 2.x, without the last of its 24 layers; the second of XL.
"""

Pooling = Callable[[Base, Ids], Tensor]
"""The position at which each prompt is summed up: [b]."""

Reads = Callable[[Ids], Tensor]
"""What a text encoder makes of tokens, its last states: [b, n, width]."""


def at_end(base: Base, ids: Ids) -> Tensor:
    """The first end of text, which has read all of the prompt and nothing else."""
    return (ids == base.pipe.tokenizer.eos_token_id).int().argmax(1)


def at_highest(base: Base, ids: Ids) -> Tensor:
    """The highest number, where transformers pools by old configurations, SD's among them.

    New tokens are numbered above the end of text, so that what follows the newest is not read:
    CLIF's code (`papers.md`, 1.5) pools so.
    """
    return ids.argmax(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A text encoder that knows a base's words, a vision tower, and what brings both together."""

    base: Base
    reads: Reads
    shared: bool
    """Whether the base's own text encoder reads; else a whole one does, by the base's table."""
    vision: nn.Module
    """What sees: it is where the base is only for as long as it does."""
    tower: Callable[[Image], ImageFeatures]
    """How it sees."""
    prepared: Callable[[Sequence[Picture]], Image]
    """Pictures as the tower wants them, of whatever size they are."""
    projection: Tensor
    """[d, width]: what maps the text encoder's states to where pictures are."""
    scale: float
    """What cosines are multiplied by, e^τ: 100 in OpenAI's."""

    def said(self, prompts: Sequence[str], pooling: Pooling = at_end) -> TextFeatures:
        """What the text encoder makes of prompts, with a gradient; not of unit length."""
        return summed_up(self.base, prompts, pooling, self.reads) @ self.projection.T

    @torch.no_grad()
    def seen(self, pictures: Sequence[Picture]) -> ImageFeatures:
        """What the tower makes of pictures; not of unit length."""
        starts = range(0, len(pictures), TOGETHER)
        some = (self.prepared(pictures[i : i + TOGETHER]) for i in starts)
        with visiting(self.vision, self.base.device):
            return torch.cat([self.tower(each.to(self.base.device)) for each in some])


@contextmanager
def visiting(net: nn.Module, device: torch.device) -> Generator[None]:
    """A network on a device, and afterwards where it was."""
    home = next(net.parameters()).device
    net.to(device)
    try:
        yield
    finally:
        net.to(home)


def summed_up(
    base: Base, prompts: Sequence[str], pooling: Pooling = at_end, reads: Reads | None = None
) -> Tensor:
    """A text encoder's last states at one position of each prompt: [b, width].

    What comes after all of these positions is left out: the encoder looks back only. The base's
    first encoder reads, unless another is named.
    """
    ids = base.ids(prompts)
    where = pooling(base, ids)
    with lowered(base.device, base.stored):
        states = (reads or reading(base.encoders[0]))(ids[:, : int(where.max()) + 1])
    return states[torch.arange(len(ids), device=ids.device), where].float()


def reading(encoder: Encoder) -> Reads:
    """How a base's own text encoder reads."""
    return lambda ids: encoder.model(ids).last_hidden_state


def reading_whole(encoder: Encoder, whole: Any) -> Reads:
    """How the text encoder of a CLIP reads that has layers which the base's lacks.

    All that both share is the table, with the rows that were added to it by then.
    """

    def read(ids: Ids) -> Tensor:
        whole.set_input_embeddings(encoder.model.get_input_embeddings())
        return whole(ids).last_hidden_state

    return read


def own(base: Base) -> Clip | None:
    """The pair that a base was shipped with, if it was: that of its first text encoder."""
    tower: Any = base.pipe.components.get("image_encoder")
    if tower is None or not (file := folder(base.source) / PROJECTION).is_file():
        return None
    held = load_tensors(file)[0]
    return Clip(
        base=base,
        reads=reading(base.encoders[0]),
        shared=True,
        vision=tower,
        tower=lambda pixels: tower(pixels).image_embeds,
        prepared=preparation(base.pipe.feature_extractor),
        projection=held["weight"].to(base.device).float(),
        scale=held["logit_scale"].float().exp().item(),
    )


def named(base: Base, encoder: Encoder, source: str) -> Clip:
    """A CLIP, a folder or a model of the hub, for one of a base's text encoders.

    Where it has the same layers, the base's encoder reads; where it has more, its own does. Raises
    a UserError where it is no CLIP, or its text encoder cannot be what the base's was taken from.
    """
    model: Any = network(CLIPModel, source, torch.device("cpu"))
    theirs, ours = (shape(each) for each in (model.config.text_config, encoder.model.config))
    if theirs[0] != ours[0] or theirs[1] < ours[1]:
        raise UserError(
            f"{source} reads with {theirs[1]} layers of {theirs[0]} features, the base with "
            f"{ours[1]} of {ours[0]}: name the CLIP that the base's text encoder was taken from"
        )
    shared = theirs == ours
    vision, sight = model.vision_model, model.visual_projection
    whole = None if shared else model.text_model.to(base.device)
    return Clip(
        base=base,
        reads=reading(encoder) if shared else reading_whole(encoder, whole),
        shared=shared,
        vision=nn.ModuleList([vision, sight]),
        tower=lambda pixels: sight(vision(pixels).pooler_output),
        prepared=preparation(opened(CLIPImageProcessorPil, source)),
        projection=model.text_projection.weight.to(base.device).float(),
        scale=model.logit_scale.exp().item(),
    )


def namer(clip: Clip, words: Sequence[str], sure: float) -> Namer:
    """Says which of some words a picture shows, as CLIP classifies without training.

    Empty where its chance among all of them is below `sure`. The words are read now: what a base
    learns later changes nothing.
    """
    with torch.no_grad():
        template = clip.base.card.templates[0]
        texts = clip.said([template.format(with_article(word)) for word in words])
        directions = F.normalize(texts, dim=-1)

    def names(pictures: Sequence[Picture]) -> list[str]:
        if not pictures:
            return []
        seen = F.normalize(clip.seen(pictures).float(), dim=-1)
        chances = (clip.scale * seen @ directions.T).softmax(-1)
        surest, which = chances.max(-1)
        return [words[int(i)] if p >= sure else "" for p, i in zip(surest, which, strict=True)]

    return names


def clips_of(base: Base, sources: Sequence[str] = ()) -> tuple[Clip, ...]:
    """A CLIP for each text encoder: the one named, the base's own, or the one that fits.

    Fewer `sources` than encoders leave the last encoders without one, and so does a base's own
    pair. Whether a text encoder is truly the one that a tower was trained with cannot be seen: only
    its size is compared. A UserError names the way out where there is none.
    """
    if len(sources) > len(base.encoders):
        raise UserError(
            f"{base.source} has fewer text encoders ({len(base.encoders)}) than clip= names CLIPs: "
            "name one for each"
        )
    if not sources and (pair := own(base)):
        return (pair,)
    if sources:
        return tuple(
            named(base, each, source) for each, source in zip(base.encoders, sources, strict=False)
        )
    return tuple(fitting(base, each) for each in base.encoders)


def fitting(base: Base, encoder: Encoder) -> Clip:
    """The published CLIP that a text encoder was taken from, by its size."""
    source = FITTING.get(shape(encoder.model.config))
    if source is None:
        raise UserError(
            f"{base.source} has no CLIP vision tower: name the CLIP that its text encoder was "
            "taken from, clip=FOLDER or OWNER/MODEL"
        )
    try:
        return named(base, encoder, source)
    except UserError as error:
        raise UserError(
            f"{error}. It is the CLIP of this base's text encoder: where it can be downloaded, `hf "
            f"download {source} --local-dir FOLDER`, then clip=FOLDER here; or contrastive=false"
        ) from error


def shape(config: Any) -> tuple[int, int]:
    """Width and layers of a text encoder."""
    return config.hidden_size, config.num_hidden_layers


def preparation(processor: Any) -> Callable[[Sequence[Picture]], Image]:
    """What a tower's image processor does."""
    return lambda pictures: processor(list(pictures), return_tensors="pt").pixel_values
