"""From finished parts to the folder that ships: half precision, files of at most 15 MiB."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import diffusers
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from transformers import CLIPImageProcessorPil, CLIPTextModel, CLIPVisionModelWithProjection

from groupshot.toybox.training import parts
from groupshot.toybox.training.denoiser import noise_schedule
from groupshot.toybox.training.workshop import Workshop
from groupshot.toybox.world import SIZE

SHARD = "14MB"
"""Largest file of the U-Net."""
INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
"""What `model_index.json` says; the text projection stands beside it."""

CARD = {"steps": 20, "guidance": 2.5, "segmenter": "toybox"}
"""How the base is best sampled, and who finds subjects in its world (see `basefolder.Card`)."""


def assemble(shop: Workshop, folder: Path) -> None:
    """Write the base as it now is to `folder`, in place of what was there.

    What was measured of the base before is not carried over: `checking.measure` measures anew.
    """
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    shutil.copytree(shop.parts / parts.TOKENIZER, fresh / parts.TOKENIZER)
    sampler().save_pretrained(fresh / "scheduler")
    size = {"height": SIZE, "width": SIZE}
    eye = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=size)
    eye.save_pretrained(fresh / "feature_extractor")
    write_networks(shop, fresh)
    parts.write_json(fresh / "model_index.json", INDEX)
    parts.write_json(fresh / "groupshot.json", CARD)
    swap(fresh, folder)


def sampler() -> DPMSolverMultistepScheduler:
    """The scheduler that ships: SDE-DPM++ 2M, which draws more of a prompt than DDIM does."""
    solver = DPMSolverMultistepScheduler.from_config(
        noise_schedule().config, algorithm_type="sde-dpmsolver++"
    )
    assert isinstance(solver, DPMSolverMultistepScheduler)
    return solver


def write_networks(shop: Workshop, fresh: Path) -> None:
    """The networks in half precision, each in diffusers' or transformers' own layout."""
    networks: dict[str, Any] = {
        parts.VAE: parts.vae_in(shop.parts),
        parts.UNET: parts.unet_in(shop.parts),
        parts.TEXT: parts.text_in(shop.parts),
        parts.VISION: parts.vision_in(shop.parts),
    }
    for name, network in networks.items():
        save(network.half(), fresh / name)
    halves = {k: v.half().contiguous() for k, v in parts.projection_in(shop.parts).items()}
    parts.save_projection(fresh, halves)


def save(
    network: AutoencoderKL | UNet2DConditionModel | CLIPTextModel | CLIPVisionModelWithProjection,
    folder: Path,
) -> None:
    """One network; transformers' configurations say float32, which is what it loads them as.

    Without a dtype argument transformers follows the configuration and diffusers does not: the
    two halves of a pipeline must not differ.
    """
    network.save_pretrained(folder, max_shard_size=SHARD)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    parts.write_json(path, config | ({"dtype": "float32"} if "dtype" in config else {}))
    for file in folder.iterdir():
        file.chmod(0o644)


def swap(fresh: Path, folder: Path) -> None:
    """Put a finished folder in the place of an older one."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)
