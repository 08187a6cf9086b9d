"""A base as a folder: whether it is whole, and what it says of itself."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from groupshot.errors import UserError
from groupshot.files import load_json

TOYBOX = Path(__file__).parent / "toybox" / "base"
"""The built-in base: an ordinary diffusers folder."""

INDEX = "model_index.json"
"""What a folder in the diffusers format begins with."""

LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""Whose classes a base may be made of: code that comes with a model is never run."""

TEMPLATES = ("a photo of {}", "a picture of {}", "an image of {}", "{}")
"""What a base is spoken to in, unless its card knows better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a base says of itself in `groupshot.json`: how it is sampled and spoken to."""

    steps: int = 30
    """Denoising steps of a picture."""
    guidance: float = 7.5
    """Scale of classifier-free guidance."""
    guidance_rescale: float = 0.0
    """How far guidance is kept from overexposing (arXiv 2305.08891, §3.4)."""
    templates: tuple[str, ...] = TEMPLATES
    """Captions it understands; {} is where the subject goes."""
    segmenter: str = "owlv2-sam"
    """Who finds subjects in photos of its world, unless a method is told otherwise."""


XL = "StableDiffusionXLPipeline"

PARTS = {
    "StableDiffusionPipeline": ("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
    XL: ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"),
}
"""The kinds of pipelines that a base may be, and what each cannot do without."""

USUAL: dict[str, dict[str, Any]] = {XL: {"guidance": 5.0}}
"""What diffusers takes for a kind where its card is silent, and it is not what we take."""


def card(place: Path) -> Card:
    """The card of the base in a folder, or beside its file; ours where it says nothing."""
    place = place.with_suffix("") if place.is_file() else place
    file, index = place / "groupshot.json", place / INDEX
    said: dict[str, Any] = load_json(file) if file.is_file() else {}
    known = {f.name: said[f.name] for f in fields(Card) if f.name in said}
    if "templates" in known:
        known["templates"] = tuple(known["templates"])
    if index.is_file():
        known = USUAL.get(load_json(index)["_class_name"], {}) | known
    return Card(**known)


def check(place: Path) -> None:
    """Refuse a folder that lacks files, or is no Stable Diffusion pipeline."""
    index = load_json(place / INDEX)
    kind = index.get("_class_name")
    if kind not in PARTS:
        raise UserError(f"{place} holds a {kind}, not a Stable Diffusion model.")
    parts = {name: made for name, made in index.items() if isinstance(made, list) and made[0]}
    for name, (library, _) in parts.items():
        if library not in LIBRARIES:
            raise UserError(f"{place}: its {name} wants code of its own ({library}); refused.")
    for name in PARTS[kind]:
        if name not in parts:
            raise UserError(f"{place / 'model_index.json'} names no {name}.")
    for name in parts:
        check_part(place / name)


NEEDED = {
    "unet": ("config.json", "*.safetensors"),
    "vae": ("config.json", "*.safetensors"),
    "text_encoder": ("config.json", "*.safetensors"),
    "text_encoder_2": ("config.json", "*.safetensors"),
    "safety_checker": ("config.json", "*.safetensors"),
    "image_encoder": ("config.json", "*.safetensors"),
    "scheduler": ("scheduler_config.json",),
    "tokenizer": ("tokenizer*.json",),
    "tokenizer_2": ("tokenizer*.json",),
    "feature_extractor": ("preprocessor_config.json",),
}
"""The files that the folder of each component cannot do without."""


def check_part(place: Path) -> None:
    """Refuse a component's folder that lacks a file."""
    for pattern in NEEDED.get(place.name, ()):
        if not any(place.glob(pattern)):
            raise UserError(f"{place} has no {pattern}: copy or download the base again.")
