"""What it costs to record attention: `python -m groupshot.benchmarks.attention`.

One training step of two concepts and a LoRA, forward and backward, in three ways: plain; with the
concepts' maps recorded and localised; and the same with a store that keeps every probability of
every layer, as those of prompt-to-prompt and Break-A-Scene do. The ways take turns, so that what
slows the machine down for a while slows all of them.
"""

import argparse
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from groupshot.attention import positions, recorded
from groupshot.base import Base, faster, quiet
from groupshot.losses import denoising, localised
from groupshot.shapes import CrossMap, Latent, Positions, Scalar
from groupshot.weights import ATTENTION, lora, tokens

NAMES = ("<luna>", "<rex>")
PROMPTS = ["a photo of <luna> and <rex>"] * 4
"""One of each picture of the batch."""

WEIGHT = 0.01
"""Of the loss on the maps: Break-A-Scene's λ."""

Probability = tuple[Any, Tensor]
"""An attention layer, and its probabilities: (b heads) × x × n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a way of making a training step costs."""

    seconds: list[float]
    """Of each time."""
    kept: int
    """Bytes kept for the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A borrowed base with two concepts, and what they are learned from."""

    base: Base
    learning: list[Tensor]
    latents: Latent
    masks: Tensor
    resolution: int

    def plain(self) -> Scalar:
        """The loss of a step."""
        generator = torch.Generator().manual_seed(0)
        text = self.base.text(PROMPTS)
        return denoising(*self.base.guessed(self.latents, text, generator))

    def recorded(self) -> Scalar:
        """The same and a loss on the maps, recorded."""
        with recorded(self.base, [self.resolution]) as record:
            loss = self.plain()
        maps = record.maps(self.positions(), self.resolution)
        return loss + WEIGHT * localised(maps, self.masks)

    def everything(self) -> Scalar:
        """The same, the maps found in a store of all probabilities."""
        with storing(self.base) as store:
            loss = self.plain()
        maps = looked_up(store, self.positions(), self.resolution)
        return loss + WEIGHT * localised(maps, self.masks)

    def positions(self) -> Positions:
        """Where the concepts stand in the prompts."""
        return positions(self.base, PROMPTS, NAMES)

    def step(self, way: Callable[[], Scalar]) -> None:
        """The gradients of a loss, and their end."""
        way().backward()
        for tensor in self.learning:
            tensor.grad = None
        if self.base.device.type == "cuda":
            torch.cuda.synchronize()


def costs(base: Base, resolution: int, rounds: int) -> dict[str, Cost]:
    """What each way costs, in as many rounds after one to warm up."""
    with base.borrowed():
        bench = prepared(base, resolution)
        ways = {"plain": bench.plain, "recorded": bench.recorded, "everything": bench.everything}
        found = {name: Cost(seconds=[], kept=kept(way)) for name, way in ways.items()}
        for way in ways.values():
            bench.step(way)
        for _ in range(rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                bench.step(way)
                found[name].seconds.append(time.perf_counter() - began)
    return found


def prepared(base: Base, resolution: int) -> Bench:
    """Two concepts and a LoRA inside the borrowed base, and a batch of noise."""
    generator = torch.Generator().manual_seed(0)
    rows = tokens(base, {name.strip("<>"): None for name in NAMES}, 2, generator)
    adapter = lora(base, 16, ATTENTION, generator)
    latents = torch.randn(len(PROMPTS), *base.shape, generator=generator)
    shape = (len(PROMPTS), len(NAMES), resolution, resolution)
    masks = torch.rand(shape, generator=generator).round()
    return Bench(
        base=base,
        learning=[*rows.tensors.values(), *adapter.tensors.values()],
        latents=latents.to(base.device),
        masks=masks.to(base.device),
        resolution=resolution,
    )


def kept(way: Callable[[], Scalar]) -> int:
    """Bytes that a loss sets aside for its backward pass."""
    held: list[Tensor] = []  # all to the end, so that no address is used twice

    def hold(tensor: Tensor) -> Tensor:
        held.append(tensor)
        return tensor

    with saved_tensors_hooks(hold, lambda tensor: tensor):
        way()
    storages = [tensor.untyped_storage() for tensor in held]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


class Storing:
    """An attention processor that computes attention in the open and keeps its probabilities."""

    def __init__(self, store: list[Probability]) -> None:
        """Keep them in `store`."""
        self.store = store

    def __call__(
        self,
        layer: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: None = None,
    ) -> Tensor:
        """Attention as diffusers' own plain processor computes it."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        asked = (layer.to_q(hidden_states), layer.to_k(context), layer.to_v(context))
        query, key, value = (layer.head_to_batch_dim(tensor) for tensor in asked)
        probabilities = layer.get_attention_scores(query, key)
        self.store.append((layer, probabilities))
        return layer.to_out[0](layer.batch_to_head_dim(probabilities @ value))


@contextmanager
def storing(base: Base) -> Generator[list[Probability]]:
    """The probabilities of every attention layer, in the order of the passes in the block."""
    before = base.unet.attn_processors
    store: list[Probability] = []
    base.unet.set_attn_processor(Storing(store))
    try:
        yield store
    finally:
        base.unet.set_attn_processor(before)


def looked_up(store: list[Probability], positions: Positions, resolution: int) -> CrossMap:
    """The maps in a store of all probabilities."""
    own = [
        probabilities.unflatten(0, (-1, layer.heads)).mean(1)
        for layer, probabilities in store
        if layer.is_cross_attention and probabilities.shape[1] == resolution**2
    ]
    mean = torch.stack(own).mean(0).float()
    shares = positions.float() @ mean.transpose(-1, -2)
    return shares.unflatten(-1, (resolution, resolution))


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    quiet()
    base = Base.load(asked.base)
    base.precision = faster(base)
    found = costs(base, asked.resolution, asked.rounds)
    print(
        f"{asked.base}, maps at {asked.resolution}, batch {len(PROMPTS)}, {base.precision}, "
        f"{base.device.type}, {torch.get_num_threads()} threads, medians of {asked.rounds} rounds"
    )
    print(f"{'':12}{'seconds':>9}{'x plain':>9}{'MiB kept':>10}")
    once = median(found["plain"].seconds)
    for name, cost in found.items():
        seconds = median(cost.seconds)
        print(f"{name:12}{seconds:9.3f}{seconds / once:9.3f}{cost.kept / 2**20:10.1f}")


if __name__ == "__main__":
    main()
