"""The stage that trains the autoencoder, and the one that goes on with its decoder alone."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from groupshot.toybox.training import parts
from groupshot.toybox.training.album import Album, Drawn
from groupshot.toybox.training.labels import PART_WEIGHTS
from groupshot.toybox.training.loop import Rng, mixed_precision, noise_at, rng_at
from groupshot.toybox.training.recipe import Pace, Recipe
from groupshot.toybox.training.records import Array, Field
from groupshot.toybox.world import SIZE, draw, dream

SEED = 11
WHOLE_FROM = 0.75
"""Progress of the last call from which whole pictures take the place of crops."""
FIELDS = {
    "image": Field(shape=(SIZE, SIZE, 3), dtype="uint8"),
    "parts": Field(shape=(SIZE, SIZE), dtype="uint8"),
}


def page(seed: int) -> Drawn:
    """A drawing for the VAE: anyone but the casts, marks and all."""
    picture = draw(dream(rng_at(SEED, seed), population="marked"))
    return {"image": picture.image, "parts": picture.parts}


def fresh_vae(recipe: Recipe) -> AutoencoderKL:
    """An untrained autoencoder without attention."""
    n = len(recipe.vae_channels)
    levels: dict[str, Any] = {  # declared by diffusers as tuples of one
        "block_out_channels": recipe.vae_channels,
        "down_block_types": ("DownEncoderBlock2D",) * n,
        "up_block_types": ("UpDecoderBlock2D",) * n,
    }
    return AutoencoderKL(
        **levels,
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


class Autoencoding:
    """Reconstructs crops of drawings; `decoder_only` leaves the latents as they are."""

    def __init__(
        self, recipe: Recipe, model: AutoencoderKL, album: Album, out: Path, decoder_only: bool
    ) -> None:
        """`out` is the folder of finished parts."""
        self.name = "decoder" if decoder_only else "vae"
        self.recipe, self.album, self.out = recipe, album, out
        self.model = parts.channels_last(model)
        self.pace: Pace = recipe.vae
        self.decoder_only = decoder_only
        for half in parts.encoding(model):
            half.requires_grad_(not decoder_only)

    def losses(self, step: int, progress: float) -> dict[str, Tensor]:
        """Reconstruction (pixels and edges, eyes above all) and KL of the latents."""
        rng = rng_at(SEED, 1, step)
        pages = self.album.grow(self.pace.drawn_by(step))
        device = self.model.device
        images, codes = self.batch(rng, pages, whole=progress >= WHOLE_FROM)
        target, weight = pixels(images).to(device), emphasis(codes).to(device)
        with mixed_precision(device):
            mean, logvar = self.encoded(target)
            noise = torch.randn(mean.shape, generator=noise_at(SEED, 2, step)).to(device)
            drawn = parts.decoded(self.model, mean + noise * (0.5 * logvar).exp()).float()
        terms = reconstruction(drawn, target, weight)
        if self.decoder_only:
            return terms
        terms["anchor"] = self.recipe.anchor * adrift(mean, target)
        return {**terms, "kl": self.recipe.kl * divergence(mean, logvar)}

    def batch(self, rng: Rng, pages: int, whole: bool) -> tuple[Array, Array]:
        """Pictures and part maps: crops around something that was drawn, or whole pictures."""
        count = max(2, self.pace.batch // 4) if whole else self.pace.batch
        chosen = rng.integers(pages, size=count)
        images = self.album.records.read("image", chosen)
        codes = self.album.records.read("parts", chosen)
        if not whole:
            spots = [crop(rng, c, self.recipe.vae_crop) for c in codes]
            images = np.stack([i[spot] for i, spot in zip(images, spots, strict=True)])
            codes = np.stack([c[spot] for c, spot in zip(codes, spots, strict=True)])
        flip = rng.random() < 0.5
        return (images[:, :, ::-1], codes[:, :, ::-1]) if flip else (images, codes)

    def encoded(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latents."""
        with torch.set_grad_enabled(not self.decoder_only):
            held = parts.latents_of(self.model, target)
        return held.mean.float(), held.logvar.float()

    def publish(self, weights: dict[str, Tensor]) -> None:
        """Write the autoencoder; a newly trained one with each latent channel standardised."""
        model = parts.placed(fresh_vae(self.recipe), self.model.device)
        model.load_state_dict({**self.model.state_dict(), **weights})
        if not self.decoder_only:
            standardise(model, self.sample())
        model.save_pretrained(self.out / parts.VAE)

    def sample(self) -> Tensor:
        """Pictures to measure latents on."""
        count = min(256, len(self.album.records))
        return pixels(self.album.records.read("image", np.arange(count)))


