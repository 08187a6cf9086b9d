"""At which noise a base spoils what it is shown: `python -m groupshot.benchmarks.spoiled`.

The world draws scenes that the base never saw; each is noised so far, denoised from there with its
own caption, and read back. What is lost from one strength to the next is lost at those timesteps.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import (
    StableDiffusionImg2ImgPipeline,
)
from PIL import Image
from tqdm import tqdm

from groupshot.base import quiet
from groupshot.report import Row, sheet
from groupshot.toybox.prompts import AGREEING, GROUPS, Prompt, matched, prompts, right
from groupshot.toybox.reader import Reader, Reading
from groupshot.toybox.training.checking import drawn, loaded, portions
from groupshot.toybox.training.parts import SHIPPED
from groupshot.toybox.world import draw

STRENGTHS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Shares of the noise schedule that are gone through; at 1 nothing is left of the drawing."""
TOLD = (*AGREEING, "second")
"""What must be right of everyone."""
SHOWN = 9
"""Pictures of each strength that are put on the sheet."""


def denoised(pipe: Any, folder: Path, asked: Sequence[Prompt], strength: float) -> Iterator[Any]:
    """The pictures made of the drawings of some prompts."""
    for some in portions(list(asked)):
        drawings = [Image.fromarray(draw(prompt.scene).image) for prompt in some]
        yield from drawn(pipe, folder, some, image=drawings, strength=strength)


def kept(prompt: Prompt, reading: Reading) -> bool:
    """Whether exactly those asked for are there, with all that their captions may tell."""
    found = matched(prompt.identities, reading.known)
    whole = len(reading.known) == len(found) == len(prompt.identities)
    pairs = zip(prompt.identities, found, strict=False)
    return whole and all(right(who, seen, name) for who, seen in pairs for name in TOLD)


def main() -> None:
    """Print a table, and save a sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=96, help="scenes, a third of each group (96)")
    parser.add_argument("--base", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("spoiled.png"), help="the sheet")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    quiet()
    parts = loaded(options.base).components
    pipe: Any = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    asked, reader, rows = prompts(options.n, 0), Reader.load(), list[Row]()
    print("strength", *(f"{group:>6}" for group in GROUPS))
    for strength in tqdm(STRENGTHS):
        pictures = list(denoised(pipe, options.base, asked, strength))
        share: dict[str, list[bool]] = {group: [] for group in GROUPS}
        for prompt, reading in zip(asked, reader.read(pictures), strict=True):
            share[prompt.group].append(kept(prompt, reading))
        tqdm.write(f"{strength:8} " + " ".join(f"{fmean(share[group]):6.2f}" for group in GROUPS))
        rows.append(Row(heading=f"strength {strength}", pictures=pictures[:SHOWN]))
    sheet(rows).save(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
