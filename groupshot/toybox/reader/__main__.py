"""`python -m groupshot.toybox.reader train|measure`: makes the judge, and judges it."""

import argparse
import json
from dataclasses import fields
from pathlib import Path

from groupshot.toybox.reader.training import Plan, train


def parser() -> argparse.ArgumentParser:
    """The two commands and their options."""
    top = argparse.ArgumentParser(prog="python -m groupshot.toybox.reader")
    commands = top.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train, or go on from the last checkpoint")
    for field in fields(Plan):
        training.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    measuring = commands.add_parser("measure", help="read held-out scenes and store the card")
    measuring.add_argument("-n", type=int, default=5000, help="scenes of 1-4 characters")
    measuring.add_argument("--name", default="reader")
    measuring.add_argument("--vae", type=Path, help="a VAE's folder: measure after a round trip")
    return top


def main() -> None:
    """Runs the command that the command line names."""
    options = vars(parser().parse_args())
    if options.pop("command") == "train":
        train(Plan(**options))
        return
    from groupshot.toybox.reader.measuring import measured, stored

    card = measured(options["name"], options["n"], options["vae"])
    stored(options["name"], card)
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