def crop(rng: Rng, codes: Array, side: int) -> tuple[slice, slice]:
    """Where to cut: mostly around a random pixel of a character, sometimes anywhere."""
    limit = codes.shape[0] - side
    here = np.argwhere(codes > 0)
    y, x = rng.integers(limit + 1, size=2)
    if len(here) and rng.random() < 0.8:
        centre = here[rng.integers(len(here))] + rng.integers(-side // 4, side // 4 + 1, size=2)
        y, x = np.clip(centre - side // 2, 0, limit)
    return slice(int(y), int(y) + side), slice(int(x), int(x) + side)


def pixels(images: Array) -> Tensor:
    """uint8 [b, h, w, 3] as float32 [b, 3, h, w] from -1 to 1."""
    stack = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return (stack.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def emphasis(codes: Array) -> Tensor:
    """float32 [b, 1, h, w], mean 1: how much a pixel counts by its part; borders more."""
    weight = PART_WEIGHTS[codes].copy()
    weight[:, 1:] += codes[:, 1:] != codes[:, :-1]
    weight[:, :, 1:] += codes[:, :, 1:] != codes[:, :, :-1]
    return torch.from_numpy(weight / weight.mean())[:, None]


def reconstruction(drawn: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Weighted absolute and squared differences, and those of the slopes."""
    off = drawn - target
    dy, dx = off[:, :, 1:] - off[:, :, :-1], off[..., 1:] - off[..., :-1]
    slopes = (weight[:, :, 1:] * dy.abs()).mean() + (weight[..., 1:] * dx.abs()).mean()
    return {
        "l1": (weight * off.abs()).mean(),
        "l2": 0.5 * (weight * off.square()).mean(),
        "edges": 0.5 * slopes,
        "tint": F.avg_pool2d(off, 4).abs().mean(),
    }


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Mean KL divergence of the latents' numbers from a normal distribution."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def adrift(mean: Tensor, target: Tensor) -> Tensor:
    """How far the first three latent channels are from the picture, made as small as they are.

    Colours then need not be learned by encoder and decoder in step, and the U-Net gets latents
    that are a small picture first and its details after.
    """
    small = F.avg_pool2d(target, target.shape[-1] // mean.shape[-1])
    return (mean[:, :3] - 2 * small).square().mean()


@torch.no_grad()
def standardise(model: AutoencoderKL, images: Tensor) -> None:
    """Build each latent channel's mean and deviation into the 1x1 convolutions beside it.

    Stable Diffusion knows one factor for all channels and no shift; this way it needs neither.
    """
    device = next(model.parameters()).device
    means = [parts.latents_of(model, batch.to(device)).mode() for batch in images.split(32)]
    latents = torch.cat(means)
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    before, after = model.quant_conv, model.post_quant_conv
    assert isinstance(before, nn.Conv2d) and isinstance(after, nn.Conv2d)
    assert before.bias is not None and after.bias is not None
    after.bias += (after.weight[:, :, 0, 0] * mean).sum(1)
    after.weight *= std[None, :, None, None]
    before.weight /= torch.cat([std, torch.ones_like(std)])[:, None, None, None]
    n = len(std)
    before.bias[:n] = (before.bias[:n] - mean) / std
    before.bias[n:] -= 2 * std.log()
