"""A trained U-Net made deeper without a change of what it says (Net2Net, arXiv 1511.05641)."""

from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn

from groupshot.toybox.training.denoiser import fresh_unet
from groupshot.toybox.training.recipe import Recipe

LAYERS = ("resnets", "attentions")
"""Lists of layers in a block of a U-Net."""


def grown(old: UNet2DConditionModel, recipe: Recipe) -> UNet2DConditionModel:
    """A U-Net of the recipe's layers whose added ones do nothing yet; takes over `old`'s modules.

    Raises ValueError where `old` has other channels than the recipe, or more layers.
    """
    channels = tuple(old.config["block_out_channels"])
    if channels != recipe.unet_channels:
        raise ValueError(f"a U-Net of {channels} channels can't grow to {recipe.unet_channels}")
    new = fresh_unet(recipe)
    for name, module in old.named_children():
        if not isinstance(module, nn.ModuleList):
            setattr(new, name, module)
    for was, now in zip(old.down_blocks, new.down_blocks, strict=True):
        graft(was, now, ending=0)
    for was, now in zip(old.up_blocks, new.up_blocks, strict=True):
        graft(was, now, ending=1)
    return new


def graft(was: nn.Module, now: nn.Module, ending: int) -> None:
    """Put a block's layers into a deeper one, as many of them at its end as `ending`.

    The last layer of an up block takes what the level above hands over; all others between the
    first and the last, on either side, see one level's features and pass them on.
    """
    for name, module in was.named_children():
        if name not in LAYERS:
            setattr(now, name, module)
            continue
        kept: Any = module
        layers: Any = getattr(now, name)
        if len(kept) > len(layers):
            raise ValueError(f"a block of {len(kept)} layers can't grow to {len(layers)}")
        first = len(kept) - ending
        for i, layer in enumerate(layers):
            if i < first:
                layers[i] = kept[i]
            elif i >= len(layers) - ending:
                layers[i] = kept[i - len(layers)]
            else:
                silence(layer)


@torch.no_grad()
def silence(layer: Any) -> None:
    """Make an untrained layer pass on its input; of an up block's, the part from below."""
    residual = isinstance(layer, ResnetBlock2D)  # the others are transformers
    last: Any = layer.conv2 if residual else layer.proj_out  # what is added to the input
    shortcut: Any = layer.conv_shortcut if residual else None
    if shortcut is not None:
        nn.init.dirac_(shortcut.weight)
        nn.init.zeros_(shortcut.bias)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
