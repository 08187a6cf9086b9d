"""A whole pipeline with everything a run has learned in it: what any change fits into."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from groupshot.base import Base
from groupshot.basefolder import INDEX
from groupshot.export.factors import Factors, paired
from groupshot.export.files import words
from groupshot.files import load_json, save_json
from groupshot.recipes import Full, Lora
from groupshot.runfolder import Trained

HERE = ["transformers", "CLIPImageProcessorPil"]
"""What the CLIPImageProcessor of a base is called where torchvision is missing."""

EVERYWHERE = ["transformers", "CLIPImageProcessor"]
"""What it is called also by a transformers that is older than ours."""


def for_pipeline(trained: Trained, out: Path) -> None:
    """A folder in diffusers' format, which can be a base too; `<luna>` is a word of its tokenizer.

    The base is loaded afresh for it, onto the CPU.
    """
    base = Base.load(trained.base.source, device="cpu")
    learned = trained.learned
    for kind in (Full, Lora):  # whole weights first: a LoRA stands upon them
        for part, recipe in learned.recipes.items():
            if isinstance(recipe, kind):
                merged(base.models[recipe.net], learned.tensors[part])
    for name, tables in words(trained).items():
        for encoder, table in zip(base.encoders, tables, strict=True):
            base.pipe.load_textual_inversion(
                table,
                token=f"<{name}>",
                tokenizer=encoder.tokenizer,
                text_encoder=encoder.model,
            )
    for encoder in base.encoders:  # an old configuration takes the newest word for the end of text
        encoder.model.config.eos_token_id = encoder.tokenizer.eos_token_id
    base.pipe.save_pretrained(out, safe_serialization=True)
    save_json(out / INDEX, known_everywhere(load_json(out / INDEX)))
    save_json(out / "groupshot.json", asdict(base.card))


def known_everywhere(index: dict[str, Any]) -> dict[str, Any]:
    """A model's index, in the names that every transformers knows."""
    return {part: EVERYWHERE if own == HERE else own for part, own in index.items()}


@torch.no_grad()
def merged(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Set whole weights, and add what a LoRA changes."""
    pairs = dict(paired(tensors))
    for layer, own in pairs.items():
        weight = net.get_parameter(f"{layer}.weight")
        weight += product(own).view_as(weight)
    for name, tensor in tensors.items():
        if ".lora_" not in name:
            net.get_parameter(name).copy_(tensor)


def product(own: Factors) -> Any:
    """How a weight changes, [out, in]; a convolution's in one row for each output."""
    return own.up.flatten(1) @ own.down.flatten(1)
