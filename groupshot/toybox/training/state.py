"""Checkpoints of a stage: weights, moving average, optimiser and step in one safetensors file."""

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW

from groupshot.toybox.muon import Muon, Spread, here

SLOWER = 20
"""How many times smaller AdamW's learning rate is than Muon's."""
SMALL = 16
"""Sides from which a weight counts as a matrix."""


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether the weight is Muon's: a filter bank or a linear map, no embedding, nothing thin."""
    return (
        weight.ndim in (2, 4)
        and "embedding" not in name
        and min(len(weight), weight[0].numel()) >= SMALL
    )


class Trainee:
    """A network with its optimisers, its moving average and the number of steps it has taken."""

    def __init__(self, model: nn.Module, ema: float, spread: Spread = here) -> None:
        """Only parameters that require gradients are trained, averaged and kept."""
        known = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.names, self.parameters = [name for name, _ in known], [p for _, p in known]
        banks = [p for name, p in known if is_matrix(name, p)]
        rest = [p for name, p in known if not is_matrix(name, p)]
        self.muon = Muon(banks, lr=0.0, spread=spread)
        self.adam = AdamW(rest, lr=0.0, weight_decay=0.0, betas=(0.9, 0.99), fused=True)
        self.average = [p.detach().clone() for p in self.parameters]
        self.ema = ema
        self.step = 0
        self.seconds = 0.0

    def update(self, rate: float) -> None:
        """One optimiser step with the gradients at hand, and the moving average after it."""
        nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        for optimiser, own in ((self.muon, rate), (self.adam, rate / SLOWER)):
            for group in optimiser.param_groups:
                group["lr"] = own
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        keep = min(self.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, p in zip(self.average, self.parameters, strict=True):
                mean.lerp_(p, 1 - keep)
        self.step += 1

    def averaged(self) -> dict[str, Tensor]:
        """The moving average by parameter name."""
        copies = [mean.detach().clone() for mean in self.average]
        return dict(zip(self.names, copies, strict=True))

    def save(self, path: Path) -> None:
        """Write everything that going on needs; a kill at any moment leaves the old file whole."""
        tensors = dict(self.entries())
        facts = {"step": self.step, "seconds": round(self.seconds, 1)}
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        save_file(tensors, fresh, {"facts": json.dumps(facts)})
        os.replace(fresh, path)
        path.with_suffix(".json").write_text(json.dumps(facts) + "\n")

    def entries(self) -> list[tuple[str, Tensor]]:
        """What a checkpoint holds, by name."""
        found: list[tuple[str, Tensor]] = []
        for name, p, mean in zip(self.names, self.parameters, self.average, strict=True):
            found += [
                (f"weight.{name}", p.detach().contiguous()),
                (f"average.{name}", mean.contiguous()),
            ]
            found += [(f"{k}.{name}", v.contiguous()) for k, v in self.moments(p).items()]
        return found

    def moments(self, p: nn.Parameter) -> dict[str, Tensor]:
        """What an optimiser remembers of a parameter."""
        return {**self.muon.state.get(p, {}), **self.adam.state.get(p, {})}

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            self.step, self.seconds = facts["step"], facts["seconds"]
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        kinds = ("momentum", "exp_avg", "exp_avg_sq", "step")
        for name, p, mean in zip(self.names, self.parameters, self.average, strict=True):
            with torch.no_grad():
                p.copy_(tensors[f"weight.{name}"])
                mean.copy_(tensors[f"average.{name}"])
            held = {k: tensors[f"{k}.{name}"] for k in kinds if f"{k}.{name}" in tensors}
            if "momentum" in held:
                self.muon.state[p] = {"momentum": like(p, held["momentum"])}
            elif "step" in held:
                pair = {k: like(p, held[k]) for k in kinds[1:3]}
                self.adam.state[p] = {**pair, "step": held["step"]}


def like(p: Tensor, values: Tensor) -> Tensor:
    """The values with the memory layout and device of `p`."""
    return torch.empty_like(p).copy_(values)
