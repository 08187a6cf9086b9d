"""CLIF's collages to look at: `python -m groupshot.benchmarks.collage_sheet CAST FILE`.

What a cast is cut into, the common things that the base has drawn, and some collages of each kind.
`--set` changes fields of the method, as in `groupshot train`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image as Picture

from groupshot.base import Base, quiet
from groupshot.cast import Cast
from groupshot.fields import overrides
from groupshot.keep import seeded
from groupshot.masks import kept, restored, sightings
from groupshot.masks.segmenters import finder
from groupshot.methods import Clif
from groupshot.report import Row, sheet
from groupshot.samples import Collage, Cutout, Pieces, plain, priors

COLUMNS = 10
"""Pictures in a row."""


def rows(base: Base, cast: Cast, method: Clif, seed: int) -> list[Row]:
    """Everything that a method makes of a cast."""
    masks = restored(cast, kept(sightings(cast, finder(method.segmenter, base))))
    own = priors(base, method.words(base), method.common_each, seeded(seed, "common"))
    pieces = method.pieces(base, cast, masks, own)
    made = method.made(base, pieces, seeded(seed, "collages"))
    return [*shown_pieces(pieces), *shown_collages(made)]


def shown_pieces(pieces: Pieces) -> list[Row]:
    """Rows of cut-outs: of each concept whole and in parts, and of common things."""
    found: list[Row] = []
    for name, things in pieces.wholes.items():
        found.append(shown(f"{name}, whole", things[:COLUMNS]))
        own = pieces.parts.get(name, [])
        apart = {part.words: part for part in own}
        found.append(shown(f"{name}, {len(own)} parts", list(apart.values())[:COLUMNS]))
    common = [things[0] for things in pieces.common.values()]
    number = sum(map(len, pieces.common.values()))
    return [*found, shown(f"{number} common things", common[:COLUMNS])]


def shown(heading: str, things: Sequence[Cutout]) -> Row:
    """A row of cut-outs with what captions call them."""
    return Row(
        heading=heading,
        pictures=[on_white(thing.picture) for thing in things],
        captions=[thing.words for thing in things],
    )


def on_white(cutout: Picture) -> Picture:
    """A cut-out in the middle of a white square."""
    white = plain(max(cutout.size)).picture
    left, top = ((white.width - side) // 2 for side in cutout.size)
    white.paste(cutout, (left, top), cutout)
    return white


def shown_collages(made: Sequence[Collage]) -> list[Row]:
    """Two rows of each kind."""
    found: list[Row] = []
    for kind in dict.fromkeys(each.kind for each in made):
        some = [each for each in made if each.kind == kind]
        for start in range(0, min(len(some), 2 * COLUMNS), COLUMNS):
            few = some[start : start + COLUMNS]
            heading = f"{kind}: {len(some)} collages" if start == 0 else ""
            pictures = [each.picture for each in few]
            captions = [each.phrase for each in few]
            found.append(Row(heading=heading, pictures=pictures, captions=captions))
    return found


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cast", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE")
    asked = parser.parse_args()
    quiet()
    base, cast = Base.load(asked.base), Cast.load(asked.cast)
    page = sheet(rows(base, cast, Clif(**overrides(Clif, asked.set)), asked.seed))
    page.save(asked.file)


if __name__ == "__main__":
    main()
