"""Networks in the transformers format: a folder, or a model of the hub; safetensors only."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from groupshot.errors import UserError, first_line

WITHIN = {"sam2": "sam2_video"}
"""Types whose networks the hub also keeps inside a larger one's."""


def network(kind: Any, source: str, device: torch.device) -> Any:
    """A network of a transformers class, frozen; a UserError where `source` holds no such one."""
    if not Path(source).is_dir() and (source.count("/") != 1 or source[0] in "./~"):
        raise UserError(f"there is no model {source}: neither a folder, nor OWNER/MODEL of the hub")
    wanted = kind.config_class.model_type
    held = opened(AutoConfig, source).model_type
    if held not in (wanted, WITHIN.get(wanted)):
        raise UserError(f"{source} holds a model of the type {held}: name one of the type {wanted}")
    return opened(kind, source, use_safetensors=True).to(device).eval().requires_grad_(False)


def opened(kind: Any, source: str, **options: Any) -> Any:
    """Anything that transformers loads; code that comes with a model is never run."""
    try:
        return kind.from_pretrained(source, **options)
    except Exception as error:  # what the hub, HTTP and files raise has nothing in common
        says = f"{source} does not load as a {kind.__name__}: {first_line(error)}"
        raise UserError(says) from error
