"""Who is confused with whom: `python -m groupshot.benchmarks.confusion OUT`.

CLIF's figure 2 (arXiv 2405.06914), redone: every two members of drawn casts are drawn together, and
how often they are confused is set against how far apart their embeddings are. Three times: by the
untouched base, which is told in words what they look like, and learned together, with the contrast
and without it. Beside it, maps of the embeddings: as they begin, after the contrast alone, and as
they are learned in the end.

Where the paper goes by a detector's confidences, the toybox's judge tells who has what of the other
of the two, and who is not there. Embeddings are at the end of the text, of unit length. Members of
one class are near each other and hard to tell apart, whatever they are called, so the correlation
is told within one class, and within two, too.

Begun again, it goes on where it was. What is made lies in OUT: casts, runs, points, and what comes
of them: figure.svg, map-SEED.svg and correlations.json.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr

from groupshot.base import Base, faster, quiet
from groupshot.benchmarks.confusion_plots import Point, figure, scattered
from groupshot.cast import Cast
from groupshot.confusion import distances, embeddings
from groupshot.errors import UserError
from groupshot.fields import overrides
from groupshot.files import load_json, save_json, written
from groupshot.methods import Clif
from groupshot.pictures import generate
from groupshot.progress import watched
from groupshot.run import Run
from groupshot.runfolder import Trained
from groupshot.samples import nouns
from groupshot.scores.likeness import Judge, Truth, likeness, truth_of
from groupshot.toybox import world
from groupshot.toybox.casts import save
from groupshot.toybox.reader import Reader
from groupshot.toybox.troupes import NAMES, crowd
from groupshot.weights import copied_tokens

SETTINGS, CORRELATIONS = "settings.json", "correlations.json"

TOLD, WITH, WITHOUT = "told in words", "with the contrast", "without it"
CONTRASTED = "the contrast alone"
WAYS = (TOLD, WITHOUT, WITH)

GROUPS: Mapping[str, Callable[[Point], bool]] = {
    "all": lambda point: True,
    "one class": lambda point: point.alike,
    "two classes": lambda point: not point.alike,
}
"""The pairs among which there may be a correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a cast is asked for by."""

    said: Mapping[str, str]
    """What each member is called in a prompt."""
    truth: Truth
    pictures: int
    """Of every two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What must be the same when a measurement goes on."""

    casts: int
    concepts: int
    """In each cast; half as many classes."""
    pictures: int
    """Of every two; the paper's 4."""
    seed: int
    """Of the first cast."""
    base: str
    fields: Mapping[str, Any]
    """Of the method, as far as they were set."""

    @property
    def ways(self) -> dict[str, Clif]:
        """The trainings of each cast."""
        method = Clif(**self.fields)
        return {
            WITHOUT: replace(method, contrastive=False),
            WITH: replace(method, contrastive=True),
            CONTRASTED: replace(method, contrastive=True, token_steps=0, steps=0),
        }


def measured(settings: Settings, out: Path) -> None:
    """Make what is missing, then the figure, the maps and the correlations."""
    begun(settings, out)
    base, judge = Base.load(settings.base), Reader.load()
    base.precision = faster(base)
    for seed in range(settings.seed, settings.seed + settings.casts):
        cast = drawn_cast(out / "casts" / str(seed), seed, settings.concepts)
        runs = {
            way: learned(cast, method, base, out / "runs" / f"{seed}-{way.replace(' ', '-')}")
            for way, method in settings.ways.items()
        }
        truth, points = truth_of(cast.folder), out / "points" / str(seed)
        told = Asked(said=in_words(seed, truth), truth=unmarked(truth), pictures=settings.pictures)
        add_points(base, judge, told, points / TOLD)
        for way in (WITHOUT, WITH):
            asked = replace(told, said={name: f"<{name}>" for name in truth}, truth=truth)
            with runs[way].learned.applied_to(base):
                add_points(base, judge, asked, points / way)
        save_text(out / f"map-{seed}.svg", scattered(maps(cast, base, runs), classes(cast)))
    points = [Point(**load_json(file)) for file in sorted((out / "points").rglob("*.json"))]
    found = correlations(points)
    save_json(out / CORRELATIONS, found)
    notes = {
        way: f"r = {groups['all']['pearson']:.2f}"
        for way, groups in found.items()
        if "pearson" in groups.get("all", {})
    }
    in_order = sorted(points, key=lambda point: WAYS.index(point.way))
    save_text(out / "figure.svg", figure(in_order, notes))


def begun(settings: Settings, out: Path) -> None:
    """Note the settings; a UserError where the folder was begun with others."""
    file, now = out / SETTINGS, json.loads(json.dumps(asdict(settings)))
    if file.is_file() and load_json(file) != now:
        raise UserError(f"{out} was begun with {load_json(file)}: use the same, or another folder")
    save_json(file, now)


