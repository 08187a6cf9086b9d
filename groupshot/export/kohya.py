"""A LoRA in the names of kohya's sd-scripts, which ComfyUI and A1111 read too."""

from collections.abc import Mapping

import torch
from torch import Tensor

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.export.factors import Factors

PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te"}
"""What stands for a network of Stable Diffusion 1.x and 2.x."""

XL_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}
"""What stands for a network of Stable Diffusion XL."""


def tensors(base: Base, found: Mapping[str, Factors]) -> dict[str, Tensor]:
    """A file's tensors: LAYER.lora_down.weight, LAYER.lora_up.weight and LAYER.alpha.

    One alpha serves all layers, and `up` makes up for it: diffusers' converter gives a text encoder
    whose alphas differ wrong ones.
    """
    made: dict[str, Tensor] = {}
    for layer, own in found.items():
        name = called(base, layer)
        made[f"{name}.lora_down.weight"] = own.down
        made[f"{name}.lora_up.weight"] = own.up * (own.rank / alpha(found))
        made[f"{name}.alpha"] = torch.tensor(float(alpha(found)))
    return made


def alpha(found: Mapping[str, Factors]) -> int:
    """The largest rank."""
    return max((own.rank for own in found.values()), default=0)


def called(base: Base, layer: str) -> str:
    """A layer's name; a UserError where the U-Net of XL has none that is known here."""
    net, _, name = layer.partition(".")
    if len(base.encoders) == 1:
        return f"{PREFIXES[net]}_{name.replace('.', '_')}"
    if net == "unet":
        name = counted(name, base.unet.config.layers_per_block)
    return f"{XL_PREFIXES[net]}_{name.replace('.', '_')}"


def counted(name: str, layers: int) -> str:
    """A layer of XL's U-Net as Stability counts its blocks: "output_blocks.3.1.proj_in".

    `layers` is how many there are in one of diffusers' blocks, beside what halves or doubles.
    """
    match name.split("."):
        case ["mid_block", "attentions", "0", *rest]:
            return ".".join(["middle_block.1", *rest])
        case ["down_blocks", i, "attentions", j, *rest]:
            place = int(i) * (layers + 1) + int(j) + 1  # number 0 is conv_in
            return ".".join([f"input_blocks.{place}.1", *rest])
        case ["up_blocks", i, "attentions", j, *rest]:
            place = int(i) * (layers + 1) + int(j)
            return ".".join([f"output_blocks.{place}.1", *rest])
        case _:
            raise UserError(
                f"What kohya calls {name} in Stable Diffusion XL is not known here: "
                "use --format diffusers."
            )
