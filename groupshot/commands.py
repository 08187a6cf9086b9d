"""What each command does: it prints for people, or with `--json` one document for programs."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Any

import torch
from tqdm import tqdm

from groupshot.base import Base, fingerprint, folder, is_withheld
from groupshot.basefolder import card
from groupshot.bench.cells import Plan, Terms
from groupshot.bench.contenders import BASELINES, CEILINGS, contenders
from groupshot.bench.suites import suites
from groupshot.bench.work import PAGE, TABLE, benched
from groupshot.cards import OTHERS, USUALLY, base_line, described, field_lines, known_bases, line_of
from groupshot.cast import Cast, asked, strange
from groupshot.confusion import told
from groupshot.demo import demonstrated
from groupshot.doctor import examined, of_cast
from groupshot.errors import UserError
from groupshot.export import exported
from groupshot.fields import overrides
from groupshot.folders import check_free, check_writable, filled
from groupshot.masks import sightings
from groupshot.masks.segmenters import segmenter
from groupshot.methods import METHODS
from groupshot.overlays import SHEET, document, line, overlaid
from groupshot.pictures import drawn, tell_withheld
from groupshot.presets import fitted
from groupshot.previews import Showing, previewed
from groupshot.progress import watched
from groupshot.run import Run
from groupshot.runfolder import RECORD, Trained, read
from groupshot.scores.evaluation import FULL, NO_PRIOR, NOTHING, QUICK
from groupshot.scores.evaluation import evaluate as evaluated
from groupshot.stage import Method
from groupshot.strips import recalled
from groupshot.team import gathered


def train(options: Namespace) -> int:
    """Learn a cast, together with all processes that were launched to."""
    with gathered():
        return learn(options)


def learn(options: Namespace) -> int:
    """Learn a cast; with --json every step is a line, and the last names the run."""
    method = chosen(options.method, options.set)
    going_on = options.resume or (options.out / RECORD).is_file()  # a run itself offers --resume
    (check_writable if going_on else check_free)(options.out)
    if options.drawings:
        check_writable(options.drawings, "--drawings")
    cast = Cast.load(options.cast)
    base = Base.load(options.base, precision=options.precision, recompute=options.recompute)
    base.optimiser, base.microbatch = options.optimiser, options.microbatch
    base.drawings = options.drawings
    run = Run(
        cast,
        method=method(base),
        base=base,
        out=options.out,
        seed=options.seed,
        resume=options.resume,
    )
    if not run.finished:
        warn(run)
    for step in watched(run):
        if options.json:
            print(json.dumps(asdict(step)), flush=True)
    if options.json:
        print(json.dumps({"run": str(options.out), "names": list(cast.names)}))
    else:
        names = " and ".join(f"<{name}>" for name in cast.names)
        print(f"{options.out} has learned {names}. To see them:")
        print(f'groupshot generate {options.out} "{names}" -n 4 --out pictures')
    return 0


def generate(options: Namespace) -> int:
    """Draw pictures of what a run has learned."""
    check_free(options.out)
    names = read(options.run)["cast"]["concepts"]
    if not asked(options.prompt, names):
        called = " and ".join(f"<{name}>" for name in names)
        print(f"the prompt asks for nobody who was learned: write {called}", file=sys.stderr)
    run = Trained.load(options.run)
    if run.base.lexicon and (unknown := strange(options.prompt, run.base.lexicon)):
        print(f"the base does not know: {', '.join(unknown)}", file=sys.stderr)
    blank: list[str] = []
    with run.applied() as base, filled(options.out) as out:
        pictures = drawn(base, options.prompt, n=options.n, seed=options.seed, steps=options.steps)
        for i, picture in enumerate(tqdm(pictures, total=options.n, unit="picture")):
            picture.save(out / f"{i:03d}.png")
            if is_withheld(picture):
                blank.append(f"{i:03d}.png")
    tell_withheld(blank, "try another --seed")
    files = [
        {"file": str(options.out / f"{i:03d}.png"), "seed": options.seed + i}
        for i in range(options.n)
    ]
    show(options, {"prompt": options.prompt, "pictures": files}, [each["file"] for each in files])
    return 0


def export(options: Namespace) -> int:
    """Write what a run has learned as files for other tools, and say how they are used."""
    check_free(options.out)
    run = Trained.load(options.run)
    with filled(options.out) as out:
        usage = exported(run, options.format, out)
    files = sorted(str(file) for file in options.out.rglob("*") if file.is_file())
    show(options, {"format": options.format, "files": files}, [*files, "", usage])
    return 0


def demo(options: Namespace) -> int:
    """Learn two look-alikes, draw them together, and say how well that went."""
    scores = demonstrated(chosen(options.method, options.set), options.out)
    people = [f"{name.replace('_', ' '):>10}  {value:.2f}" for name, value in scores.items()]
    document = {"sheet": str(options.out / "sheet.png"), "scores": scores}
    show(options, document, [*people, f"look at {options.out / 'sheet.png'}"])
    return 0


def evaluate(options: Namespace) -> int:
    """Score a run with the bench's prompts and scores."""
    scores = asdict(evaluated(options.run, FULL))
    told = [f"{k.replace('_', ' '):>10}  {v:.2f}" for k, v in scores.items() if type(v) is float]
    if scores["present"] is None:
        told = ["its cast was not drawn by the toybox, so nobody knows what is true of it:", *told]
    elif right := [f"{k.replace('_', ' ')} {v:.2f}" for k, v in scores["attributes"].items()]:
        told.append(f"right, of those found: {', '.join(right)}")
    show(options, scores, told)
    return 0


