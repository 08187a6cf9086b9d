"""Scenes to learn from: drawn in a process of their own, kept as shards of tensors on the disk."""

import os
from dataclasses import dataclass, fields
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from groupshot.toybox.reader.network import BACKGROUNDS, ORDERED, VALUES
from groupshot.toybox.world import Picture, Scene, draw, dream, touching
from groupshot.toybox.world.vocabulary import ATTRIBUTES, SIZE, STYLES

MOST = 10
"""Characters in a picture, at most."""

SHARD = 250
EMPTY_SHARE = 0.03
COUNTS = (0.22, 0.33, 0.18, 0.12, 0.03, 0.03, 0.03, 0.02, 0.02, 0.02)
"""Shares of pictures with 1, 2, … 10 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Pictures with the answers, as uint8 and int8 tensors of one length."""

    images: Tensor
    """[n, 128, 128, 3]."""
    owners: Tensor
    """[n, 128, 128]: 0, or 1 + the index of the character a pixel shows."""
    parts: Tensor
    """[n, 128, 128]."""
    traits: Tensor
    """[n, 10, 7]: indices into VALUES; -1 where there is no character."""
    bonds: Tensor
    """[n, 10, 10]: indices into ORDERED for every ordered pair."""
    scene: Tensor
    """[n, 2]: indices of background and style."""

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self, rows: Tensor) -> "Examples":
        """The examples at `rows`."""
        return Examples(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def traits_of(scene: Scene) -> Tensor:
    """Every character's attributes as indices into VALUES, [10, 7], -1 beyond the last."""
    told = torch.full((MOST, len(ATTRIBUTES)), -1, dtype=torch.int8)
    for i, placed in enumerate(scene.characters):
        for j, (name, values) in enumerate(VALUES.items()):
            told[i, j] = values.index(getattr(placed.identity, name))
    return told


def bonds_of(scene: Scene) -> Tensor:
    """Every ordered pair's relation as an index into ORDERED, [10, 10]."""
    told = torch.zeros(MOST, MOST, dtype=torch.int8)
    for bond in scene.bonds:
        ways = [i for i, (relation, _) in enumerate(ORDERED) if relation == bond.relation]
        told[bond.first, bond.second] = ways[0]
        told[bond.second, bond.first] = ways[-1]
    return told


def examples(pictures: list[Picture]) -> Examples:
    """Pictures and their scenes as tensors."""
    scenes = [p.scene for p in pictures]
    settings = [[BACKGROUNDS.index(s.background), STYLES.index(s.style)] for s in scenes]
    return Examples(
        images=torch.from_numpy(np.stack([p.image for p in pictures])),
        owners=torch.from_numpy(np.stack([p.owners for p in pictures])),
        parts=torch.from_numpy(np.stack([p.parts for p in pictures])),
        traits=torch.stack([traits_of(s) for s in scenes]),
        bonds=torch.stack([bonds_of(s) for s in scenes]),
        scene=torch.tensor(settings, dtype=torch.int8),
    )


def dreamt(seed: int, number: int) -> Scene:
    """Training scene `number` of a seed; measuring uses other streams (see `measuring`)."""
    rng = np.random.default_rng([1, seed, number])
    population = "marked" if rng.random() < 0.8 else "nameable"
    count = int(rng.choice(MOST, p=COUNTS)) + 1
    scene = dream(rng, population=population, count=count, relation=touching(rng, count))
    if rng.random() >= EMPTY_SHARE:
        return scene
    return Scene(
        style=scene.style,
        background=scene.background,
        background_seed=scene.background_seed,
        characters=(),
    )


def draw_shards(folder: Path, seed: int, shards: int) -> None:
    """Fills a folder with shards of SHARD examples each, leaving alone those that are there."""
    os.nice(5)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(shards):
        path = folder / f"{number:04d}.safetensors"
        if path.exists():
            continue
        drawn = examples([draw(dreamt(seed, number * SHARD + i)) for i in range(SHARD)])
        fresh = path.with_suffix(".new")
        save_file({f.name: getattr(drawn, f.name) for f in fields(drawn)}, fresh)
        fresh.rename(path)


def drawing(folder: Path, seed: int, shards: int) -> BaseProcess:
    """A started process that draws shards while its parent lives."""
    process = get_context("spawn").Process(
        target=draw_shards, args=(folder, seed, shards), daemon=True
    )
    process.start()
    return process


class Album:
    """The examples drawn so far, in memory; grows as shards appear in its folder."""

    def __init__(self, folder: Path, shards: int) -> None:
        self.folder, self.loaded, room = folder, 0, shards * SHARD
        plane = (room, SIZE, SIZE)
        self.room = Examples(
            images=torch.empty((*plane, 3), dtype=torch.uint8),
            owners=torch.empty(plane, dtype=torch.uint8),
            parts=torch.empty(plane, dtype=torch.uint8),
            traits=torch.empty((room, MOST, len(ATTRIBUTES)), dtype=torch.int8),
            bonds=torch.empty((room, MOST, MOST), dtype=torch.int8),
            scene=torch.empty((room, 2), dtype=torch.int8),
        )

    def __len__(self) -> int:
        return self.loaded * SHARD

    def grow(self) -> None:
        """Takes in the shards that have come since."""
        while (path := self.folder / f"{self.loaded:04d}.safetensors").exists():
            start = len(self)
            if start == len(self.room):
                return
            for name, tensor in load_file(path).items():
                getattr(self.room, name)[start : start + SHARD] = tensor
            self.loaded += 1
