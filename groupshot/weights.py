"""What may learn: weights inside a borrowed base, and how each of them begins."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from groupshot.base import Base
from groupshot.recipes import Full, Lora, Recipe, Tensors, Tokens

ROWS = 6
"""Rows of the embedding table for each concept, on the toybox: a word of its says one thing alone,
a class, a colour, a pattern or what is worn, and one row could say no more."""

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention layer of a U-Net, as diffusers names them."""
EVERYWHERE = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2")
"""And all else that is large: convolutions draw what attention only names."""

TEXT_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
"""The projections of every attention layer of a text encoder, as transformers names them."""

TEXT_LINEAR = (*TEXT_ATTENTION, "fc1", "fc2")
"""All linear layers of a text encoder."""

KEYS_VALUES = ("attn2.to_k", "attn2.to_v")
"""What a U-Net's cross-attention makes of the words: all that Custom Diffusion trains of it."""

EVERYTHING = ("",)
"""An ending of every name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Weights that may learn: a name, the recipe, and the tensors inside a borrowed base."""

    name: str
    recipe: Recipe
    tensors: Tensors


def attached(base: Base, name: str, recipe: Recipe) -> Part:
    """A part inside `base` until the base is given back."""
    return Part(name=name, recipe=recipe, tensors=base.attach(recipe.inside(base)))


@torch.no_grad()
def filled(part: Part, values: Mapping[str, Tensor]) -> Part:
    """The part, its tensors set to `values`."""
    for name, tensor in part.tensors.items():
        tensor.copy_(values[name])
    return part


def copied(part: Part) -> dict[str, Tensor]:
    """What a part's tensors are by now, beside them."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in part.tensors.items()}


def shaken(part: Part, size: Tensor, generator: torch.Generator) -> Part:
    """The part, with noise of a size, for each column of its rows, on its tensors."""
    begun = copied(part)
    noise = {k: torch.randn(each.shape, generator=generator) for k, each in begun.items()}
    return filled(part, {k: each + size * noise[k] for k, each in begun.items()})


def tokens(
    base: Base, nouns: Mapping[str, str | None], vectors: int, generator: torch.Generator
) -> Part:
    """New rows for each concept, its class noun last, small noise before it.

    The noun makes the token mean "a cat" from the start (Custom Diffusion, Break-A-Scene); the
    noise leaves room for what makes this one special (Mix-of-Show's two words).
    """
    part = attached(base, "tokens", Tokens(vectors=dict.fromkeys(nouns, vectors)))
    rows = {name: begun(base, noun, vectors, generator) for name, noun in nouns.items()}
    return filled(part, rows)


def copied_tokens(base: Base, nouns: Mapping[str, str], vectors: int) -> Part:
    """New rows for each concept, each a copy of its class noun's last token, as in CLIF's code."""
    part = attached(base, "tokens", Tokens(vectors=dict.fromkeys(nouns, vectors)))
    words = {name: base.embedded(noun)[-1:] for name, noun in nouns.items()}
    return filled(part, {name: word.expand(vectors, -1) for name, word in words.items()})


def begun(base: Base, noun: str | None, vectors: int, generator: torch.Generator) -> Tensor:
    """Where a concept's rows begin: as noise of the table's own size, then as the noun's tokens."""
    known = base.embedded(noun or "")[-vectors:].cpu()
    noise = torch.randn(vectors - len(known), sum(base.widths), generator=generator)
    return torch.cat([noise * base.spread, known])


def lora(base: Base, rank: int, modules: tuple[str, ...], generator: torch.Generator) -> Part:
    """A LoRA of the U-Net that changes nothing yet."""
    return adapter(base, "lora", Lora(rank=rank, modules=modules), generator)


def text_lora(base: Base, rank: int, modules: tuple[str, ...], generator: torch.Generator) -> Part:
    """A LoRA of the text encoder that changes nothing yet, as Mix-of-Show has one."""
    recipe = Lora(rank=rank, modules=modules, net="text_encoder")
    return adapter(base, "text-lora", recipe, generator)


def adapter(base: Base, name: str, recipe: Lora, generator: torch.Generator) -> Part:
    """A LoRA as it begins: A as peft draws it, but from `generator`, B zero."""
    part = attached(base, name, recipe)
    values = {
        name: nn.init.kaiming_uniform_(
            torch.empty(tensor.shape), a=math.sqrt(5), generator=generator
        )
        if ".lora_A." in name
        else torch.zeros(tensor.shape)
        for name, tensor in part.tensors.items()
    }
    return filled(part, values)


def keys_values(base: Base) -> Part:
    """The keys and values of the U-Net's cross-attention (Custom Diffusion, arXiv 2212.04488)."""
    return attached(base, "keys-values", Full(net="unet", modules=KEYS_VALUES))


def unet(base: Base) -> Part:
    """The whole U-Net (DreamBooth; Break-A-Scene's second phase)."""
    return attached(base, "unet", Full(net="unet", modules=EVERYTHING))


def text_encoder(base: Base) -> Part:
    """The whole text encoder but for its embedding table (Break-A-Scene's second phase).

    There the table learns along; here every row that is not a concept's stays, bit for bit.
    """
    return attached(base, "text-encoder", Full(net="text_encoder", modules=EVERYTHING))


def text_matrices(base: Base) -> Part:
    """The text encoder's linear layers without their biases: what can be exported as a LoRA."""
    recipe = Full(net="text_encoder", modules=TEXT_LINEAR, matrices=True)
    return attached(base, "text-encoder", recipe)


SETS: Mapping[str, Callable[[Base, int, tuple[str, ...], torch.Generator], tuple[Part, ...]]] = {
    "none": lambda base, rank, modules, g: (),
    "keys-values": lambda base, rank, modules, g: (keys_values(base),),
    "lora": lambda base, rank, modules, g: (lora(base, rank, modules, g),),
    "unet": lambda base, rank, modules, g: (unet(base),),
    "everything": lambda base, rank, modules, g: (unet(base), text_encoder(base)),
}
"""What may learn with the rows, by the name that methods' fields have for it; rank and modules are
a LoRA's."""
