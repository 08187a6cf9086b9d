"""A base in one file: all weights, as A1111 and ComfyUI keep them, and nothing else.

How its networks are laid out is not in the file. diffusers takes it from the published model of the
kind, whose configuration (a few small files) it downloads. So we look for it first in a folder
beside the file, named as the file is without `.safetensors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open

from groupshot.base.known import KNOWN
from groupshot.basefolder import INDEX
from groupshot.errors import UserError, first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of model that is found in one file."""

    sign: str
    """What the names of some of its tensors begin with."""
    pipe: Any
    published: str
    """The model of the hub whose configuration fits all of the kind but those that are `unlike`."""
    unlike: str = ""
    """Why it may not fit this one."""


KINDS = (
    Kind(
        sign="conditioner.embedders.1.",
        pipe=StableDiffusionXLPipeline,
        published=KNOWN["sdxl"].source,
    ),
    Kind(
        sign="cond_stage_model.transformer.",
        pipe=StableDiffusionPipeline,
        published=KNOWN["sd15"].source,
    ),
    Kind(
        sign="cond_stage_model.model.",
        pipe=StableDiffusionPipeline,
        published=KNOWN["sd21"].source,
        unlike="is of Stable Diffusion 2.x, and no such file says how it is to be used",
    ),
)
"""Stable Diffusion XL, 1.x, and 2.x: of the last, no file says if it predicts noise or velocity."""

MARKS = ("v_pred", "ztsnr", "edm_")
"""What the name of a tensor begins with that says: this is not used as the published model is."""

CONFIGURATION = ["*.json", "*/*.json", "*/*.txt"]
"""What belongs to a model's configuration."""


def opened(file: Path) -> Any:
    """The pipeline of a file; a UserError where that is none, or not the whole of one."""
    kind = kind_of(file)
    place = configuration(file, kind)
    try:
        return kind.pipe.from_single_file(str(file), config=str(place), local_files_only=True)
    except SingleFileComponentError as error:
        raise UserError(
            f"{file} does not hold a whole model: {first_line(error)} Take a file that has it too."
        ) from error


def kind_of(file: Path) -> Kind:
    """What sort of model a file holds."""
    try:
        with safe_open(file, "pt") as weights:
            names = list(weights.keys())
    except SafetensorError as error:
        raise UserError(
            f"{file} is not a whole safetensors file: {error}. Other formats are never opened."
        ) from None
    for kind in KINDS:
        if any(name.startswith(kind.sign) for name in names):
            return marked(kind, names)
    raise UserError(f"{file} is no checkpoint of Stable Diffusion 1.x, 2.x or XL.")


def marked(kind: Kind, names: Sequence[str]) -> Kind:
    """The kind of a file, or one that is `unlike` it where a tensor's name says so."""
    marks = [name for name in names if name.startswith(MARKS)]
    if kind.unlike or not marks:
        return kind
    return replace(kind, unlike=f"is not used as {kind.published} is ({marks[0]} is in it)")


def configuration(file: Path, kind: Kind) -> Path:
    """The folder with the configuration of a file: the one beside it, or the published model's."""
    beside = file.with_suffix("")
    if (beside / INDEX).is_file():
        return beside
    if kind.unlike:
        raise UserError(
            f"{file} {kind.unlike}: put the folder of its model, in the diffusers format, beside "
            f"it as {beside} (the weights may be left out)."
        )
    try:
        return Path(snapshot_download(kind.published, allow_patterns=CONFIGURATION))
    except Exception as error:  # as `loading.downloaded`
        raise UserError(
            f"{file} holds weights only, and the configuration of {kind.published} that they need "
            f"cannot be downloaded ({first_line(error)}): where it can, `hf download "
            f"{kind.published} --include '*.json' --include '*.txt' --local-dir {beside.name}`; "
            "then put that folder beside the file."
        ) from error
