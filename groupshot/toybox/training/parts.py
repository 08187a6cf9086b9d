"""The finished parts of a base while it is trained: full-precision folders that stages read."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPVisionModelWithProjection

Network = TypeVar("Network", bound=nn.Module)

VAE, UNET, TEXT, VISION = "vae", "unet", "text_encoder", "image_encoder"
TOKENIZER, PROJECTION = "tokenizer", "text_projection"

SHIPPED = Path(__file__).parent.parent / "base"
"""Where the built-in base lies."""
KEPT = (".py", ".json", ".txt", ".safetensors")
"""Suffixes of files that make a difference."""


def vae_in(folder: Path) -> AutoencoderKL:
    """The autoencoder among the parts in `folder`."""
    return vae_at(folder / VAE)


def vae_at(folder: Path) -> AutoencoderKL:
    """The autoencoder that a folder holds."""
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32)


def unet_in(folder: Path) -> UNet2DConditionModel:
    """The U-Net among the parts in `folder`."""
    return UNet2DConditionModel.from_pretrained(folder / UNET, torch_dtype=torch.float32)


def text_in(folder: Path) -> CLIPTextModel:
    """The text encoder among the parts in `folder`."""
    return CLIPTextModel.from_pretrained(folder / TEXT, dtype=torch.float32)


def vision_in(folder: Path) -> CLIPVisionModelWithProjection:
    """The vision tower among the parts in `folder`."""
    return CLIPVisionModelWithProjection.from_pretrained(folder / VISION, dtype=torch.float32)


def projection_in(folder: Path) -> dict[str, Tensor]:
    """Text projection (`weight`, [projection, width]) and `logit_scale` (before exp)."""
    tensors = load_file(folder / PROJECTION / "model.safetensors")
    return {name: tensor.float() for name, tensor in tensors.items()}


def save_projection(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write text projection and logit scale beside the other parts."""
    (folder / PROJECTION).mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / PROJECTION / "model.safetensors")


def save_unet(folder: Path, unet: UNet2DConditionModel) -> None:
    """Put the U-Net in the place of the one before, whose shards and index would stay."""
    fresh, final = folder / f"{UNET}.new", folder / UNET
    unet.save_pretrained(fresh)
    shutil.rmtree(final, ignore_errors=True)
    fresh.rename(final)


def digest(folder: Path) -> str:
    """A short name for the exact files in a folder."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in KEPT):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:12]


def encoding(vae: AutoencoderKL) -> tuple[nn.Module, nn.Module]:
    """The two modules that make latents."""
    assert vae.quant_conv is not None
    return vae.encoder, vae.quant_conv


def latents_of(vae: AutoencoderKL, images: Tensor) -> DiagonalGaussianDistribution:
    """The distribution of the latents of images [b, 3, h, w]."""
    return vae.encode(images, return_dict=False)[0]


def decoded(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Images [b, 3, h, w] from latents."""
    return vae.decode(latents, return_dict=False)[0]  # pyright: ignore[reportArgumentType]


def placed(network: Network, device: torch.device) -> Network:
    """The network, moved to the device."""
    nn.Module.to(network, device)
    return network


def channels_last(network: Network) -> Network:
    """The network with the memory layout in which convolutions are fastest."""
    move: Any = nn.Module.to
    move(network, memory_format=torch.channels_last)
    return network


def weights_of(*modules: nn.Module) -> str:
    """A short name for the exact weights of some modules."""
    total = hashlib.sha256()
    for module in modules:
        for tensor in module.state_dict().values():
            total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:12]


def write_json(path: Path, value: object) -> None:
    """Write a value so that people can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")
