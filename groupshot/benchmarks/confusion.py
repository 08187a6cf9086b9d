"""Who is confused with whom: `python -m groupshot.benchmarks.confusion OUT`.

CLIF's figure 2 (arXiv 2405.06914), redone: concepts of drawn casts are learned together, with the
contrast and without it; every two of a cast are drawn side by side; and how often they are mixed is
set against how far apart their embeddings are. Beside it, maps of the embeddings: as class words,
after the contrast alone, and as they are learned in the end.

Begun again, it goes on where it was. What is made lies in OUT: casts, runs, points, and what comes
of them: figure.svg, map-SEED.svg and correlations.json.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from scipy.stats import pearsonr, spearmanr

from groupshot.base import Base, quiet
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
from groupshot.samples import with_article
from groupshot.scores.likeness import likeness, truth_of
from groupshot.toybox.casts import save
from groupshot.toybox.reader import Reader
from groupshot.toybox.troupes import NAMES, crowd

SETTINGS, CORRELATIONS = "settings.json", "correlations.json"

CORRELATION: Mapping[str, Any] = {"pearson": pearsonr, "spearman": spearmanr}

WITH, WITHOUT = "with the contrast", "without it"
CONTRASTED = "the contrast alone"


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
    for seed in range(settings.seed, settings.seed + settings.casts):
        cast = drawn_cast(out / "casts" / str(seed), seed, settings.concepts)
        runs = {
            way: learned(cast, method, base, out / "runs" / f"{seed}-{way.replace(' ', '-')}")
            for way, method in settings.ways.items()
        }
        for way in (WITHOUT, WITH):
            add_points(runs[way], judge, settings.pictures, out / "points" / str(seed) / way)
        save_text(out / f"map-{seed}.svg", scattered(maps(cast, base, runs), classes(cast)))
    points = [Point(**load_json(file)) for file in sorted((out / "points").rglob("*.json"))]
    save_text(out / "figure.svg", figure(points))
    save_json(out / CORRELATIONS, correlations(points))


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


def add_points(run: Trained, judge: Reader, pictures: int, folder: Path) -> None:
    """A file for every two of a cast that has none yet."""
    with run.base.computing(run.record["precision"]), run.learned.applied_to(run.base) as base:
        for names in combinations(base.words, 2):
            file = folder / f"{'-and-'.join(names)}.json"
            if not file.is_file():
                save_json(file, {"way": folder.name, **point(run, judge, names, pictures)})


def point(run: Trained, judge: Reader, names: tuple[str, str], pictures: int) -> dict[str, Any]:
    """How near two concepts are, and how often they are confused; with the base as it stands."""
    base, truth = run.base, truth_of(Path(run.record["cast"]["folder"]))
    said = [f"<{name}>" for name in names]
    prompt = base.card.templates[0].format(" and ".join(said))
    likes = [likeness(r, names, truth) for r in judge.read(generate(base, prompt, n=pictures))]
    one, other = (truth[name]["kind"] for name in names)
    return {
        "names": names,
        "distance": distances(base, said)[0, 1].item(),
        "mixed": fmean(m for like in likes for m in like.mixed),
        "missing": fmean(seen is None for like in likes for seen in like.found),
        "alike": one == other,
    }


def maps(cast: Cast, base: Base, runs: Mapping[str, Trained]) -> dict[str, torch.Tensor]:
    """The embeddings of a cast: as class words, and as each run has them."""
    words = [with_article(noun) for noun in classes(cast).values()]
    found = {"class words": embeddings(base, words)}
    for way in (CONTRASTED, WITHOUT, WITH):
        with runs[way].learned.applied_to(base):
            found[way] = embeddings(base, [f"<{name}>" for name in cast.names])
    return found


def classes(cast: Cast) -> dict[str, str]:
    """The class word of every concept."""
    return {concept.name: concept.noun or "" for concept in cast.concepts}


def correlations(points: list[Point]) -> dict[str, dict[str, float]]:
    """Of distance with confusion, for each way; none where either is always the same."""
    return {way: dict(correlated([p for p in points if p.way == way])) for way in (WITHOUT, WITH)}


def correlated(points: list[Point]) -> Iterator[tuple[str, float]]:
    """How many points, how confused they are, and Pearson's and Spearman's correlation."""
    near, confused = [p.distance for p in points], [p.confusion for p in points]
    yield "pairs", len(points)
    yield "mixed", fmean(p.mixed for p in points)
    yield "missing", fmean(p.missing for p in points)
    if len(set(near)) > 1 and len(set(confused)) > 1:
        for name, correlation in CORRELATION.items():
            yield name, correlation(near, confused).statistic


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
    for way, found in load_json(out / CORRELATIONS).items():
        print(f"{way}:", ", ".join(f"{name} {value:.3g}" for name, value in found.items()))


if __name__ == "__main__":
    main()