def bench(options: Namespace) -> int:
    """Compare methods on casts from seeds; what is finished already is not made again."""
    few = options.quick
    typed = options.methods or ",".join(BASELINES if few else METHODS)
    casts = options.casts or (1 if few else 6)
    plan = Plan(
        suites=suites(options.suite),
        contenders=[*contenders(typed), *(() if options.undrawn else CEILINGS)],
        casts=range(options.cast_seed, options.cast_seed + casts),
        seeds=options.seeds,
    )
    weights = fingerprint(options.base)
    amounts = {QUICK: few, NO_PRIOR: options.no_prior, NOTHING: options.undrawn}
    amount = next((each for each, wanted in amounts.items() if wanted), FULL)
    terms = Terms(base=options.base, weights=weights, amount=amount)
    lines = benched(plan, terms, options.out, options.jobs)
    table, page = options.out / TABLE, options.out / PAGE
    document = {"table": str(table), "page": str(page), "cells": lines}
    show(options, document, [table.read_text(encoding="utf-8"), f"look at {page}"])
    return 0


def masks(options: Namespace) -> int:
    """Show what is taken to be each concept in each photo, and what a method makes of it."""
    check_free(options.out)
    showing = shown_method(options) if options.method else None
    sheets = [options.out / SHEET]
    with filled(options.out) as out:
        if (options.cast / RECORD).is_file():
            seen = recalled(options.cast, out)
        else:
            cast = Cast.load(options.cast)
            name = options.segmenter or card(folder(options.base)).segmenter
            place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            seen = overlaid(cast, sightings(cast, segmenter(name, place)), out)
            if showing:
                base = Base.load(options.base)
                sheets.append(options.out / previewed(showing(base), base, cast, out).name)
    looks = {file.stem: str(file) for file in sheets}
    photos = [document(each) for each in seen]
    lines = [*map(line, seen), *(f"look at {file}" for file in looks.values())]
    show(options, looks | {"photos": photos}, lines)
    return 0


def shown_method(options: Namespace) -> Callable[[Base], Showing]:
    """The method that is asked for, on a base, with the segmenter that is asked for."""
    check_method(options.method)
    if (options.cast / RECORD).is_file():
        raise UserError(f"{options.cast} is a run: with --method, give a cast")
    able = [name for name, kind in METHODS.items() if isinstance(kind(), Showing)]
    if options.method not in able:
        raise UserError(
            f"{options.method} makes no pictures to learn from that could be shown: leave --method "
            f"out, or take {', '.join(able)}"
        )
    said = [f"segmenter={options.segmenter}"] if options.segmenter else []
    method = chosen(options.method, [*said, *options.set])

    def showing(base: Base) -> Showing:
        made = method(base)
        assert isinstance(made, Showing)
        return made

    return showing


def methods(options: Namespace) -> int:
    """List the methods, or print the card and the fields of one."""
    if options.name is None:
        show(options, [described(name) for name in METHODS], [line_of(name) for name in METHODS])
    else:
        check_method(options.name)
        document = described(options.name)
        show(options, document, [document["card"], "", USUALLY, *field_lines(options.name)])
    return 0


def bases(options: Namespace) -> int:
    """List the known bases, or measure one: its scores afresh beside those on its card."""
    if options.check is None:
        document = list(known_bases())
        show(options, document, [*map(base_line, document), OTHERS])
        return 0
    source = folder(options.check)
    toybox: Any = import_module("groupshot.toybox")
    result = toybox.check(source, options.n, options.seed)
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


def doctor(options: Namespace) -> int:
    """Say what this machine has, what to do about what it lacks, and what is hard about a cast."""
    findings = examined()
    if options.cast is not None:
        findings += of_cast(Base.load(options.base), Cast.load(options.cast))
    lines = [f"{f.mark}  {f.name}: {f.says}" for f in findings]
    show(options, {f.name: {"ok": f.ok, "warns": f.warns, "says": f.says} for f in findings}, lines)
    return 0 if all(f.ok for f in findings) else 1


COMMANDS: Mapping[str, Callable[[Namespace], int]] = {
    command.__name__: command
    for command in (demo, train, generate, export, masks, evaluate, bench, methods, bases, doctor)
}


def warn(run: Run) -> None:
    """Say on stderr who is likely to be confused, and what is not used, before it is learned."""
    for words in (*told(run.base, run.cast), *unheeded(run.method, run.cast)):
        print(words, file=sys.stderr)


def unheeded(method: Method, cast: Cast) -> Iterator[str]:
    """What is to be said where masks were painted for a method that looks at none."""
    alone = sum(photo.mask_path is not None for c in cast.concepts for photo in c.photos)
    painted = alone + sum(len(each.mask_paths) for each in cast.together)
    fields = asdict(method)  # type: ignore[call-overload]
    if painted and not ("segmenter" in fields or fields.get("hand_masks")):
        offer = "; hand_masks=true does" if "hand_masks" in fields else ""
        yield f"{method.name} looks at no masks, so {painted} by hand are not used{offer}"


def check_method(name: str) -> None:
    """Refuse the name of no method, and offer the closest."""
    if name not in METHODS:
        close = get_close_matches(name, METHODS, n=3) or list(METHODS)
        raise UserError(f"there is no method '{name}': try {', '.join(close)}")


def chosen(name: str, settings: Iterable[str]) -> Callable[[Base], Method]:
    """A method as it is usual on a base, but for fields that are set from FIELD=VALUE texts."""
    check_method(name)
    return partial(fitted, METHODS[name], **overrides(METHODS[name], settings))


def show(options: Namespace, document: Any, lines: Iterable[str]) -> None:
    """Print a result, for programs or for people."""
    print(json.dumps(document, ensure_ascii=False) if options.json else "\n".join(lines))
