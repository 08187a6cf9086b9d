"""Auxiliary heads that make a U-Net's features name what is drawn where; they never ship."""

from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from groupshot.toybox.training.labels import ABSENT, WORN
from groupshot.toybox.training.recipe import Recipe
from groupshot.toybox.world import PARTS

HEADS = {"part": len(PARTS), **{name: len(values) for name, values in WORN.items()}}


class Hints(nn.Module):
    """Names part and attributes at every latent from the features before the last up block.

    The caption must be read and the layout understood for it: a signal that is denser than the
    noise's (the idea of REPA, arXiv 2410.06940, with the world's exact answers as the teacher).
    """

    def __init__(self, unet: UNet2DConditionModel, recipe: Recipe) -> None:
        """Watches `unet`'s last but one up block."""
        super().__init__()
        width = recipe.unet_channels[1]
        self.norm = nn.GroupNorm(recipe.groups, width)
        self.head = nn.Conv2d(width, sum(HEADS.values()), 1)
        nn.init.zeros_(self.head.weight)  # a trained U-Net is not pulled by what knows nothing yet
        self.seen: Tensor | None = None
        unet.up_blocks[-2].register_forward_hook(self.watch)

    def watch(self, module: nn.Module, inputs: Any, features: Tensor) -> None:
        """Keep the features of the last forward pass."""
        self.seen = features

    def forward(self, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Mean cross-entropy of the labels, int64 [b, h, w] each, weighted by picture."""
        assert self.seen is not None
        logits = self.head(F.silu(self.norm(self.seen))).float()
        self.seen = None
        terms: list[Tensor] = []
        for name, one in zip(HEADS, logits.split(list(HEADS.values()), dim=1), strict=True):
            loss = F.cross_entropy(one, labels[name], ignore_index=ABSENT, reduction="none")
            valid = (labels[name] != ABSENT).float() * weight[:, None, None]
            terms.append((loss * valid).sum() / valid.sum().clamp(min=1e-6))
        return torch.stack(terms).mean()


class Hinted(nn.Module):
    """A U-Net with its text encoder and its hints."""

    def __init__(self, unet: UNet2DConditionModel, text: CLIPTextModel, recipe: Recipe) -> None:
        """The hints hang on the U-Net by a hook."""
        super().__init__()
        self.unet, self.text, self.hints = unet, text, Hints(unet, recipe)
