"""A Stable Diffusion pipeline of a few thousand random weights, in the ordinary folder format."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from groupshot.benchmarks import published

SPACINGS = ("leading", "trailing")

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORDS = ("a", "photo", "picture", "of", "and", "cat", "dog", "beach", "hat", "the", "with")


def save_miniature(folder: Path, prediction: str = "epsilon", seed: int = 0) -> Path:
    """Save a new Stable Diffusion 1.x of 16 x 16 pixels; the same seed gives the same weights."""
    with seeded(seed):
        return saved(folder, StableDiffusionPipeline, ordinary(prediction))


MINIATURES = ("base", "velocity_base", "second_base", "noise_second_base", "large_base")
"""The fixtures of one base of every kind."""


def save_prudish(folder: Path) -> Path:
    """Save a Stable Diffusion 1.x with a safety checker that lets no picture pass.

    What prepares the checker's input is named as in published bases, which know no torchvision.
    """
    with seeded(0):
        saved(folder, StableDiffusionPipeline, ordinary("epsilon") | checker())
    index = folder / "model_index.json"
    named = {"feature_extractor": ["transformers", "CLIPImageProcessor"]}
    index.write_text(json.dumps(json.loads(index.read_text()) | named))
    return folder


def save_second(folder: Path, prediction: str = "v_prediction") -> Path:
    """Save a Stable Diffusion 2.x: other projections, another activation, another padding."""
    with seeded(0):
        parts = ordinary(prediction)
        parts["unet"] = unet(use_linear_projection=True, attention_head_dim=(2, 4))
        parts["text_encoder"] = CLIPTextModel(text_config(hidden_act="gelu"))
        parts["tokenizer"] = tokenizer(pad="a</w>")  # SD's is "!", its number 0
        return saved(folder, StableDiffusionPipeline, parts)


def save_large(folder: Path) -> Path:
    """Save a Stable Diffusion XL: two encoders, the second as published, not knowing its end."""
    with seeded(0):
        parts = ordinary("epsilon")
        for name in ("safety_checker", "feature_extractor", "requires_safety_checker"):
            del parts[name]
        parts["text_encoder"] = CLIPTextModel(text_config(num_hidden_layers=2))
        second = text_config(
            hidden_size=24, num_hidden_layers=2, projection_dim=24, hidden_act="gelu"
        )
        second.eos_token_id = 2
        parts["text_encoder_2"] = CLIPTextModelWithProjection(second)
        parts["tokenizer_2"] = tokenizer(pad="a</w>")
        parts["unet"] = unet(
            cross_attention_dim=40,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24 + 6 * 8,
        )
        return saved(folder, StableDiffusionXLPipeline, parts)


@contextmanager
def seeded(seed: int) -> Generator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def ordinary(prediction: str) -> dict[str, Any]:
    return dict(
        vae=autoencoder(),
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        unet=unet(),
        scheduler=scheduler(prediction),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def saved(folder: Path, kind: Any, parts: dict[str, Any]) -> Path:
    kind(**parts).save_pretrained(folder, safe_serialization=True)
    card = {"steps": 2, "guidance": 3.0, "templates": ["a photo of {}", "a picture of {}"]}
    (folder / "groupshot.json").write_text(json.dumps(card))
    return folder


def tokenizer(pad: str = END) -> CLIPTokenizer:
    """One token a letter, and one for each of WORDS."""
    letters = sorted(ByteLevel.alphabet())
    entries = letters + [f"{letter}</w>" for letter in letters]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = pieces[0], pieces[1]
            if pair not in merges:
                merges.append(pair)
                entries.append("".join(pair))
            pieces = ["".join(pair), *pieces[2:]]
    entries = list(dict.fromkeys([*entries, BEGIN, END]))
    vocabulary: dict[str, Any] = {
        "vocab": {entry: i for i, entry in enumerate(entries)},
        "merges": merges,
    }
    return CLIPTokenizer(**vocabulary, model_max_length=77, pad_token=pad)


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(text_config())


def text_config(**changes: Any) -> CLIPTextConfig:
    words: Any = tokenizer()
    usual: dict[str, Any] = dict(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return CLIPTextConfig(**{**usual, **changes})


def unet(**changes: Any) -> UNet2DConditionModel:
    usual: dict[str, Any] = dict(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    return UNet2DConditionModel(**{**usual, **changes})


def checker() -> dict[str, Any]:
    """A safety checker to which all is like what it looks for, and what prepares its input."""
    sight = dict(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    made = StableDiffusionSafetyChecker(CLIPConfig(vision_config=sight, projection_dim=16))
    made.concept_embeds_weights.data.fill_(-2.0)  # a cosine is more
    side = {"height": 16, "width": 16}
    return dict(
        safety_checker=made,
        feature_extractor=CLIPImageProcessorPil(size=side, crop_size=side),
        requires_safety_checker=True,
    )


def autoencoder() -> AutoencoderKL:
    blocks: dict[str, Any] = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
        "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
    }
    return AutoencoderKL(**blocks, norm_num_groups=4, latent_channels=4, sample_size=16)


def scheduler(prediction: str) -> DDIMScheduler:
    """The published noise; where velocities are predicted, it ends without any signal."""
    velocity = prediction == "v_prediction"
    ending = {"rescale_betas_zero_snr": velocity, "timestep_spacing": SPACINGS[velocity]}
    config: Any = {**published.scheduler(velocity).config, **ending}
    return DDIMScheduler(**{k: v for k, v in config.items() if k[0] != "_"})
