"""What may learn: recipes that put new weights into a base, and the weights once there."""

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from peft import LoraConfig, LoraModel
from torch import Tensor, nn

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.shapes import Ids

Tensors = dict[str, Tensor]

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention layer of a U-Net, as diffusers names them."""

TEXT_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
"""The projections of every attention layer of a text encoder, as transformers names them."""

KEYS_VALUES = ("attn2.to_k", "attn2.to_v")
"""What a U-Net's cross-attention makes of the words: all that Custom Diffusion trains of it."""

EVERYTHING = ("",)
"""An ending of every name."""

NETS = {"unet": "U-Net", "text_encoder": "text encoder"}
"""The networks that may learn, and what people call them."""


@runtime_checkable
class Recipe(Protocol):
    """How to put weights into a base: a frozen dataclass of JSON values."""

    kind: ClassVar[str]

    def inside(self, base: Base) -> AbstractContextManager[Tensors]:
        """Put them in, give them by name, and take them out again without a trace."""
        ...


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


class Rows(nn.Module):
    """An embedding table and new rows below it: the table stays as it is, bit for bit."""

    def __init__(self, table: nn.Module, rows: nn.ParameterList, first: int) -> None:
        """Answer for `table` below the number `first`, for `rows` from there on."""
        super().__init__()
        self.table = table
        self.rows = rows
        self.first = first

    def forward(self, ids: Ids) -> Tensor:
        """The embedding of every token."""
        old = self.table(ids.clamp(max=self.first - 1))
        new = torch.cat(list(self.rows))[(ids - self.first).clamp(min=0)]
        return torch.where((ids >= self.first).unsqueeze(-1), new.to(old.dtype), old)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """New rows of the embedding table: so many vectors for each concept."""

    kind: ClassVar[str] = "tokens"
    vectors: dict[str, int]

    @contextmanager
    def inside(self, base: Base) -> Generator[Tensors]:
        """Rows by concept, zero at first."""
        encoder, words = base.text_encoder, base.words
        first = base.table.num_embeddings + sum(map(len, words.values()))
        table = encoder.get_input_embeddings()
        rows: Tensors = {}
        numbers = iter(range(first, first + sum(self.vectors.values())))
        for name, count in self.vectors.items():
            rows[name] = nn.Parameter(
                torch.zeros(count, base.table.embedding_dim, device=base.device)
            )
            base.words = base.words | {name: tuple(next(numbers) for _ in range(count))}
        encoder.set_input_embeddings(Rows(table, nn.ParameterList(rows.values()), first))
        try:
            yield rows
        finally:
            encoder.set_input_embeddings(table)
            base.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank changes of a network's layers whose names end in one of `modules`."""

    kind: ClassVar[str] = "lora"
    rank: int
    modules: tuple[str, ...]
    net: str = "unet"

    @contextmanager
    def inside(self, base: Base) -> Generator[Tensors]:
        """Pairs lora_A, lora_B by the name of their layer."""
        net = base.models[self.net]
        config = LoraConfig(
            r=self.rank, lora_alpha=self.rank, target_modules=list(self.modules), bias="none"
        )
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        try:
            with torch.random.fork_rng(devices=[]):  # peft draws lora_A from the global generator
                tuner = LoraModel(net, {"default": config}, "default")
        except ValueError as error:
            raise absent(self.net, self.modules) from error
        for weight in learning:  # peft has frozen them
            weight.requires_grad_(True)
        try:
            yield {
                name.replace(".default.", "."): tensor
                for name, tensor in net.named_parameters()
                if ".lora_" in name
            }
        finally:
            tuner.unload()


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """The weights themselves of a network's layers whose names end in one of `modules`.

    The embedding table is none of them: of words, only Tokens learn.
    """

    kind: ClassVar[str] = "full"
    net: str
    modules: tuple[str, ...]

    @contextmanager
    def inside(self, base: Base) -> Generator[Tensors]:
        """Copies by the names of the originals, which rest meanwhile and come back after."""
        words = set(base.text_encoder.get_input_embeddings().parameters())
        owners = {
            name: owner
            for name, owner in owned(base.models[self.net], self.modules)
            if owner.weight not in words
        }
        if not owners:
            raise absent(self.net, self.modules)
        copies: Tensors = {
            name: nn.Parameter(owner.weight.detach().clone()) for name, owner in owners.items()
        }
        for name, owner in owners.items():
            setattr(owner.layer, owner.slot, copies[name])
        try:
            yield copies
        finally:
            for owner in owners.values():
                setattr(owner.layer, owner.slot, owner.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A weight, and the layer's attribute that holds it."""

    layer: nn.Module
    slot: str
    weight: nn.Parameter


def owned(net: nn.Module, modules: tuple[str, ...]) -> Iterator[tuple[str, Owner]]:
    """The weights of a network's layers whose names end in one of `modules`, by their names."""
    for path, layer in net.named_modules():
        name = path.replace(".base_layer", "")  # what a LoRA has wrapped keeps its name
        if name.endswith(modules) and ".lora_" not in path:
            for slot, weight in layer.named_parameters(recurse=False):
                yield f"{name}.{slot}", Owner(layer=layer, slot=slot, weight=weight)


def absent(net: str, modules: tuple[str, ...]) -> UserError:
    """What to say where no layer is called so."""
    return UserError(f"The base's {NETS[net]} has no layers {', '.join(modules)}.")


RECIPES: dict[str, type[Any]] = {recipe.kind: recipe for recipe in (Tokens, Lora, Full)}
"""Every kind of weights that can be saved and attached again."""


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
    noise = torch.randn(vectors - len(known), base.table.embedding_dim, generator=generator)
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
