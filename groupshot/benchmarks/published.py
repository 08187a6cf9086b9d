"""Bases of the published configurations, with random weights: what they cost, not what they draw.

Nothing is downloaded. The vocabulary is as large as CLIP's, but of it only letters are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from groupshot.base import Base, spared
from groupshot.base.known import KNOWN, Known
from groupshot.basefolder import Card

ENDS = ["<|startoftext|>", "<|endoftext|>"]
VOCABULARY = 49_408
"""Tokens of CLIP's vocabulary."""

VIT_L = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
VIT_H = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16)
BIG_G = dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20)

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"

FOUR: Mapping[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", CROSS_UP, CROSS_UP, CROSS_UP),
}
"""The U-Net of Stable Diffusion 1.x and 2.x."""

SECOND: Mapping[str, Any] = {
    **FOUR,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
"""That of 2.x."""

LARGE: Mapping[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", CROSS_DOWN, CROSS_DOWN),
    "up_block_types": (CROSS_UP, CROSS_UP, "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""That of XL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a model is made of, as its configuration says."""

    known: Known
    unet: Mapping[str, Any]
    text: Mapping[str, Any]
    act: str = "gelu"
    """The activation of its text encoder."""
    second: Mapping[str, Any] | None = None
    """Its second text encoder."""


PUBLISHED = {
    "sd15": Published(
        known=KNOWN["sd15"],
        unet={**FOUR, "cross_attention_dim": 768, "attention_head_dim": 8},
        text=VIT_L,
        act="quick_gelu",
    ),
    "sd21-base": Published(known=KNOWN["sd21-base"], unet=SECOND, text=VIT_H),
    "sd21": Published(known=KNOWN["sd21"], unet=SECOND, text=VIT_H),
    "sdxl": Published(known=KNOWN["sdxl"], unet=LARGE, text=VIT_L, act="quick_gelu", second=BIG_G),
}
"""Every base that can be measured, by its name on the command line."""


def networks(model: Published) -> dict[str, Any]:
    """The networks of a model by their names in a pipeline, drawn at random where torch draws."""
    shape: dict[str, Any] = {**model.unet, "sample_size": model.known.size // 8}
    made: dict[str, Any] = {
        "unet": UNet2DConditionModel(**shape),
        "vae": autoencoder(model.known.size),
        "text_encoder": CLIPTextModel(CLIPTextConfig(hidden_act=model.act, **model.text)),
    }
    if model.second is not None:
        config = CLIPTextConfig(hidden_act="gelu", projection_dim=1280, **model.second)
        made["text_encoder_2"] = CLIPTextModelWithProjection(config)
    return made


def autoencoder(size: int) -> AutoencoderKL:
    """The VAE that all of them have."""
    blocks: dict[str, Any] = {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    return AutoencoderKL(**blocks, layers_per_block=2, latent_channels=4, sample_size=size)


def letters() -> CLIPTokenizer:
    """A tokenizer as large as CLIP's that knows every letter, and fills up with nothing."""
    known = [each + end for end in ("", "</w>") for each in sorted(ByteLevel.alphabet())]
    filled = [f"<|{i}|>" for i in range(VOCABULARY - len(known) - len(ENDS))]
    vocabulary: Any = {entry: i for i, entry in enumerate([*known, *filled, *ENDS])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def scheduler(velocity: bool) -> DDIMScheduler:
    """The noise that all of them know."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction" if velocity else "epsilon",  # type: ignore[arg-type]
    )


def pipeline(model: Published) -> Any:
    """A model's pipeline."""
    made = networks(model)
    for net in made.values():
        net.requires_grad_(False).eval()
    parts: dict[str, Any] = {
        **made,
        "tokenizer": letters(),
        "scheduler": scheduler(model.known.velocity),
        "feature_extractor": None,
    }
    if model.second is not None:
        return StableDiffusionXLPipeline(**parts, tokenizer_2=letters())
    safety: dict[str, Any] = {"safety_checker": None, "requires_safety_checker": False}
    return StableDiffusionPipeline(**parts, **safety)


def published(name: str, device: str, precision: str, recompute: bool) -> Base:
    """One of PUBLISHED as a base on a device, frozen, its weights as `Base.load` leaves them."""
    pipe = spared(pipeline(PUBLISHED[name]), precision, recompute)
    return Base(pipe.to(device), Card(), name, precision)
