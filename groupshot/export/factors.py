"""Factors: what a run has changed in each layer of a base, as products of two thin matrices."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from groupshot.errors import UserError
from groupshot.recipes import Full, Lora, Tensors
from groupshot.runfolder import Trained

DOWN, UP = ".lora_A.weight", ".lora_B.weight"
"""How peft calls the two, behind the name of their layer."""

ENCODERS = ("text_encoder", "text_encoder_2")
"""The text encoders of a pipeline, as diffusers calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A layer's weight changes by `up` @ `down`."""

    down: Tensor
    """[rank, in]; a convolution's has its kernel behind."""
    up: Tensor
    """[out, rank]"""

    @property
    def rank(self) -> int:
        """How many rows `down` has."""
        return self.down.shape[0]

    def __add__(self, other: "Factors") -> "Factors":
        """Both changes at once."""
        down, up = torch.cat([self.down, other.down]), torch.cat([self.up, other.up], dim=1)
        return Factors(down=down, up=up)


def factors(trained: Trained) -> dict[str, Factors]:
    """What a run has changed, by the names that layers have in diffusers' LoRA files.

    What has learned whole comes as a product of full rank, equal to rounding. A UserError where
    that is no matrix: a bias, a norm, a convolution.
    """
    found: dict[str, Factors] = {}
    for name, own in changes(trained):
        found[name] = found[name] + own if name in found else own
    return found


def changes(trained: Trained) -> Iterator[tuple[str, Factors]]:
    """Every change by every part."""
    for part, recipe in trained.learned.recipes.items():
        tensors = trained.learned.tensors[part]
        if isinstance(recipe, Lora):
            for layer, own in paired(tensors):
                yield public(recipe.net, layer), own
        elif isinstance(recipe, Full):
            net = trained.base.models[recipe.net]
            for name, change in differences(net, tensors):
                layer, _, slot = name.rpartition(".")
                if slot != "weight" or not isinstance(net.get_submodule(layer), nn.Linear):
                    raise unfit(trained, f"{recipe.net}.{name}")
                yield public(recipe.net, layer), split(change)


def paired(tensors: Tensors) -> Iterator[tuple[str, Factors]]:
    """The pairs of a LoRA, by their layers."""
    for key, down in tensors.items():
        if key.endswith(DOWN):
            layer = key.removesuffix(DOWN)
            yield layer, Factors(down=down, up=tensors[layer + UP])


def differences(net: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """How weights differ from the network's own, where they do."""
    for name, tensor in tensors.items():
        change = tensor.double() - net.get_parameter(name).detach().cpu().double()
        if change.any():
            yield name, change


def split(change: Tensor) -> Factors:
    """A change as a product of full rank: the root of its singular values on each side."""
    left, values, right = torch.linalg.svd(change, full_matrices=False)
    root = values.sqrt()
    return Factors(down=(root[:, None] * right).float(), up=(left * root).float())


def public(net: str, layer: str) -> str:
    """A layer's name in a LoRA file: "text_encoder.text_model.encoder.layers.0.self_attn.q_proj".

    transformers 5 has dropped the `text_model` that files keep.
    """
    head, _, tail = layer.partition(".")
    if head in ENCODERS:  # where there are two
        net, layer = head, tail
    if net in ENCODERS and not layer.startswith(("text_model.", "text_projection")):
        layer = f"text_model.{layer}"
    return f"{net}.{layer}"


def unfit(trained: Trained, name: str) -> UserError:
    """What to say where something has changed that is no matrix."""
    return UserError(
        f"{trained.record['method']} has tuned {name}, and no LoRA file can hold that: "
        "--format pipeline saves the whole pipeline."
    )
