"""A LoRA as diffusers' own example scripts learn it: what our steps are measured against.

Each step encodes its pictures and its prompts, and moves the LoRA of the U-Net; with words (textual
inversion's script, and the advanced ones), also the whole embedding table, of which every row but
the new ones is put back. Precision as accelerate has it: frozen weights as they lie in memory,
autocast, what learns in full. Pictures are encoded as by our base: autocast, the mean without the
scripts' noise. No prior preservation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from groupshot.base import Base

CAPTION = "a photo of a cat"
NEW = 2
"""Rows at the end of the table that learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A training of a LoRA that has begun."""

    base: Base
    pictures: Tensor
    """What it learns: a batch, -1 to 1."""
    learning: list[Tensor]
    tables: dict[nn.Embedding, Tensor]
    """The embedding tables that learn, and what they were."""
    optimiser: Optimizer

    def step(self) -> float:
        """One step; the loss."""
        base = self.base
        latents = base.encoded(self.pictures)
        noise = torch.randn_like(latents)
        steps = base.schedule.config.num_train_timesteps
        times = torch.randint(steps, (len(latents),), device=latents.device)
        with torch.set_grad_enabled(bool(self.tables)):
            text = base.text([CAPTION] * len(latents))
        noisy = base.schedule.add_noise(latents, noise, times)
        target = base.target(latents, noise, times)
        loss = F.mse_loss(base.predicted(noisy, times, text).float(), target.float())
        loss.backward()
        nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.put_back()
        return loss.item()

    @torch.no_grad()
    def put_back(self) -> None:
        """All rows of the tables but the new ones as they were."""
        for table, before in self.tables.items():
            table.weight[:-NEW] = before[:-NEW]


def begun(base: Base, rank: int, modules: Sequence[str], batch: int, words: bool) -> Plain:
    """A training on a base that nobody else uses: it is not given back."""
    unet: Any = base.unet
    config = LoraConfig(
        r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(modules)
    )
    unet.add_adapter(config)
    learning: list[Tensor] = [weight for weight in unet.parameters() if weight.requires_grad]
    tables = [each.table for each in base.encoders] if words else []
    for table in tables:
        table.register_forward_hook(partial(cast, table.weight.dtype))
        learning.append(table.weight.requires_grad_(True))
    for weight in learning:
        weight.data = weight.data.float()
    return Plain(
        base=base,
        pictures=2 * torch.rand(batch, 3, base.size, base.size, device=base.device) - 1,
        learning=learning,
        tables={table: table.weight.detach().clone() for table in tables},
        optimiser=AdamW(learning, lr=1e-4),
    )


def cast(kind: torch.dtype, _: nn.Module, ids: Any, rows: Tensor) -> Tensor:
    """Rows of a table that learns in full, as the layers behind it are."""
    return rows.to(kind)
