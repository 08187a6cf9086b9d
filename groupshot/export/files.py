"""What is written for other tools: a LoRA, a file for each new word, how to sample."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from groupshot.export import kohya
from groupshot.export.factors import DOWN, UP, Factors, factors
from groupshot.files import save_json, written
from groupshot.recipes import Tokens
from groupshot.runfolder import Trained

LORA = "pytorch_lora_weights.safetensors"
"""Where diffusers looks for a LoRA in a folder."""

EMBEDDINGS = "embeddings"
SAMPLING = "sampling.json"

TABLES = ("clip_l", "clip_g")
"""What all tools call the new words of Stable Diffusion XL's two text encoders."""


def for_diffusers(trained: Trained, out: Path) -> None:
    """What `load_lora_weights` and `load_textual_inversion` read, and how to sample."""
    found = factors(trained)
    down = {layer + DOWN: own.down for layer, own in found.items()}
    up = {layer + UP: own.up for layer, own in found.items()}
    save(out / LORA, down | up)
    save_words(trained, out, "<{}>")
    save_json(out / SAMPLING, sampling(trained))


def for_kohya(trained: Trained, out: Path) -> None:
    """What sd-scripts, ComfyUI and A1111 read."""
    found = factors(trained)
    save(out / f"{called(trained)}.safetensors", kohya.tensors(trained.base, found), note(found))
    save_words(trained, out, "emb_params")


def save_words(trained: Trained, out: Path, key: str) -> None:
    """A file for each concept; `key` is what its rows are called where there is one table."""
    for name, tables in words(trained).items():
        keys = (key.format(name),) if len(tables) == 1 else TABLES
        save(out / EMBEDDINGS / f"{name}.safetensors", dict(zip(keys, tables, strict=True)))


def words(trained: Trained) -> dict[str, tuple[Tensor, ...]]:
    """The rows of each concept, [vectors, features], for each text encoder."""
    return {
        name: trained.learned.tensors[part][name].split(trained.base.widths, dim=1)
        for part, recipe in trained.learned.recipes.items()
        if isinstance(recipe, Tokens)
        for name in recipe.vectors
    }


def sampling(trained: Trained) -> dict[str, Any]:
    """How the base draws, as a JSON value."""
    card = trained.base.card
    return {
        "scheduler": trained.base.pipe.scheduler.config["_class_name"],
        "steps": card.steps,
        "guidance": card.guidance,
        "guidance_rescale": card.guidance_rescale,
    }


def called(trained: Trained) -> str:
    """What a run is called: its folder's name."""
    return trained.folder.resolve().name


def note(found: Mapping[str, Factors]) -> dict[str, str]:
    """What sd-scripts says of a LoRA in its header."""
    rank = str(kohya.alpha(found))
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
    }


def save(file: Path, tensors: Mapping[str, Tensor], note: Mapping[str, str] | None = None) -> None:
    """Write tensors, where there are any, under a header that other tools understand."""
    if tensors:
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        with written(file) as draft:
            save_file(whole, draft, {"format": "pt", **(note or {})})
