"""How well a reader reads: its card, measured on scenes that no training ever draws."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment

from groupshot.toybox.reader.reading import HERE, Reader, Reading, Seen
from groupshot.toybox.world import Picture, Scene, draw, dream
from groupshot.toybox.world.drawing import answers, layers
from groupshot.toybox.world.vocabulary import ATTRIBUTES, RELATIONS

HELD_OUT = 2
"""First word of the seeds measured on; training's begin with 1 (see `examples.dreamt`)."""

POPULATIONS = ("cast", "marked")
COUNTS = (0.35, 0.40, 0.15, 0.10)
"""Shares of measured scenes with one to four characters."""
FEW, MANY = (1, 4), (5, 10)

WHOLE = 0.98
"""Share of a character's silhouette that shows if it counts as unoccluded."""
SMALL = 40.0
"""Height in pixels up to which a character is small."""
SAME = 0.3
"""Least overlap (IoU) of a true and a read mask of one character."""
BATCH = 64

Change = Callable[[list[Image.Image]], list[Image.Image]]


def scene(number: int, counts: tuple[int, int]) -> Scene:
    """Held-out scene `number` with a count between two."""
    rng = np.random.default_rng([HELD_OUT, counts[0], number])
    if counts == FEW:
        count = int(rng.choice(4, p=COUNTS)) + 1
    else:
        count = int(rng.integers(counts[0], counts[1] + 1))
    return dream(rng, population=POPULATIONS[number % 2], count=count)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums and numbers of what was measured, by name."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, value: float) -> None:
        """Counts one more value."""
        self.sums[name] += float(value)
        self.numbers[name] += 1

    def means(self) -> dict[str, float]:
        """The mean of every name, to 4 digits."""
        return {k: round(self.sums[k] / self.numbers[k], 4) for k in sorted(self.sums)}


def silhouettes(picture: Picture) -> list[int]:
    """Pixels that each character would show if nobody stood before it."""
    stack = layers(picture.scene)
    alone = [[s for s in stack if s[0] == i + 1] for i in range(len(picture.scene.characters))]
    return [int((answers(mine)[..., 0] > 0).sum()) for mine in alone]


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def matched(picture: Picture, reading: Reading) -> dict[int, int]:
    """Which of the known characters read (values) is which of the true ones (keys)."""
    masks = [picture.owners == i + 1 for i in range(len(picture.scene.characters))]
    overlaps = np.array([[overlap(m, c.mask) * c.known for c in reading.characters] for m in masks])
    if overlaps.size == 0:
        return {}
    rows, columns = linear_sum_assignment(-overlaps)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {i: j for i, j in pairs if overlaps[i, j] >= SAME}


def judged(picture: Picture, reading: Reading, tally: Tally) -> None:
    """Adds to the tally how right a reading is."""
    true = picture.scene
    tally.add("count", len(reading.known) == len(true.characters))
    tally.add("background", reading.background == true.background)
    tally.add("style", reading.style == true.style)
    found = matched(picture, reading)
    full = silhouettes(picture)
    for i in range(len(true.characters)):
        seen = reading.characters[found[i]] if i in found else None
        clear = int((picture.owners == i + 1).sum()) >= WHOLE * full[i]
        compared(picture, i, seen, clear, tally)
    bound(true, reading, found, tally)


def compared(picture: Picture, i: int, seen: Seen | None, clear: bool, tally: Tally) -> None:
    """Adds how right one character is; a missed one is wrong in everything."""
    placed, mask = picture.scene.characters[i], picture.owners == i + 1
    tally.add("found", seen is not None)
    size = "small" if placed.height <= SMALL else "large"
    tally.add(f"mask.{size}", 0 if seen is None else overlap(mask, seen.mask))
    if seen is not None:
        tally.add("parts", (seen.parts == picture.parts)[mask & seen.mask].mean())
    for name in ATTRIBUTES:
        right = seen is not None and seen.attributes[name] == getattr(placed.identity, name)
        tally.add(f"all.{name}", right)
        if clear:
            tally.add(f"clear.{name}", right)


