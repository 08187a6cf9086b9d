"""Growing a trained U-Net: nothing changes at first, everything can be learned after."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from groupshot.toybox.training.denoiser import fresh_unet
from groupshot.toybox.training.growth import grown
from groupshot.toybox.training.recipe import TINY

LATENTS = torch.linspace(-1, 1, 2 * 6 * 32 * 32).reshape(2, 6, 32, 32).sin()
STATES = torch.linspace(-1, 1, 2 * 5 * 32).reshape(2, 5, 32).cos()


def said(unet: UNet2DConditionModel) -> Tensor:
    """What the U-Net answers to some latents and a caption's states."""
    return unet(LATENTS, torch.tensor([10, 800]), STATES, return_dict=False)[0]


@pytest.mark.parametrize("layers", [(1, 1, 1), (2, 2, 1), (1, 3, 2)])
def test_a_deeper_unet_says_the_same(layers: tuple[int, ...]) -> None:
    old = fresh_unet(TINY)
    recipe = replace(TINY, unet_layers=layers)
    with torch.no_grad():
        before = said(old)
        once = said(new := grown(old, recipe))
        again = said(grown(new, replace(TINY, unet_layers=(3, 3, 3))))
    shapes = {name: w.shape for name, w in fresh_unet(recipe).state_dict().items()}
    assert {name: w.shape for name, w in new.state_dict().items()} == shapes
    assert torch.equal(before, once)
    assert torch.equal(before, again)


def test_every_added_layer_can_learn() -> None:
    old = fresh_unet(TINY)
    new = grown(old, replace(TINY, unet_layers=(2, 2, 2)))
    known = {id(p) for p in old.parameters()}
    added = [p for p in new.parameters() if id(p) not in known]
    rate = torch.optim.SGD(added, 0.1)
    for _ in range(2):  # what is behind a zero learns nothing in the first step
        said(new).square().mean().backward()
        rate.step()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in added)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"unet_channels": (16, 32, 48)}, "channels can't grow"),
        ({"unet_layers": (1, 1, 1)}, "a block of 2 layers can't grow to 1"),
    ],
)
def test_a_unet_only_gets_deeper(change: dict[str, tuple[int, ...]], problem: str) -> None:
    old = fresh_unet(replace(TINY, unet_layers=(2, 1, 1)))
    with pytest.raises(ValueError, match=problem):
        grown(old, replace(TINY, **change))
