"""Train the toybox's base: `python -m groupshot.toybox.training --stage all --minutes 60`."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from groupshot.toybox.training import parts, workshop
from groupshot.toybox.training.album import drawers
from groupshot.toybox.training.assemble import assemble
from groupshot.toybox.training.checking import measure
from groupshot.toybox.training.loop import Budget, run
from groupshot.toybox.training.recipe import RECIPE
from groupshot.toybox.training.team import gathered
from groupshot.toybox.training.workshop import Workshop


def main() -> None:
    """Read the command line and train."""
    asked = arguments()
    torch.set_num_threads(asked.threads or max(1, torch.get_num_threads() // asked.processes))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shop = Workshop(folder=asked.out, recipe=RECIPE, device=device, rank=asked.rank)
    if asked.rank == 0:
        workshop.prepare(shop, parts.SHIPPED if asked.from_shipped else None)
    with drawers(asked.workers) as pool, gathered(asked.processes, asked.rank, asked.out) as team:
        shop = replace(shop, pool=pool)
        stages = plan(shop, asked.stage) if asked.minutes else {}
        for name, share in stages.items():
            budget = Budget(seconds=60 * asked.minutes * share, decay=asked.decay)
            stage = workshop.taken_up(shop, name)
            stage.pace = replace(stage.pace, rate=asked.rate or stage.pace.rate)
            run(stage, shop.folder, budget, team)
    if asked.assemble and asked.rank == 0:
        assemble(shop, asked.assemble)
        if asked.measure:
            measure(asked.assemble, asked.measure)


SHARES = {"text": 0.05, "vae": 0.15, "clip": 0.1, "unet": 0.7}
"""How `all` divides its time; what the U-Net stands on is trained once."""


def plan(shop: Workshop, asked: str) -> dict[str, float]:
    """The stages to train, and the share of time that each gets."""
    if asked != "all":
        return {asked: 1.0}
    needed = {k: v for k, v in SHARES.items() if k == "unet" or not shop.has(RESULT[k])}
    return {name: share / sum(needed.values()) for name, share in needed.items()}


RESULT = {"text": parts.TEXT, "vae": parts.VAE, "clip": parts.VISION}
"""The part that a stage leaves behind."""


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="groupshot.toybox.training", description=__doc__)
    parser.add_argument("--stage", choices=[*workshop.STAGES, "all"], default="all")
    parser.add_argument("--minutes", type=float, default=60, help="how long this call may train")
    parser.add_argument("--out", type=Path, default=Path("base-training"))
    parser.add_argument("--assemble", type=Path, help="write the finished base to this folder")
    parser.add_argument("--measure", type=int, help="write its card, from so many prompts")
    parser.add_argument("--from-shipped", action="store_true", help="begin with shipped weights")
    parser.add_argument("--rate", type=float, help="peak learning rate (the recipe's)")
    parser.add_argument("--decay", action="store_true", help="end at a learning rate of zero")
    parser.add_argument("--processes", type=int, default=1, help="that train together, on a CPU")
    parser.add_argument(
        "--threads", type=int, default=0, help="of each process; 0: its share of the cores"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that draw meanwhile")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
