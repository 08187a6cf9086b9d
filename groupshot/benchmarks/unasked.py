"""What the judge is not asked for: `python -m groupshot.benchmarks.unasked`.

In some poses a part is out of sight, or hard to tell. Printed for each suite, and in it for each
degree of difficulty: the share of all attributes that are not asked for, and of each of them.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from groupshot.bench.suites import SUITES, cast_in, suites
from groupshot.scores.asks import asks
from groupshot.scores.likeness import truth_of
from groupshot.scores.sight import hidden
from groupshot.toybox.casts import truth
from groupshot.toybox.reader import Reader


def unasked(suite: str, casts: int) -> dict[str, dict[str, float]]:
    """By degree: the share of members of whom an attribute is not asked; of all attributes: all."""
    judge, kind = Reader.load(), SUITES[suite]
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    out_of_sight: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for seed in tqdm(range(casts), desc=suite, unit="cast"):
        with TemporaryDirectory() as place:
            cast = cast_in(Path(place) / "cast", kind.troupe(seed, kind.sizes[0]), hand_masks=False)
            people, true = truth(cast.folder), truth_of(cast.folder)
            for ask in asks(cast):
                for name, missing in hidden(ask, people, true, judge).items():
                    counted[ask.degree].update([*true[name], *["all"] * len(true[name])])
                    out_of_sight[ask.degree].update([*missing, *["all"] * len(missing)])
    return {
        degree: {key: out_of_sight[degree][key] / n for key, n in counts.items()}
        for degree, counts in counted.items()
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", metavar="S,…", type=suites, default=["pairs", "trios"])
    parser.add_argument("--casts", metavar="N", type=int, default=6, help="of each suite (6)")
    options = parser.parse_args()
    for suite in options.suite:
        for degree, shares in unasked(suite, options.casts).items():
            apart = ", ".join(f"{key} {share:.1%}" for key, share in shares.items() if key != "all")
            print(f"{suite}, {degree}: {shares['all']:.1%} ({apart})")


if __name__ == "__main__":
    main()
