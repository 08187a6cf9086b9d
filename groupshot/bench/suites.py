"""The suites: what kind of cast is learned, and how many of it at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.folders import filled
from groupshot.toybox import troupes
from groupshot.toybox.casts import Troupe, save, save_hand_masks, save_true_masks


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Casts of one kind."""

    troupe: Callable[[int, int], Troupe]
    """The cast of a seed and a size."""
    sizes: tuple[int, ...]
    """How many are learned at once: every size is a cell of its own."""
    shows: str
    """What it is about, for people."""


SUITES = {
    "single": Suite(
        troupe=lambda seed, _: troupes.single(seed), sizes=(1,), shows="one concept, alone"
    ),
    "pairs": Suite(
        troupe=lambda seed, _: troupes.pair(seed),
        sizes=(2,),
        shows="two of one class, each learned from its own photos",
    ),
    "trios": Suite(
        troupe=lambda seed, _: troupes.trio(seed),
        sizes=(3,),
        shows="three, two of them of one class",
    ),
    "entangled": Suite(
        troupe=lambda seed, _: troupes.entangled(seed),
        sizes=(2,),
        shows="two that are only ever seen together, or with others, and no masks",
    ),
    "entangled-trios": Suite(
        troupe=lambda seed, _: troupes.entangled_trio(seed),
        sizes=(3,),
        shows="three that are only ever seen together, and no masks",
    ),
    "crowd": Suite(
        troupe=troupes.crowd, sizes=troupes.SIZES, shows="up to ten at once, in pairs of one class"
    ),
}
"""Every suite by the name it has on the command line."""

ENTANGLED = ("entangled", "entangled-trios")
"""Those whose concepts share all their photos."""


def suites(typed: str) -> list[str]:
    """Read `pairs,trios`, each once; UserError where something is no suite."""
    names = [name.strip() for name in typed.split(",")]
    for name in names:
        if name not in SUITES:
            raise UserError(f"there is no suite '{name}': try {', '.join(SUITES)}")
    return list(dict.fromkeys(names))


def cast_in(folder: Path, troupe: Troupe, hand_masks: bool) -> Cast:
    """The cast in a folder, saved if it is not there yet; with hand masks where they are given."""
    if not folder.exists():
        with filled(folder) as draft:
            save(draft, troupe)
            save_true_masks(draft, troupe.album)
            if hand_masks:
                save_hand_masks(draft, troupe.album)
    return Cast.load(folder)