def bound(true: Scene, reading: Reading, found: Mapping[int, int], tally: Tally) -> None:
    """Adds how right every pair's relation is, with who is in front, rides, or is on the left."""
    said = reading.relations
    bonds = {frozenset((b.first, b.second)): b for b in true.bonds}
    for i, j in combinations(range(len(true.characters)), 2):
        bond = bonds.get(frozenset((i, j)))
        relation = RELATIONS[0] if bond is None else bond.relation
        first, second = (i, j) if bond is None else (bond.first, bond.second)
        ordered = relation in ("in front of", "riding")
        if first not in found or second not in found:
            right = False
        else:
            right = said.get((found[first], found[second])) == relation
            right |= not ordered and said.get((found[second], found[first])) == relation
        tally.add("relation", right)
        tally.add(f"relation.{relation}", right)


def drawn(numbers: range, counts: tuple[int, int]) -> Iterator[list[Picture]]:
    """Held-out pictures in batches."""
    for start in range(0, len(numbers), BATCH):
        yield [draw(scene(n, counts)) for n in numbers[start : start + BATCH]]


def same(pictures: list[Image.Image]) -> list[Image.Image]:
    """The pictures as they are."""
    return pictures


def figures(
    reader: Reader, n: int, counts: tuple[int, int], change: Change = same
) -> dict[str, float]:
    """Shares right over n held-out scenes; `change` is done to the pictures before reading."""
    tally = Tally()
    for pictures in drawn(range(n), counts):
        images = change([Image.fromarray(p.image) for p in pictures])
        for picture, reading in zip(pictures, reader.read(images), strict=True):
            judged(picture, reading, tally)
    return tally.means()


def emptied(one: Scene) -> Scene:
    """A scene without anybody in it."""
    return replace(one, characters=(), bonds=())


def garbage(number: int) -> dict[str, NDArray[np.uint8]]:
    """Pictures of no character: a background, noise, a blend and a chimera of two characters."""
    rng = np.random.default_rng([HELD_OUT, 99, number])
    one = dream(rng, population="cast", count=1)
    other = dream(rng, population="cast", count=1)
    while other.characters[0].identity.kind == one.characters[0].identity.kind:
        other = dream(rng, population="cast", count=1)
    there = replace(one.characters[0], identity=other.characters[0].identity)
    first, second = draw(one).image, draw(replace(one, characters=(there,))).image
    middle = int(one.characters[0].y - one.characters[0].height * 0.5)
    rough = rng.normal(128, 60, (128, 128, 3)).clip(0, 255).astype(np.uint8)
    side = 2 ** int(rng.integers(2, 6))
    cloud = rng.normal(128, 60, (side, side, 3)).clip(0, 255).astype(np.uint8)
    return {
        "background": draw(emptied(one)).image,
        "noise": rough,
        "clouds": np.asarray(Image.fromarray(cloud).resize((128, 128), Image.Resampling.BICUBIC)),
        "blend": ((first.astype(int) + second) // 2).astype(np.uint8),
        "chimera": np.concatenate([first[:middle], second[middle:]]),
    }


def mistaken(reader: Reader, n: int) -> dict[str, float]:
    """For every sort of garbage, the share of pictures in which a known character is read."""
    tally = Tally()
    for start in range(0, n, BATCH):
        made = [garbage(k) for k in range(start, min(n, start + BATCH))]
        for name in made[0]:
            for reading in reader.read([Image.fromarray(m[name]) for m in made]):
                tally.add(name, len(reading.known) > 0)
    return tally.means()


def measured(name: str, n: int, vae: Path | None) -> dict[str, Any]:
    """The card's figures for shipped weights."""
    reader = Reader.load(name)
    card: dict[str, Any] = {
        "command": f"python -m groupshot.toybox.reader measure --name {name} -n {n}",
        "scenes": n,
        "1-4 characters": figures(reader, n, FEW),
        "5-10 characters": figures(reader, n // 5, MANY),
        "garbage read as known": mistaken(reader, n // 5),
    }
    if vae is not None:
        from groupshot.toybox.training.roundtrip import round_trip

        card["1-4 characters, after the VAE"] = figures(reader, n // 5, FEW, round_trip(vae))
    return card


def stored(name: str, card: dict[str, Any]) -> None:
    """Puts the figures beside the weights, with what was there about their training."""
    path = HERE / f"{name}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **card}, indent=2) + "\n")
