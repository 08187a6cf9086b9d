"""Spots: where things go on a canvas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, count
from math import cos, radians, sin

import torch
from torch import Generator

from groupshot.samples.batch import tossed
from groupshot.samples.crops import Box
from groupshot.samples.cutouts import Cutout, Edges

TRIES = 20
"""How often a layout is drawn before everything in it becomes smaller."""
SHRINKING = 0.9
UNPINNED = 0.5
"""Shrunk to this, cut edges may lie anywhere: two that end in the same corner can't be apart."""

ENLARGED = 1.5
"""How far a cut-out may be enlarged: beside a sharp backdrop a soft one looks pasted."""

APART = 0.2
"""How far apart two middles are that are called left and right, as a share of the canvas."""

Interval = tuple[float, float]
"""From, to: what is drawn is uniform between them."""
EVERYWHERE, LEFT, RIGHT = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is drawn at random about things on a canvas, and what is not allowed.

    Neither CLIF nor FaR says how its pictures are laid out: the defaults are ours.
    """

    size: Interval = (0.35, 0.6)
    """The longer side of each, as a share of the canvas; none is enlarged far beyond its own."""
    feet: Interval = (0.0, 1.0)
    """How far down the lower edge of each is, as a share of the canvas."""
    flip: float = 0.5
    """The chance that one is mirrored."""
    turn: float = 0.0
    """The most that one is turned to either side, in degrees."""
    overlap: float = 0.1
    """The largest intersection over union of two boxes; 1 allows any."""
    hidden: float = 0.4
    """The largest share of one's box behind those in front of it."""
    light: float = 0.0
    """How far each follows the light of its new place (see `lights.relit`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where one thing goes, and how."""

    box: Box
    flip: bool
    turn: float
    """In degrees, against the clock."""


def scattered(
    things: Sequence[Cutout], canvas: int, rules: Rules, generator: Generator
) -> list[Spot]:
    """A spot for each thing, anywhere that the rules allow."""

    def draw(shrink: float) -> list[Spot]:
        return [spot(each, canvas, rules, EVERYWHERE, shrink, generator) for each in things]

    return settled(draw, lambda spots: allowed(spots, rules))


def beside(
    things: tuple[Cutout, Cutout], canvas: int, rules: Rules, generator: Generator
) -> list[Spot]:
    """A spot for each of two, one of them (a coin says which) clearly on the left."""
    halves = (LEFT, RIGHT) if tossed(generator) else (RIGHT, LEFT)

    def draw(shrink: float) -> list[Spot]:
        return [
            spot(each, canvas, rules, half, shrink, generator)
            for each, half in zip(things, halves, strict=True)
        ]

    def clear(spots: list[Spot]) -> bool:
        one, other = (middle(each.box) for each in spots)
        return allowed(spots, rules) and abs(one - other) >= APART * canvas

    return settled(draw, clear)


def settled(draw: Callable[[float], list[Spot]], right: Callable[[list[Spot]], bool]) -> list[Spot]:
    """The first layout drawn that is right; everything in it is smaller after each few tries."""
    layouts = (draw(SHRINKING ** (attempt // TRIES)) for attempt in count())
    return next(filter(right, layouts))


def spot(
    thing: Cutout, canvas: int, rules: Rules, across: Interval, shrink: float, generator: Generator
) -> Spot:
    """A random spot, its middle in a part of the canvas; cut edges stay at the canvas's edges."""
    mirrored, tilt, longer, x, y = torch.rand(5, generator=generator).tolist()
    flip, edges = mirrored < rules.flip, thing.cut if shrink > UNPINNED else Edges()
    edges = edges.mirrored if flip else edges
    if (edges.left and across == RIGHT) or (edges.right and across == LEFT):
        flip, edges = not flip, edges.mirrored
    turn = 0.0 if any(edges) else rules.turn * (2 * tilt - 1)
    width, height = extent(thing, between(rules.size, longer) * shrink, canvas, turn)
    low, high = (share * canvas for share in across)
    centre = between((max(low, width / 2), min(high, canvas - width / 2)), x)
    foot = max(height, between(rules.feet, y) * canvas)
    left = begun(canvas - width, centre - width / 2, (edges.left, edges.right))
    hanging = edges.top and height >= rules.feet[0] * canvas  # or it would float in the sky
    top = begun(canvas - height, foot - height, (hanging, edges.bottom))
    return Spot(box=(left, top, left + width, top + height), flip=flip, turn=turn)


def extent(thing: Cutout, share: float, canvas: int, turn: float) -> tuple[int, int]:
    """Width and height of a turned thing whose longer side is a share of the canvas."""
    across, down = thing.picture.size
    c, s = abs(cos(radians(turn))), abs(sin(radians(turn)))
    width, height = across * c + down * s, across * s + down * c
    longer = max(width, height)
    scale = min(share * canvas, ENLARGED * longer, canvas) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def begun(room: int, wanted: float, cut: tuple[bool, bool]) -> int:
    """Where a side begins: at the edge where it is cut, or within the room where it is wanted."""
    first, last = cut
    if first != last:
        return 0 if first else room
    return min(room, max(0, round(wanted)))


def allowed(spots: Sequence[Spot], rules: Rules) -> bool:
    """Whether no two boxes overlap too much, and none is too much hidden by those before it."""
    boxes = [spots[i].box for i in back_to_front(spots)]
    return all(iou(a, b) <= rules.overlap for a, b in combinations(boxes, 2)) and all(
        sum(shared(box, before) for before in boxes[i + 1 :]) <= rules.hidden * area(box)
        for i, box in enumerate(boxes)
    )


def back_to_front(spots: Sequence[Spot]) -> list[int]:
    """The order in which things are laid down: who stands lower on the canvas is in front."""
    return sorted(range(len(spots)), key=lambda i: spots[i].box[3])


def between(interval: Interval, share: float) -> float:
    """The point of an interval at a share of its length."""
    low, high = interval
    return low + (high - low) * share


def middle(box: Box) -> float:
    """The middle of a box, across."""
    return (box[0] + box[2]) / 2


def area(box: Box) -> int:
    """Of a box, 0 for one that ends before it begins."""
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def shared(a: Box, b: Box) -> int:
    """The area that two boxes share."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    return shared(a, b) / (area(a) + area(b) - shared(a, b))
