"""Separation: whether attention tells two things apart that are only ever seen together.

Their masks do not show it: equal shares and a CRF make two of any small difference.
"""

from collections.abc import Sequence

import torch

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import Visible
from groupshot.estep import Look, Scene, averaged
from groupshot.keep import Keep

TINY = 1e-12
"""Less attention than any."""


def likeness(base: Base, each: Scene, pair: Sequence[str], look: Look, g: torch.Generator) -> float:
    """How alike the attention to two things is over a photo: the correlation of its logarithms.

    Of shares of a softmax, logarithms tell how much harder one is looked for than the other.
    """
    maps = averaged(base, each, look, g)[0].cpu()
    two = maps[[each.shows.index(name) for name in pair]].flatten(1)
    return float(torch.corrcoef(two.clamp(min=TINY).log())[0, 1])


def check_apart(
    base: Base, cast: Cast, some: Sequence[Scene], look: Look, most: float, keep: Keep
) -> None:
    """Refuse two who are more alike than `most` in every photo, if nothing else parts them."""
    generator = keep.seeded("apart")
    for one, other in cast.entangled:
        pair = one.name, other.name
        both = [each for each in some if {*pair} <= {*each.shows}]
        if all(likeness(base, each, pair, look, generator) > most for each in both):
            raise Visible(
                f"attention takes {one.name} and {other.name} for one in every photo, as in "
                f"{both[0].photo}; see `groupshot masks {keep.folder.parent} --out masks`, then "
                f"say in cast.yaml who is where, as `where: {{{one.name}: left}}`, or add a photo "
                f"of {one.name} alone"
            )
