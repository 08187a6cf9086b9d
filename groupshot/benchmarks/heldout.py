"""How far bases are off on unseen scenes: `python -m groupshot.benchmarks.heldout FOLDER…`.

The weighted error of the velocity, by quarters of the noise schedule from the clearest on, of the
U-Nets in some folders, each with its own text encoder. All see the same scenes, captions and noise,
so that after a minute a difference of a thousandth from the first can be told, long before any
picture shows it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import stdev
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from groupshot.base import quiet
from groupshot.toybox.training import parts, workshop
from groupshot.toybox.training.denoiser import Denoising, Reading
from groupshot.toybox.training.loop import noise_at, rng_at
from groupshot.toybox.training.recipe import RECIPE
from groupshot.toybox.training.workshop import Workshop

UNSEEN = 1000
"""A rank that no process of a team has: its scenes are drawn for nobody else."""
QUARTERS = 4
SEED = 41


@torch.no_grad()
def errors(stage: Denoising, batches: int) -> Tensor:
    """float32 [batches, QUARTERS]: each batch's mean error in each quarter of the schedule."""
    pages = stage.album.grow(batches * stage.pace.batch)
    found: list[list[float]] = []
    for k in tqdm(range(batches), leave=False):
        batch = stage.batch(rng_at(SEED, 1, k), pages)
        generator = noise_at(SEED, 2, k)
        noise = torch.randn(batch.latents.shape, generator=generator)
        found.append([])
        for quarter in range(QUARTERS):
            even = torch.randperm(len(noise), generator=generator) / len(noise)
            t = ((quarter + even) / QUARTERS * len(stage.schedule.betas)).long()
            found[-1].append(float(stage.errors(batch, noise, t).mean()))
    return torch.tensor(found)


def measured(folders: Sequence[Path], batches: int) -> list[Tensor]:
    """The errors of U-Net and text encoder in each folder, all on the first one's VAE."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with TemporaryDirectory() as folder:
        shop = Workshop(folder=Path(folder), recipe=RECIPE, device=device, rank=UNSEEN)
        workshop.prepare(shop, folders[0])
        stage: Any = workshop.taken_up(shop, "unet")
        found: list[Tensor] = []
        for each in folders:
            unet = parts.placed(parts.unet_in(each), device)
            reading = Reading(stage.reading.tokenizer, parts.placed(parts.text_in(each), device))
            found.append(errors(Denoising(RECIPE, unet, reading, stage.album, shop.parts), batches))
    return found


def row(found: Tensor, first: Tensor) -> str:
    """Means by quarter and over all; difference from the first, and its standard error."""
    apart = (found - first).mean(1).tolist()
    quarters = " ".join(f"{error:8.4f}" for error in found.mean(0).tolist())
    spread = stdev(apart) / len(apart) ** 0.5
    return f"{quarters} {found.mean():8.4f} {sum(apart) / len(apart):+8.4f} ± {spread:.4f}"


def main() -> None:
    """Print a line for each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="bases; the others beside the first")
    parser.add_argument("-n", type=int, default=256, help="scenes (256)")
    options = parser.parse_args()
    quiet()
    found = measured(options.folders, max(2, options.n // RECIPE.unet.batch))
    print(" ".join(f"{name:>8}" for name in ("clearest", "clearer", "noisier", "noisiest", "mean")))
    for folder, each in zip(options.folders, found, strict=True):
        print(row(each, found[0]), folder)


if __name__ == "__main__":
    main()
