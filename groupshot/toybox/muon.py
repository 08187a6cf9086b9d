"""Muon: momentum with orthogonalised updates (Jordan et al., 2024), for matrices and filter banks.

`torch.optim.Muon` takes matrices only; the toybox's networks are mostly convolutions.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration, from https://kellerjordan.github.io/posts/muon/."""


def orthogonal(matrix: Tensor) -> Tensor:
    """Roughly the nearest semi-orthogonal matrix."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.mT if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(Optimizer):
    """Steps along the orthogonalised Nesterov momentum of each matrix."""

    def __init__(
        self, weights: list[nn.Parameter], lr: float, momentum: float = 0.9, decay: float = 0.02
    ) -> None:
        """The optimiser of these weights, each seen as a matrix with a row for each output."""
        super().__init__(weights, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.move(weight, weight.grad, group)

    def move(self, weight: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """One update of one weight."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(grad)
        state["momentum"].lerp_(grad, 1 - group["momentum"])
        ahead = grad.lerp(state["momentum"], group["momentum"])
        update = orthogonal(ahead.reshape(len(ahead), -1)).view(weight.shape)
        weight.mul_(1 - group["lr"] * group["decay"])
        tall = max(1.0, weight.shape[0] / weight[0].numel()) ** 0.5
        weight.add_(update, alpha=-group["lr"] * tall)