def drawn_cast(folder: Path, seed: int, concepts: int) -> Cast:
    """A cast of look-alikes, two of each class."""
    if not (folder / "cast.yaml").is_file():
        save(folder, crowd(seed, concepts))
    return Cast.load(folder)


def learned(cast: Cast, method: Clif, base: Base, out: Path) -> Trained:
    """What a method has learned of a cast, by now or before."""
    run = Run(cast, method=method, base=base, out=out, resume=out.exists())
    for _ in watched(run):
        pass
    return run.trained()


def in_words(seed: int, truth: Truth) -> dict[str, str]:
    """What each member of a cast looks like, as the world says it; it has no words for marks."""
    rng, people = np.random.default_rng(seed), crowd(seed, len(truth)).people
    return {name: world.described(rng, people[name], degree=3) for name in truth}


def unmarked(truth: Truth) -> Truth:
    """What can be told in words of who looks how."""
    return {name: {k: v for k, v in own.items() if k != "mark"} for name, own in truth.items()}


def add_points(base: Base, judge: Judge, asked: Asked, folder: Path) -> None:
    """A file for every two of a cast that has none yet, drawn by the base as it stands."""
    for names in combinations(asked.said, 2):
        file = folder / f"{'-and-'.join(names)}.json"
        if not file.is_file():
            save_json(file, {"way": folder.name, **point(base, judge, asked, names)})


def point(base: Base, judge: Judge, asked: Asked, names: tuple[str, str]) -> dict[str, Any]:
    """How near two members of a cast are, and how often each is taken for the other."""
    said, truth = [asked.said[name] for name in names], {name: asked.truth[name] for name in names}
    prompt = base.card.templates[0].format(" and ".join(said))
    drawn = judge.read(generate(base, prompt, n=asked.pictures))
    likes = [likeness(reading, names, truth) for reading in drawn]
    return {
        "names": names,
        "distance": distances(base, said)[0, 1].item(),
        "mixed": fmean(m for like in likes for m in like.mixed),
        "missing": fmean(seen is None for like in likes for seen in like.found),
        "alike": len({own["kind"] for own in truth.values()}) == 1,
    }


def maps(cast: Cast, base: Base, runs: Mapping[str, Trained]) -> dict[str, torch.Tensor]:
    """The embeddings of a cast: as they begin, and as each run has them."""
    words = [f"<{name}>" for name in cast.names]
    with base.borrowed():
        copied_tokens(base, nouns(cast), runs[CONTRASTED].record["fields"]["vectors"])
        found = {"as they begin": embeddings(base, words)}
    for way in (CONTRASTED, WITHOUT, WITH):
        with runs[way].learned.applied_to(base):
            found[way] = embeddings(base, words)
    return found


def classes(cast: Cast) -> dict[str, str]:
    """The class word of every concept."""
    return {concept.name: concept.noun or "" for concept in cast.concepts}


def correlations(points: Sequence[Point]) -> dict[str, dict[str, dict[str, float]]]:
    """Of distance with confusion, for each way and each of GROUPS."""
    return {
        way: {
            name: dict(correlated(some))
            for name, of in GROUPS.items()
            if (some := [p for p in points if p.way == way and of(p)])
        }
        for way in WAYS
    }


def correlated(points: Sequence[Point]) -> Iterator[tuple[str, float]]:
    """How many points, how far apart and how confused, and Pearson's and Spearman's correlation.

    With the bounds of Pearson's 95 % interval; no correlation where either is always the same.
    """
    near, confused = [p.distance for p in points], [p.confusion for p in points]
    yield "pairs", len(points)
    yield "distance", fmean(near)
    yield "mixed", fmean(p.mixed for p in points)
    yield "missing", fmean(p.missing for p in points)
    if len(set(near)) > 1 and len(set(confused)) > 1:
        pearson: Any = pearsonr(near, confused)
        spearman: Any = spearmanr(near, confused)
        yield "pearson", pearson.statistic
        yield from zip(("low", "high"), pearson.confidence_interval(), strict=True)
        yield "spearman", spearman.statistic


def save_text(file: Path, text: str) -> None:
    """Write a file of text."""
    with written(file) as draft:
        draft.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--casts", type=int, default=2)
    parser.add_argument("--concepts", type=int, default=8, choices=range(2, len(NAMES) + 1))
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE")
    asked = vars(parser.parse_args())
    out, fields = asked.pop("out"), overrides(Clif, asked.pop("set"))
    quiet()
    measured(Settings(fields=fields, **asked), out)
    for way, groups in load_json(out / CORRELATIONS).items():
        for group, found in groups.items():
            values = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
            print(f"{way}, {group}: {values}")


if __name__ == "__main__":
    main()
