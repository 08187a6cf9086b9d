"""Checkpoint: all that a run needs to go on as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from groupshot.files import load_tensors, save_tensors
from groupshot.weights import Part, filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a run has come: so many steps of a stage, after all stages before it."""

    stage: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A place, and every tensor there: weights PART/NAME, their moments PART/NAME/MOMENT."""

    place: Place
    tensors: dict[str, Tensor]

    @classmethod
    def load(cls, file: Path) -> "Checkpoint":
        """Read the file; the beginning of a run if there is none."""
        if not file.is_file():
            return cls(place=Place(), tensors={})
        tensors, note = load_tensors(file)
        return cls(place=Place(**note), tensors=tensors)

    def resumed(self, part: Part, optimiser: Optimizer) -> None:
        """Set a part and its optimiser to what they were, if they were there at all."""
        own = {k: f"{part.name}/{k}" for k in part.tensors}
        if not set(own.values()) <= self.tensors.keys():
            return
        filled(part, {k: self.tensors[key] for k, key in own.items()})
        for name, tensor in part.tensors.items():
            head = f"{own[name]}/"
            moments = {
                k.removeprefix(head): t for k, t in self.tensors.items() if k.startswith(head)
            }
            if moments:
                optimiser.state[tensor] = {k: at_home(t, tensor) for k, t in moments.items()}


def at_home(moment: Tensor, weight: Tensor) -> Tensor | int:
    """An optimiser's value where it is kept: the count on the CPU, moments by the weight.

    AdamW counts in a tensor; in 8 bits it counts in whole numbers. What has the weight's shape lies
    in memory as the weight does, channels last or not: 8 bits are read there without their strides.
    """
    if moment.ndim == 0 and not moment.is_floating_point():
        return int(moment)
    if moment.ndim == 0:
        return moment.clone()
    if moment.shape == weight.shape:
        return torch.empty_like(weight, dtype=moment.dtype, requires_grad=False).copy_(moment)
    return moment.to(weight.device, copy=True)


def save(file: Path, place: Place, learners: Mapping[Part, Optimizer]) -> None:
    """Write a checkpoint in one piece."""
    tensors: dict[str, Tensor] = {}
    for part, optimiser in learners.items():
        for name, tensor in part.tensors.items():
            tensors[f"{part.name}/{name}"] = tensor
            for moment, value in optimiser.state.get(tensor, {}).items():
                tensors[f"{part.name}/{name}/{moment}"] = torch.as_tensor(value)
    save_tensors(file, tensors, asdict(place))
