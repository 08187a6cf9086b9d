"""What a plan computes between its stages: made once, then read back from the run's folder."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from groupshot.files import load_tensors, save_tensors
from groupshot.team import ALONE, Team

Kept = dict[str, Tensor]
"""A value that can be kept: tensors by name."""


def seeded(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator of its own for every (seed, names), whatever was drawn elsewhere."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class Keep:
    """`keep(name, make)` gives what `make` gave the first time, also after an interruption."""

    def __init__(self, folder: Path, seed: int, team: Team = ALONE) -> None:
        """Keep values as `folder`/NAME.safetensors; draw them from generators under `seed`.

        The leader of a team makes what all of it reads.
        """
        self.folder = folder
        self.seed = seed
        self.team = team
        self.names: set[str] = set()

    def __call__(self, name: str, make: Callable[[torch.Generator], Kept]) -> Kept:
        """`make(generator)`, on the CPU; each name may be kept once in a plan."""
        generator = self.seeded(name)
        file = self.folder / f"{name}.safetensors"
        if self.team.leads and not file.is_file():
            save_tensors(file, make(generator))
        self.team.agree()
        kept = load_tensors(file)[0]
        self.team.agree()  # or a leader that fails next would remove what others still read
        return kept

    def seeded(self, name: str) -> torch.Generator:
        """The generator of `name`, so that a value read back shifts no other draw."""
        if name in self.names:
            raise ValueError(f"{name!r} is drawn twice in one plan")
        self.names.add(name)
        return seeded(self.seed, name)
