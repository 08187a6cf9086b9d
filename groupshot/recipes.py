"""Recipes: how new weights are put into a base, and taken out again without a trace."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from peft import LoraConfig, LoraModel
from torch import Tensor, nn

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.shapes import Ids

Tensors = dict[str, Tensor]

NETS = {"unet": "U-Net", "text_encoder": "text encoder"}
"""The networks that may learn, and what people call them."""


@runtime_checkable
class Recipe(Protocol):
    """How to put weights into a base: a frozen dataclass of JSON values."""

    kind: ClassVar[str]

    def inside(self, base: Base) -> AbstractContextManager[Tensors]:
        """Put them in, give them by name, and take them out again without a trace."""
        ...


class Rows(nn.Module):
    """An embedding table and new rows below it: the table stays as it is, bit for bit."""

    def __init__(
        self, table: nn.Module, rows: nn.ParameterList, first: int, features: slice
    ) -> None:
        """Answer for `table` below the number `first`; from there on, with `features` of `rows`."""
        super().__init__()
        self.table = table
        self.rows = rows
        self.first = first
        self.features = features

    def forward(self, ids: Ids) -> Tensor:
        """The embedding of every token."""
        old = self.table(ids.clamp(max=self.first - 1))
        rows = torch.cat(list(self.rows))[:, self.features]
        new = rows[(ids - self.first).clamp(min=0)]
        return torch.where((ids >= self.first).unsqueeze(-1), new.to(old.dtype), old)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """New rows of the embedding table: so many vectors for each concept.

    Where a base has two text encoders, a row has the features of both side by side.
    """

    kind: ClassVar[str] = "tokens"
    vectors: dict[str, int]

    @contextmanager
    def inside(self, base: Base) -> Generator[Tensors]:
        """Rows by concept, zero at first."""
        words = base.words
        first = base.table.num_embeddings + sum(map(len, words.values()))
        numbers = iter(range(first, first + sum(self.vectors.values())))
        rows: Tensors = {}
        for name, count in self.vectors.items():
            rows[name] = nn.Parameter(torch.zeros(count, sum(base.widths), device=base.device))
            base.words = base.words | {name: tuple(next(numbers) for _ in range(count))}
        with ExitStack() as tables:
            for i, encoder in enumerate(base.encoders):
                start = sum(base.widths[:i])
                features = slice(start, start + base.widths[i])
                tables.enter_context(enlarged(encoder.model, rows, first, features))
            tables.callback(setattr, base, "words", words)
            yield rows


@contextmanager
def enlarged(encoder: Any, rows: Tensors, first: int, features: slice) -> Generator[None]:
    """A text encoder whose table goes on with some features of `rows`, from the number `first`."""
    table = encoder.get_input_embeddings()
    new = nn.ParameterList(rows.values())
    encoder.set_input_embeddings(Rows(table, new, first, features))
    try:
        yield
    finally:
        encoder.set_input_embeddings(table)


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
            r=self.rank,
            lora_alpha=self.rank,
            target_modules=list(self.modules),
            exclude_modules=unheard(base, self.net),
            bias="none",
        )
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        try:
            with torch.random.fork_rng(devices=[]):  # peft draws lora_A from the global generator
                tuner = LoraModel(net, {"default": config}, "default")
        except ValueError as error:
            raise absent(self.net, self.modules) from error
        for weight in learning:  # peft has frozen them
            weight.requires_grad_(True)
        pairs = {name: own for name, own in net.named_parameters() if ".lora_" in name}
        for own in pairs.values():  # peft makes them as the layer is, in half precision perhaps
            own.data = own.data.float()
        try:
            yield {name.replace(".default.", "."): own for name, own in pairs.items()}
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
    matrices: bool = False
    """Whether no biases are taken: files of LoRA hold matrices alone."""

    @contextmanager
    def inside(self, base: Base) -> Generator[Tensors]:
        """Copies by the names of the originals, which rest meanwhile and come back after."""
        words = {w for e in base.encoders for w in e.model.get_input_embeddings().parameters()}
        silent = unheard(base, self.net) or []
        owners = {
            name: owner
            for name, owner in owned(base.models[self.net], self.modules)
            if owner.weight not in words and name.rpartition(".")[0] not in silent
            if owner.weight.ndim == 2 or not self.matrices
        }
        if not owners:
            raise absent(self.net, self.modules)
        copies: Tensors = {
            name: nn.Parameter(owner.weight.detach().float().clone())
            for name, owner in owners.items()
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


def unheard(base: Base, net: str) -> list[str] | None:
    """The layers of a network that nothing listens to, if it has any."""
    silent = base.reader.silent if net == "text_encoder" else ()
    names = (name.replace(".base_layer", "") for name, _ in base.models[net].named_modules())
    return [name for name in names if f"{name}.".startswith(silent)] or None


def absent(net: str, modules: tuple[str, ...]) -> UserError:
    """What to say where no layer is called so."""
    return UserError(f"The base's {NETS[net]} has no layers {', '.join(modules)}.")


RECIPES: dict[str, type[Any]] = {recipe.kind: recipe for recipe in (Tokens, Lora, Full)}
"""Every kind of weights that can be saved and attached again."""
