"""Muon: momentum with orthogonalised updates (Jordan et al., 2024), for matrices and filter banks.

`torch.optim.Muon` takes matrices only; the toybox's networks are mostly convolutions.
"""

from collections.abc import Callable, Sequence

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


Work = Callable[[Tensor], Tensor]
Spread = Callable[[Sequence[Tensor], Work], list[Tensor]]
"""Applies the work to each matrix, in this process or in several."""


def here(matrices: Sequence[Tensor], work: Work) -> list[Tensor]:
    """Apply the work to each, in this process."""
    return [work(matrix) for matrix in matrices]


class Muon(Optimizer):
    """Steps along the orthogonalised Nesterov momentum of each matrix."""

    def __init__(
        self,
        weights: list[nn.Parameter],
        lr: float,
        momentum: float = 0.9,
        decay: float = 0.02,
        spread: Spread = here,
    ) -> None:
        """The optimiser of these weights, each seen as a matrix with a row for each output."""
        super().__init__(weights, {"lr": lr, "momentum": momentum, "decay": decay})
        self.spread = spread

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every weight that has a gradient."""
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            ahead = [self.ahead(p, p.grad, group["momentum"]) for p in weights]
            for weight, update in zip(weights, self.spread(ahead, orthogonal), strict=True):
                weight.mul_(1 - group["lr"] * group["decay"])
                tall = max(1.0, len(update) / update.shape[1]) ** 0.5
                weight.add_(update.view(weight.shape), alpha=-group["lr"] * tall)

    def ahead(self, weight: Tensor, grad: Tensor, momentum: float) -> Tensor:
        """The weight's Nesterov momentum as a matrix, after taking in the gradient."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(grad)
        state["momentum"].lerp_(grad, 1 - momentum)
        return grad.lerp(state["momentum"], momentum).reshape(len(grad), -1)
