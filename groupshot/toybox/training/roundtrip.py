"""What a VAE makes of pictures: through its latents and back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image

Pictures = list[Image.Image]


def round_trip(folder: Path) -> Callable[[Pictures], Pictures]:
    """A function that sends pictures of one size through the VAE of a folder and back."""
    vae = AutoencoderKL.from_pretrained(folder).eval()

    @torch.no_grad()
    def through(pictures: Pictures) -> Pictures:
        stacked = torch.from_numpy(np.stack([np.asarray(p.convert("RGB")) for p in pictures]))
        x = stacked.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = vae.encode(x, return_dict=False)[0].mode()
        back = vae.decode(latents, return_dict=False)[0]  # pyright: ignore[reportArgumentType]
        whole = back.clamp(-1, 1).add(1).mul(127.5).round().byte()
        return [Image.fromarray(p) for p in whole.permute(0, 2, 3, 1).numpy()]

    return through
