"""What a VAE makes of pictures: through its latents and back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from groupshot.toybox.training import parts
from groupshot.toybox.training.autoencoder import pixels

Pictures = list[Image.Image]


def reencoding(folder: Path) -> Callable[[Tensor], Tensor]:
    """A function that sends [b, 3, h, w], from -1 to 1, through the VAE of a folder and back."""
    vae = parts.channels_last(parts.vae_at(folder)).eval().requires_grad_(False)

    def through(pictures: Tensor) -> Tensor:
        return parts.decoded(vae, parts.latents_of(vae, pictures).mode()).clamp(-1, 1)

    return through


def round_trip(folder: Path) -> Callable[[Pictures], Pictures]:
    """The same for pictures of one size."""
    through = reencoding(folder)

    def there_and_back(pictures: Pictures) -> Pictures:
        images = pixels(np.stack([np.asarray(p.convert("RGB")) for p in pictures]))
        whole = through(images).add(1).mul(127.5).round().byte()
        return [Image.fromarray(p) for p in whole.permute(0, 2, 3, 1).numpy()]

    return there_and_back
