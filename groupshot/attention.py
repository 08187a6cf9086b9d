"""Cross-attention maps: how much each place of a picture attends to chosen words of its prompt.

The forward pass stays as it is, whatever computes its attention: hooks only keep hold of the
queries and keys that the tapped layers have computed anyway. A map is computed from them when it is
asked for; what all the other words got is forgotten at once, and computed again on the way back.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from groupshot.base import Base
from groupshot.base.shares import Shares
from groupshot.errors import UserError
from groupshot.shapes import CrossMap, Ids, Keys, Looks, Marks, Positions, Queries

PLACES = ("down", "mid", "up")
"""The sections of a U-Net, from its input to its output."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A cross-attention layer of a U-Net, and where it stands."""

    attention: Any
    """A diffusers Attention."""
    place: str
    """One of PLACES."""
    shrink: int
    """How many places of the latent, along each side, are one of the layer's."""
    number: int
    """Its turn in a pass."""


class Enough(Exception):
    """Every tapped layer has been reached: what is left of a pass tells nothing more."""


class Record:
    """What the tapped layers asked and were offered in the last pass of a denoiser."""

    def __init__(self, taps: dict[int, list[Layer]], shares: Shares) -> None:
        """Nothing yet; `taps` are the layers of each resolution, `shares` the denoiser's."""
        self._taps = taps
        self._shares = shares
        self._deal = shares.deal
        self._latent: tuple[int, int] = (0, 0)
        self._queries: dict[Layer, list[Tensor]] = {}
        self._keys: dict[Layer, list[Tensor]] = {}

    def maps(self, positions: Positions, resolution: int) -> CrossMap:
        """How much each place attends to each phrase: the mean of all heads and tapped layers.

        A phrase gets the sum of its positions, not their mean: what looks at any of them looks at
        the one thing that they mean, and the sum is still a probability. It knows its gradient,
        and is 0 where a prompt lacks the phrase.
        """
        layers = self._taps[resolution]
        height, width = (math.ceil(side / layers[0].shrink) for side in self._latent)
        maps = [
            torch.stack([self._looks(layer, i, positions[piece]) for layer in layers]).mean(0)
            for i, piece in enumerate(self._deal.pieces)
        ]
        return self._deal.gathered(torch.cat(maps).unflatten(-1, (height, width)))

    def _looks(self, layer: Layer, piece: int, positions: Positions) -> Looks:
        """What one layer gives each phrase, keeping nothing for the way back but what it has."""
        own = layer.attention
        return checkpoint(
            attended,
            self._queries[layer][piece],
            self._keys[layer][piece],
            positions,
            own.heads,
            own.scale,
            use_reentrant=False,
            preserve_rng_state=False,
        )

    @contextmanager
    def listening(self, unet: nn.Module) -> Generator[None]:
        """Hold what each pass of `unet` in the block computes, in place of the one before."""
        with ExitStack() as hooks:
            hooks.enter_context(unet.register_forward_pre_hook(self._begin))
            for layer in sum(self._taps.values(), []):
                for held, projection in (
                    (self._queries, layer.attention.to_q),
                    (self._keys, layer.attention.to_k),
                ):
                    hooks.enter_context(projection.register_forward_hook(holding(held, layer)))
            yield

    @contextmanager
    def leaving(self) -> Generator[None]:
        """Break each pass off once all tapped layers are reached, with no trace of it outside.

        The block ends with its first pass.
        """
        last = max(sum(self._taps.values(), []), key=lambda layer: layer.number)
        with last.attention.to_k.register_forward_hook(enough), suppress(Enough):
            yield

    def _begin(self, unet: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Remember the size of a pass's latents; forget what was held of the pass before."""
        if self._deal is not self._shares.deal:
            self._deal = self._shares.deal
            self._queries.clear()
            self._keys.clear()
        height, width = inputs[0].shape[-2:]
        self._latent = (height, width)


def holding(held: dict[Layer, list[Tensor]], layer: Layer) -> Callable[..., None]:
    """A hook that holds what a module gives for each piece of a batch."""

    def hold(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        held.setdefault(layer, []).append(output)

    return hold


def enough(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
    """A hook that breaks a pass off."""
    raise Enough


def attended(query: Queries, key: Keys, positions: Positions, heads: int, scale: float) -> Looks:
    """The probabilities of attention, summed over each phrase's positions, the mean of the heads.

    Computed in full precision, whatever the queries and keys were computed in.
    """
    q, k = (t.float().unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key))
    probabilities = (scale * q @ k.transpose(-1, -2)).softmax(-1).mean(1)
    return positions.float() @ probabilities.transpose(-1, -2)


@contextmanager
def recorded(
    base: Base, resolutions: Sequence[int], places: Sequence[str] = PLACES
) -> Generator[Record]:
    """A record of the passes made in the block, to ask for maps there or afterwards.

    A resolution is the side of a layer's map for a square picture of the base's own size; a
    UserError names those that there are where one is not. What is attached to the base within the
    block is not seen: attach it before.
    """
    found: dict[int, list[Layer]] = {}
    for layer in layers(base):
        if layer.place in places:
            found.setdefault(math.ceil(base.shape[1] / layer.shrink), []).append(layer)
    if missing := set(resolutions) - found.keys():
        raise UserError(
            f"The base has no cross-attention at {listed(missing)} in {', '.join(places)}: "
            f"choose from {listed(found)}."
        )
    taps = {resolution: found[resolution] for resolution in resolutions}
    record = Record(taps, base.shares)
    with record.listening(base.unet):
        yield record


def listed(resolutions: Iterable[int]) -> str:
    """Resolutions in their order: "8, 16"."""
    return ", ".join(map(str, sorted(resolutions)))


def layers(base: Base) -> Iterator[Layer]:
    """Every cross-attention layer of the base's U-Net."""
    number = count()
    for place, block, shrink in blocks(base.unet):
        for module in block.modules():
            if isinstance(module, Attention) and module.is_cross_attention:
                yield Layer(attention=module, place=place, shrink=shrink, number=next(number))


def blocks(unet: Any) -> Iterator[tuple[str, nn.Module, int]]:
    """Every block of a U-Net: its place, itself, and how much smaller than the latent it works."""
    shrink = 1
    for block in unet.down_blocks:
        yield "down", block, shrink
        shrink *= 1 if block.downsamplers is None else 2
    if unet.mid_block is not None:
        yield "mid", unet.mid_block, shrink
    for block in unet.up_blocks:
        yield "up", block, shrink
        shrink //= 1 if block.upsamplers is None else 2


def positions(base: Base, prompts: Sequence[str], phrases: Sequence[str]) -> Positions:
    """Where phrases stand in prompts: a concept `<luna>`, a noun, or several words.

    All tokens of a phrase count, each time that it occurs; a prompt may lack it. A UserError where
    a concept is unknown.
    """
    rows = base.ids(prompts)
    end = base.ids([""])[0, 1].item()
    numbers = [row[1 : row.index(end)] for row in base.ids(phrases).tolist()]
    return torch.stack([occurring(each, rows) for each in numbers], dim=1)


def occurring(numbers: list[int], rows: Ids) -> Marks:
    """Which positions of each row belong to the sequence `numbers`."""
    wanted = torch.tensor(numbers, device=rows.device)
    begun = (rows.unfold(1, len(numbers), 1) == wanted).all(-1)
    marked = torch.zeros_like(rows, dtype=torch.bool)
    for i in range(len(numbers)):
        marked[:, i : i + begun.shape[1]] |= begun
    return marked
