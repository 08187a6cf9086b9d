"""The command line: what can be typed, and how a mistake ends.

Only the standard library is imported before it is known what to do: `--help` answers at once.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from groupshot.errors import UserError

LARGEST = 2**32
"""One more than the largest seed."""
MISTAKE = 2
INTERRUPTED = 130
SHORT = {
    "train": "go on with --resume, and add --recompute or --microbatch auto; less still takes "
    "--precision bf16, in a new --out",
    "generate": "draw fewer (-n 1), or on the CPU, with CUDA_VISIBLE_DEVICES= before the command",
}
"""What takes less of a GPU's memory."""
ELSE = "free some of it, or use the CPU, with CUDA_VISIBLE_DEVICES= before the command"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, as every mistake's."""

    def error(self, message: str) -> Any:
        """Refuse what was typed."""
        order = "; it goes before --set" if message.endswith("required: CAST") else ""
        raise UserError(f"{message}{order} (`{self.prog} --help` says more)")


class MethodsHelp(argparse.Action):
    """`--help` with every method and its fields below; they are imported only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and leave."""
        from groupshot.cards import method_list

        parser.epilog = f"methods and their fields:\n\n{method_list()}"
        parser.print_help()
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives 0, 1 where `doctor` found something, 2 after a mistake."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it greets with advice for others
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # nobody is told what is loaded here
    command = ""
    try:
        options = parser().parse_args(argv)
        command = options.command
        from groupshot import base, commands  # seconds of torch and diffusers

        base.quiet()
        return commands.COMMANDS[command](options)
    except UserError as mistake:
        return _said(f"groupshot: {mistake}", MISTAKE)
    except KeyboardInterrupt:
        return _said("groupshot: stopped (`train --resume` goes on, and `bench`)", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has left: `groupshot methods | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (complaint := _complaint(error, command)) is None:
            raise
        return _said(f"groupshot: {complaint}", MISTAKE)


def parser() -> Parser:
    """Everything that can be typed."""
    top = Parser("groupshot", description="Put several of your own subjects in one picture.")
    top.add_argument("--version", action="version", version=version("groupshot"))
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = _command(commands, "demo", "two look-alikes, learned and drawn together")
    demo.add_argument("--method", metavar="NAME", default="dreambooth", help="(dreambooth)")
    _writes(demo, "demo")
    _sets(demo)

    _learns(_command(commands, "train", "learn a cast from its photos", add_help=False))

    _draws(_command(commands, "generate", "draw pictures of what a run has learned"))

    _hands_over(_command(commands, "export", "what a run has learned, as files for other tools"))
    _looks(_command(commands, "masks", "what is taken to be each concept, as overlays"))

    evaluate = _command(commands, "evaluate", "score what a run has learned")
    evaluate.add_argument("run", metavar="RUN", type=Path, help="the --out of `train`")

    _compares(_command(commands, "bench", "compare methods on casts that nobody has seen"))

    methods = _command(commands, "methods", "what can be trained with, or one method's card")
    methods.add_argument("name", metavar="NAME", nargs="?")

    bases = _command(commands, "bases", "the known bases, or how well one draws")
    bases.add_argument("--check", metavar="NAME|FOLDER", help="measure it afresh")
    bases.add_argument("-n", metavar="N", type=_count, default=1000, help="on N prompts (1000)")
    bases.add_argument("--seed", metavar="S", type=_seed, default=0, help="of the prompts (0)")

    _examines(_command(commands, "doctor", "whether this machine has what is needed"))
    return top


def _command(commands: Any, name: str, says: str, **options: Any) -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=says, description=says, formatter_class=plain, allow_abbrev=False, **options
    )
    command.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    return command


def _writes(command: argparse.ArgumentParser, default: str | None) -> None:
    command.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=default is None,
        default=default and Path(default),
        help=f"where to ({default})" if default else "where to: a new or empty folder",
    )


def _learns(train: argparse.ArgumentParser) -> None:
    train.add_argument("-h", "--help", action=MethodsHelp, nargs=0, help="show this and leave")
    train.add_argument("cast", metavar="CAST", type=Path, help="a folder with a folder per subject")
    train.add_argument("--method", metavar="NAME", required=True, help="one of those below")
    train.add_argument("--base", metavar="NAME|FOLDER|HUB-ID", default="toybox", help="(toybox)")
    _writes(train, None)
    train.add_argument(
        "--precision",
        choices=("fp32", "bf16", "fp16"),
        help="of the base's weights, and of computing (weights fp32, computing what is faster)",
    )
    train.add_argument(
        "--recompute",
        action="store_true",
        help="compute activations again instead of keeping them: less memory, slower steps",
    )
    train.add_argument(
        "--optimiser",
        choices=("adamw", "adamw8bit"),
        default="adamw",
        help="adamw8bit takes less memory, and `pip install 'groupshot[8bit]'` (adamw)",
    )
    train.add_argument(
        "--microbatch",
        metavar="N|auto",
        type=_microbatch,
        help="take a step's batch N samples at a time; auto: as many as there is memory for (all)",
    )
    train.add_argument(
        "--drawings",
        metavar="DIR",
        type=Path,
        help="where pictures of classes, which the base draws itself, stay for other runs",
    )
    train.add_argument("--seed", metavar="N", type=_seed, default=0, help="of every draw (0)")
    train.add_argument("--resume", action="store_true", help="go on where --out was left")
    _sets(train)


def _draws(draw: argparse.ArgumentParser) -> None:
    draw.add_argument("run", metavar="RUN", type=Path, help="the --out of `train`")
    draw.add_argument("prompt", metavar="PROMPT", help='"<luna> and <rex> on the beach"')
    draw.add_argument("-n", metavar="N", type=_count, default=1, help="how many (1)")
    draw.add_argument("--seed", metavar="S", type=_seed, default=0, help="picture i has S+i (0)")
    draw.add_argument("--steps", metavar="N", type=_count, help="of denoising (the base's own)")
    _writes(draw, None)


def _hands_over(export: argparse.ArgumentParser) -> None:
    export.add_argument("run", metavar="RUN", type=Path, help="the --out of `train`")
    export.add_argument(
        "--format",
        choices=("diffusers", "kohya", "comfyui", "pipeline"),
        required=True,
        help="a LoRA and embeddings for diffusers, for sd-scripts, for ComfyUI and A1111; or a "
        "whole pipeline, where a LoRA cannot hold what was learned",
    )
    _writes(export, None)


def _looks(masks: argparse.ArgumentParser) -> None:
    masks.add_argument(
        "cast",
        metavar="CAST|RUN",
        type=Path,
        help="a folder with a folder per subject, or the --out of a `train` that found masks",
    )
    masks.add_argument(
        "--segmenter",
        metavar="NAME[=MODEL,…]",
        help="what finds those without a hand mask: toybox, owlv2-sam, dino-sam, owlv2-sam2, "
        "dino-sam2 or clipseg, with other models of the hub or folders if you like; hand for "
        "nothing (what `train` would take on this base)",
    )
    masks.add_argument(
        "--method",
        metavar="NAME",
        help="show also what it would learn from, before it does: far composites, clif collages",
    )
    masks.add_argument("--base", metavar="NAME|FOLDER|HUB-ID", default="toybox", help="(toybox)")
    _writes(masks, None)
    _sets(masks)


def _compares(bench: argparse.ArgumentParser) -> None:
    names = "single, pairs, trios, entangled, entangled-trios, crowd"
    bench.add_argument("--suite", metavar="A,B", default="pairs", help=f"of {names} (pairs)")
    bench.add_argument("--methods", metavar="A,B[FIELD=VALUE]", help="rows of the table (all)")
    bench.add_argument("--casts", metavar="N", type=_count, help="how many casts (6)")
    bench.add_argument("--cast-seed", metavar="N", type=_seed, default=0, help="of the first (0)")
    bench.add_argument("--seeds", metavar="N", type=_count, default=1, help="trainings of each (1)")
    bench.add_argument("--base", metavar="NAME|FOLDER", default="toybox", help="(toybox)")
    amounts = bench.add_mutually_exclusive_group()
    amounts.add_argument("--quick", action="store_true", help="two methods, one cast, few pictures")
    amounts.add_argument("--no-prior", action="store_true", help="no class words are drawn")
    amounts.add_argument("--undrawn", action="store_true", help="masks alone are judged")
    bench.add_argument("--jobs", metavar="N", type=_count, default=1, help="cells at once (1)")
    bench.add_argument("--out", metavar="DIR", type=Path, required=True, help="new, or to go on")


def _examines(doctor: argparse.ArgumentParser) -> None:
    says = "say who in it is likely to be confused"
    doctor.add_argument("cast", metavar="CAST", nargs="?", type=Path, help=says)
    doctor.add_argument("--base", metavar="NAME|FOLDER|HUB-ID", default="toybox", help="(toybox)")


def _sets(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="fields of the method that differ from their defaults",
    )


def _whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no whole number") from None


def _count(text: str) -> int:
    """Read a number of things."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _microbatch(text: str) -> int | str:
    """Read a number of samples, or leave it to the memory."""
    return text if text == "auto" else _count(text)


def _seed(text: str) -> int:
    """Read a seed; they begin at 0."""
    number = _whole(text)
    if not 0 <= number < LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to {LARGEST - 1}")
    return number


def _complaint(error: Exception, command: str) -> str | None:
    """What to say of an error that is the machine's and nobody's fault; None of any other."""
    match error:
        case SafetensorError():  # a full disk, too, where the file is one of weights
            return f"a file of weights cannot be read or written: {error}"
        case OSError() if error.errno in UNWRITABLE:
            where = f" {error.filename}" if error.filename else ""
            return f"cannot write{where}: {error.strerror}"
        case _ if type(error).__name__ == "OutOfMemoryError":  # torch is not to be loaded for this
            return f"the GPU's memory is too short: {SHORT.get(command, ELSE)}"
        case _:
            return None


def _said(line: str, code: int) -> int:
    if os.environ.get("RANK", "0") == "0":  # of several processes only the first
        print(line, file=sys.stderr)
    return code
