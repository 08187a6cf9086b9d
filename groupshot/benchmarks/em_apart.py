"""How alike two words' attention is at first: `python -m groupshot.benchmarks.em_apart`.

Entangled casts of the toybox, each word at its class noun, and then both at the first one's:
`concept-driven` refuses two whose attention is more alike than its field `alike` in all photos.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from groupshot.base import Base, faster, quiet
from groupshot.bench.suites import SUITES, cast_in
from groupshot.cast import Cast
from groupshot.keep import Keep, seeded
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.samples import nouns
from groupshot.separation import likeness

Likenesses = dict[str, list[float]]
"""Of two things in each photo that shows both, with the words as they begin."""


def measure(base: Base, method: ConceptDrivenEM, seed: int, most: int) -> Likenesses:
    """What is found in a cast's first photos of both."""
    with tempfile.TemporaryDirectory() as place:
        cast = cast_in(Path(place) / "cast", SUITES["entangled"].troupe(seed, 2), False)
        own = nouns(cast)
        one = {name: own[pair(cast)[0]] if name in pair(cast) else own[name] for name in own}
        return {
            way: list(likenesses(base, method, cast, words, most))
            for way, words in (("own", own), ("one", one))
        }


def pair(cast: Cast) -> list[str]:
    """The two things of a cast."""
    return [each.name for each in cast.concepts if each.kind == "thing"]


def likenesses(
    base: Base, method: ConceptDrivenEM, cast: Cast, words: dict[str, str], most: int
) -> Iterator[float]:
    """How alike the attention to the two is, whose words begin as these."""
    with tempfile.TemporaryDirectory() as place, base.borrowed():
        method.rows(base, words, Keep(Path(place), 0))
        both = [each for each in method.scenes(base, cast) if {*pair(cast)} <= {*each.shows}]
        for each in both[:most]:
            yield likeness(base, each, pair(cast), method.look, seeded(0, each.photo))


def main() -> None:
    """Read the command line, measure, and print a line for each cast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--casts", type=int, default=6)
    parser.add_argument("--cast-seed", type=int, default=1002, help="of the first (1002)")
    parser.add_argument("--photos", type=int, default=2, help="of each cast (2)")
    parser.add_argument("--base", default="toybox")
    asked = parser.parse_args()
    quiet()
    base = Base.load(asked.base)
    base.precision = faster(base)
    method = fitted(ConceptDrivenEM, base)
    print(f"{f'least of {asked.photos} photos':24}{'its own noun':>16}{'one noun':>12}")
    for seed in range(asked.cast_seed, asked.cast_seed + asked.casts):
        found = measure(base, method, seed, asked.photos)
        what = f"{seed}, {SUITES['entangled'].troupe(seed, 2).variant}"
        print(f"{what:24}{min(found['own']):16.3f}{min(found['one']):12.3f}", flush=True)


if __name__ == "__main__":
    main()
