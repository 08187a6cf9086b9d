"""How good a base is on the drawn world: its pictures read back, and its CLIP pair put to tests."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
    StableDiffusionPipeline,
)
from PIL import Image

from groupshot.toybox.prompts import Prompt, Scores, prompts, score
from groupshot.toybox.reader import Reader
from groupshot.toybox.training import matching, parts, timing
from groupshot.toybox.training.loop import mixed_precision
from groupshot.toybox.world import RELATIONS

CARD = "card.json"
"""Where a base keeps what was measured when it was made."""
SAMPLING = "groupshot.json"
"""Where it says how it is sampled."""
BATCH = 8
KEYS = (
    *("one.class", "one.colour", "one.pattern", "one.accessory"),
    *("two.present", "two.class", "two.colour", "same.present", "same.colour"),
    *("background", "side", "interaction"),
    *(f"interaction.{relation}" for relation in RELATIONS[1:]),
)
"""What is measured on pictures; the CLIP pair's figures come beside."""


def check(folder: Path, n: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """What is measured on `n` prompts now, beside what the base's card says."""
    card = folder / CARD
    stored = json.loads(card.read_text()) if card.exists() else {}
    return {"measured": measured(folder, n, seed), "stored": stored}


def measure(folder: Path, n: int, seed: int = 0) -> None:
    """Write what is measured on `n` prompts to the base's card."""
    said = sampling(folder)
    how = {"prompts": n, "steps": said["steps"], "guidance": said["guidance"]}
    parts.write_json(folder / CARD, {**how, **measured(folder, n, seed)})


def measured(folder: Path, n: int, seed: int = 0) -> dict[str, float]:
    """Shares from 0 to 1, of `n` prompts that name identities the base never saw; and seconds."""
    pipe = loaded(folder)
    taken = timing.figures(pipe, lambda count: drawn(pipe, folder, prompts(count, seed)))
    reader, results = Reader.load(), {key: [] for key in KEYS}
    for some in portions(prompts(n, seed)):
        record(results, some, reader.read(drawn(pipe, folder, some)))
    figures = {key: float(np.mean(values)) for key, values in results.items() if values}
    clip = matching.figures(folder, max(1, n // 250), seed)
    return {key: round(value, 4) for key, value in {**figures, **clip, **taken}.items()}


def record(results: Scores, some: Sequence[Prompt], readings: Sequence[Any]) -> None:
    """Add what the pictures of some prompts show."""
    for prompt, reading in zip(some, readings, strict=True):
        for key, value in score(prompt, reading):
            results[key].append(value)


def portions(asked: list[Prompt]) -> Iterator[list[Prompt]]:
    """The prompts in batches."""
    for start in range(0, len(asked), BATCH):
        yield asked[start : start + BATCH]


def loaded(folder: Path) -> Any:
    """The base as a pipeline, on the fastest device there is."""
    pipe: Any = StableDiffusionPipeline.from_pretrained(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        pipe.unet.set_attn_processor(AttnProcessor())
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def sampling(folder: Path) -> dict[str, Any]:
    """How a base asks to be sampled."""
    file = folder / SAMPLING
    said: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return {"steps": 30, "guidance": 7.5, "guidance_rescale": 0.0, **said}


def drawn(pipe: Any, folder: Path, some: Sequence[Prompt], **given: Any) -> list[Image.Image]:
    """A picture for each prompt, each from a seed of its own, sampled as the base asks for.

    What is `given` besides goes to the pipeline.
    """
    said = sampling(folder)
    generators = [torch.Generator().manual_seed(prompt.seed) for prompt in some]
    with mixed_precision(pipe.device):
        return pipe(
            [prompt.words for prompt in some],
            num_inference_steps=said["steps"],
            guidance_scale=said["guidance"],
            guidance_rescale=said["guidance_rescale"],
            generator=generators,
            **given,
        ).images
