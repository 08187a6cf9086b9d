"""The stages that predict noise on latents of a fixed VAE: of the U-Net, and of how it reads."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from groupshot.toybox.training import labels, parts
from groupshot.toybox.training.album import Album, Drawn
from groupshot.toybox.training.autoencoder import pixels
from groupshot.toybox.training.hints import Hinted
from groupshot.toybox.training.loop import Rng, mixed_precision, noise_at, rng_at
from groupshot.toybox.training.recipe import Pace, Recipe
from groupshot.toybox.training.records import Array, Field
from groupshot.toybox.training.tokens import LENGTH
from groupshot.toybox.world import PARTS, Scene, caption, draw, dream, mirrored, touching

SEED = 37
COUNTS = (0.3, 0.5, 0.15)
"""Share of scenes with one, two and three characters; the rest is as the world dreams."""
CLEAN = 5.0
"""SNR + 1 from which a timestep counts less: there little is left to be learned."""
CLEARER, OFTEN = 0.65, 0.85
"""Share of the schedule, its clearer part, that so large a share of the timesteps is drawn from.

There characters are made out, and spoilt (`python -m groupshot.benchmarks.spoiled`): a base that
had seen 745,000 pictures at all timesteps alike kept 31 and 28 % of drawings of two wholly right
from t = 300 of 1,000 on, 16 and 6 % from t = 500; 75,000 more pictures, most of them there, made
that 44 and 38 %, 25 and 19 %.
"""


def scene_at(seed: int) -> Scene:
    """The scene on page `seed` of the album."""
    rng = rng_at(SEED, seed)
    n = int(rng.choice(4, p=(*COUNTS, 1 - sum(COUNTS)))) + 1
    count = n if n < 4 else int(rng.integers(4, 11))
    return dream(rng, population="nameable", count=count, relation=touching(rng, count))


def page(seed: int) -> Drawn:
    """A drawing with its answers."""
    picture = draw(scene_at(seed))
    return {"image": picture.image, "owners": picture.owners, "parts": picture.parts}


class Encode(NamedTuple):
    """Turns drawings into latents of the picture and its mirror image, and coarse answers."""

    vae: AutoencoderKL
    shrink: int

    def fields(self, channels: int, side: int) -> dict[str, Field]:
        """What is kept of a drawing."""
        small = Field(shape=(side, side), dtype="uint8")
        latents = Field(shape=(2, channels, side, side), dtype="float16")
        return {"latents": latents, "owners": small, "parts": small}

    @torch.no_grad()
    def __call__(self, drawn: Drawn) -> Drawn:
        """Latents float16 [b, 2, c, h, w]; owners and parts at the middle of each latent."""
        images = pixels(np.concatenate([drawn["image"], drawn["image"][:, :, ::-1]]))
        with mixed_precision(self.vae.device):
            latents = parts.latents_of(self.vae, images.to(self.vae.device)).mode()
        both = torch.stack(latents.float().cpu().chunk(2), 1).numpy()
        small = {
            k: drawn[k][:, self.shrink // 2 :: self.shrink, self.shrink // 2 :: self.shrink]
            for k in ("owners", "parts")
        }
        return {"latents": both, **small}


class Batch(NamedTuple):
    """Latents [b, c, h, w] with captions and labels [b, h, w]."""

    latents: Tensor
    captions: list[str]
    labels: dict[str, Array]


def fresh_unet(recipe: Recipe) -> UNet2DConditionModel:
    """An untrained U-Net with cross-attention at all but its finest level."""
    inner = len(recipe.unet_channels) - 1
    # diffusers types tuples as of one number, and reads the dimension, historically, as how many.
    layers: Any = recipe.unet_layers
    heads: Any = tuple(c // recipe.head_width for c in recipe.unet_channels)
    return UNet2DConditionModel(
        sample_size=recipe.latent,
        in_channels=recipe.latent_channels,
        out_channels=recipe.latent_channels,
        block_out_channels=recipe.unet_channels,
        layers_per_block=layers,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * inner),
        up_block_types=(*("CrossAttnUpBlock2D",) * inner, "UpBlock2D"),
        cross_attention_dim=recipe.width,
        norm_num_groups=recipe.groups,
        attention_head_dim=heads,
    )


def noise_schedule() -> DDIMScheduler:
    """The noise of training: velocity, and no signal at all in the noisiest step."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=True,
    )


class Reading(NamedTuple):
    """What captions are read with."""

    tokenizer: CLIPTokenizer
    text: CLIPTextModel


