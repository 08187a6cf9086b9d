"""Where a base comes from: built in, a folder, one file, or a model of the Hugging Face hub."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from torch.nn import Module
from transformers.utils import logging as transformers_logging

from groupshot.base.known import KNOWN, called
from groupshot.base.memory import HALVED, HALVES
from groupshot.base.onefile import opened
from groupshot.basefolder import TOYBOX, check
from groupshot.errors import UserError, first_line
from groupshot.files import digest

NO_SPACE = os.strerror(errno.ENOSPC)
"""What hf-xet, which downloads large files, says of a full disk in an error of its own."""

FULL = f"the disk of {HF_HUB_CACHE} is full: free some, or set HF_HOME elsewhere."


def folder(source: str) -> Path:
    """The whole folder, or the file, of a base named "toybox", FOLDER, FILE or OWNER/MODEL.

    One of `known.KNOWN` may be named by its short name; a folder of that name is then `./NAME`.
    """
    source = called(source)
    place = TOYBOX if source == "toybox" else Path(source).expanduser()
    if source and place.is_file():
        return place
    if not (source and place.is_dir()):
        if source == "toybox":
            raise UserError(f"The built-in base is not in this installation: no folder {place}.")
        place = downloaded(source)
    check(place)
    return place


def fingerprint(source: str) -> str:
    """A short name for the exact weights of a base, by where it is loaded from."""
    place = folder(source)
    files = [place] if place.is_file() else sorted(place.rglob("*.safetensors"))
    return digest(files)[:12]


def where(source: str) -> str:
    """A source that means the same from any working directory."""
    source = called(source)
    local = Path(source).expanduser()
    return str(local.resolve()) if local.exists() else source


def downloaded(source: str) -> Path:
    """The hub's model in the local cache, safetensors only."""
    if source.count("/") != 1 or source[0] in "./~":
        raise UserError(
            f"There is no base {source}: neither one of toybox, {', '.join(KNOWN)}, nor a folder, "
            "nor a file, nor OWNER/MODEL."
        )
    try:
        return fetched(source)
    except Exception as error:  # what the hub, hf-xet and HTTP raise has nothing in common
        raise UserError(
            f"{source} is no folder, and the hub did not give it either: {advice(source, error)}"
        ) from error


def fetched(source: str) -> Path:
    """The hub's model; its weights in half precision where it has no others."""
    try:
        return Path(DiffusionPipeline.download(source, use_safetensors=True))
    except OSError as error:
        if "variant=None" not in str(error):  # there are other troubles than weights of one name
            raise
        return Path(DiffusionPipeline.download(source, use_safetensors=True, variant="fp16"))


def advice(source: str, error: Exception) -> str:
    """Why a download failed, and what to do about it."""
    for cause in causes(error):
        match cause:
            case GatedRepoError():
                return f"accept its terms at https://huggingface.co/{source}, then `hf auth login`."
            case RepositoryNotFoundError():
                return (
                    "there is no such model, or it is private: check the name, or `hf auth login`."
                )
            case OSError(errno=errno.ENOSPC | errno.EDQUOT):
                return FULL
            case RuntimeError() if NO_SPACE in str(cause):
                return FULL
            case ConnectionError() | socket.gaierror():
                return f"it cannot be reached from here. {elsewhere(source)}"
            case _:
                continue
    return f"{first_line(error)} {elsewhere(source)}"


def elsewhere(source: str) -> str:
    """How to bring a model to a machine that cannot download it."""
    return f"Where it can, `hf download {source} --local-dir FOLDER`; then use that folder here."


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def pipeline(place: Path, precision: str | None = None) -> Any:
    """The pipeline of a whole folder or of one file, frozen; for `precision` see `unpacked`."""
    try:
        pipe = opened(place) if place.is_file() else unpacked(place, precision)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"The base in {place} does not load: {first_line(error)}") from error
    for part in pipe.components.values():
        if isinstance(part, Module):
            part.requires_grad_(False).eval()
    config = pipe.scheduler.config
    if config.prediction_type not in ("epsilon", "v_prediction") or "sigma_data" in config:  # EDM's
        raise UserError(f"{place} predicts neither noise nor velocity, and nothing else is known.")
    return pipe


def unpacked(place: Path, precision: str | None) -> Any:
    """The pipeline of a folder; of its weights in half precision where it has no others.

    What is to lie in half precision is never in memory in full, which would take twice as much.
    """
    halved = not any(".fp16." not in file.name for file in (place / "unet").glob("*.safetensors"))
    kinds = dict.fromkeys(HALVED, HALVES.get(precision or "", torch.float32))
    return DiffusionPipeline.from_pretrained(
        place,
        use_safetensors=True,
        variant="fp16" if halved else None,
        dtype={"default": torch.float32, **kinds},
    )


def quiet() -> None:
    """Turn off the bars of the libraries below, for a door that has bars of its own."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