class Denoising:
    """Predicts velocities of noisy latents from captions."""

    def __init__(
        self,
        recipe: Recipe,
        unet: UNet2DConditionModel,
        reading: Reading,
        album: Album,
        out: Path,
        reading_only: bool = False,
    ) -> None:
        """`out` is the folder of finished parts.

        The text encoder learns where `reading_only` is asked for, and of the U-Net nothing but the
        maps that its states go through.
        """
        if unet.device.type == "cpu":
            unet.set_attn_processor(AttnProcessor())
        self.unet = unet
        self.model = parts.channels_last(Hinted(unet, reading.text, recipe).to(unet.device))
        self.recipe, self.reading, self.album, self.out = recipe, reading, album, out
        self.name = "reading" if reading_only else "unet"
        self.reading_only = reading_only
        self.model.requires_grad_(False)
        readers = (reading.text, *ways_in(unet))
        for module in readers if reading_only else (unet, self.model.hints):
            module.requires_grad_(True)
        self.pace: Pace = recipe.reading if reading_only else recipe.unet
        self.schedule = noise_schedule()

    def losses(self, step: int, progress: float) -> dict[str, Tensor]:
        """The velocity's weighted error, and the hints to the U-Net."""
        pages = self.album.grow(self.pace.drawn_by(step))
        batch = self.batch(rng_at(SEED, 1, step), pages)
        generator = noise_at(SEED, 2, step)
        noise = torch.randn(batch.latents.shape, generator=generator)
        often = CLEARER if self.reading_only else OFTEN
        t = timesteps(len(noise), len(self.schedule.betas), generator, often)
        velocity = self.errors(batch, noise, t).mean()
        if self.reading_only:
            return {"velocity": velocity}
        device = self.unet.device
        told = {k: torch.from_numpy(v).to(device) for k, v in batch.labels.items()}
        with mixed_precision(device):
            hints = self.model.hints(told, self.schedule.alphas_cumprod[t].to(device).sqrt())
        return {"velocity": velocity, "hints": self.recipe.hints * hints}

    def errors(self, batch: Batch, noise: Tensor, t: Tensor) -> Tensor:
        """Squared errors of the velocity, [b, c, h, w], weighted by place and by timestep [b]."""
        device = self.unet.device
        times: Any = t  # declared as a class that nobody makes
        noisy = self.schedule.add_noise(batch.latents, noise, times)
        aim = self.schedule.get_velocity(batch.latents, noise, times).to(device)
        where = emphasis(torch.from_numpy(batch.labels["part"])).to(device)
        signal = self.schedule.alphas_cumprod[t].to(device)
        with mixed_precision(device):
            said = self.said(batch.captions)
            noisy = noisy.to(device, memory_format=torch.channels_last)
            guess = self.unet(noisy, t.to(device), said, return_dict=False)[0].float()
        ease = (CLEAN * (1 - signal)).clamp(max=1)[:, None, None, None]
        return (guess - aim).square() * where * ease

    def batch(self, rng: Rng, pages: int) -> Batch:
        """Scenes as drawn or mirrored, with captions of any degree, some of them blank."""
        records = self.album.records
        chosen = rng.integers(pages, size=self.pace.batch)
        turned = rng.integers(2, size=self.pace.batch)
        both = records.read("latents", chosen)
        owners, codes = records.read("owners", chosen), records.read("parts", chosen)
        scenes = [scene_at(self.album.first + int(i)) for i in chosen]
        told = {"part": codes.astype(np.int64), **labels.places(scenes, owners)}
        latents = torch.from_numpy(both[np.arange(len(both)), turned].astype(np.float32))
        said: list[str] = []
        for row, (scene, other) in enumerate(zip(scenes, turned, strict=True)):
            if other:
                for values in told.values():
                    values[row] = values[row, :, ::-1].copy()
            blank = rng.random() < self.recipe.blank
            said.append("" if blank else caption(mirrored(scene) if other else scene, rng))
        return Batch(latents, said, told)

    def said(self, captions: list[str]) -> Tensor:
        """The text encoder's states, padded as the pipeline pads."""
        found = self.reading.tokenizer(
            captions, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        return self.reading.text(found["input_ids"].to(self.unet.device)).last_hidden_state

    def publish(self, weights: dict[str, Tensor]) -> None:
        """Write the U-Net, and the text encoder if it has learned."""
        self.model.load_state_dict({**self.model.state_dict(), **weights})
        parts.save_unet(self.out, self.unet)
        if self.reading_only:
            self.reading.text.save_pretrained(self.out / parts.TEXT)


def ways_in(unet: UNet2DConditionModel) -> list[torch.nn.Module]:
    """The maps from a text encoder's states to keys and values."""
    ends = ("attn2.to_k", "attn2.to_v")
    return [module for name, module in unet.named_modules() if name.endswith(ends)]


def timesteps(
    count: int, schedule: int, generator: torch.Generator, often: float = OFTEN
) -> Tensor:
    """int64 [count] below `schedule`, spread so that one batch sees every degree of noise.

    The share `often` of them is in the clearer part of the schedule.
    """
    even = torch.randperm(count, generator=generator)
    share = (even + torch.rand(count, generator=generator)) / count
    clear = share * CLEARER / often
    rest = CLEARER + (share - often) * (1 - CLEARER) / (1 - often)
    return (torch.where(share < often, clear, rest) * schedule).long()


def emphasis(codes: Tensor) -> Tensor:
    """float32 [b, 1, h, w], mean 1: characters count more than scenery, their faces most."""
    table = torch.from_numpy(labels.PART_WEIGHTS).sqrt()
    table[PARTS.index("nothing")] **= 2
    weight = table[codes][:, None]
    return weight / weight.mean()
