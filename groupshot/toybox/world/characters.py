"""A whole character as shapes on the canvas, from its identity and where it was placed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from groupshot.toybox.world.anatomy import BUILDS, LIGHT, POSES, Paint, paired, skull, trunk
from groupshot.toybox.world.dress import (
    ACCESSORIES,
    BELOW_EYES,
    MARKS,
    UNDER,
    eyes,
    patterned,
)
from groupshot.toybox.world.geometry import RGB, Points, Shape, ellipse, rotation, stroke, without
from groupshot.toybox.world.scenes import Placed
from groupshot.toybox.world.vocabulary import COLOURS, Identity

TALL = 92.0
"""Height of every body in local units, ears and hats aside."""


class Reach(NamedTuple):
    """Where the hands go, in local units; a hand that reaches over others is drawn last."""

    left: tuple[float, float]
    right: tuple[float, float]
    over: tuple[str, ...] = ()


class Layers(NamedTuple):
    """A character's shapes: most of it, and what lies over its neighbours."""

    main: list[Shape]
    over: list[Shape]


def painted(identity: Identity, rng: np.random.Generator) -> Paint:
    """The identity's colours, each a little off."""

    def near(name: str) -> RGB:
        r, g, b = np.clip(np.array(COLOURS[name]) + rng.normal(0, 4, 3), 0, 255).astype(int)
        return int(r), int(g), int(b)

    worn = identity.accessory_colour if identity.accessory != "none" else identity.colour
    return Paint(near(identity.colour), near(identity.second), near(worn))


def worn(identity: Identity, paint: Paint, names: tuple[str, ...], among: bool) -> Iterator[Shape]:
    """Accessory and mark, if they are (or are not) among the names."""
    for table, name in ((ACCESSORIES, identity.accessory), (MARKS, identity.mark)):
        if name != "none" and (name in names) == among:
            yield from table[name](identity.kind, paint)


def torso(identity: Identity, p: Paint) -> Iterator[Shape]:
    """Feet, body and what is on it, from back to front."""
    kind, feet = identity.kind, p.main
    cy, rx, ry = BUILDS[kind].torso
    if kind == "bird":
        feet = (248, 168, 40)
    yield from paired(ellipse(11, -4, 9.5, 5.5), feet, "legs")
    yield Shape(trunk(kind), p.main, "body")
    yield from patterned(kind, identity.pattern, p, "body")
    yield Shape(ellipse(0, cy + 3, rx * 0.56, ry * 0.66), p.second, "belly", rim=False)


def head(identity: Identity, p: Paint) -> Iterator[Shape]:
    """Head, face and eyes, from back to front."""
    build = BUILDS[identity.kind]
    yield Shape(skull(identity.kind), p.main, "head")
    yield from patterned(identity.kind, identity.pattern, p, "head")
    yield from build.face(build, p)
    yield from worn(identity, p, BELOW_EYES, among=True)
    yield from eyes(identity.kind)


def arm(identity: Identity, p: Paint, side: int, hand: tuple[float, float]) -> Iterator[Shape]:
    """One arm (side -1 left, 1 right) from its shoulder to the hand."""
    cy, rx, _ = BUILDS[identity.kind].torso
    shoulder = (side * rx * 0.72, cy - 9)
    wing = identity.kind == "bird"
    yield Shape(stroke([shoulder, hand], 13 if wing else 9), p.main, "arms")
    yield Shape(ellipse(*hand, 5, 5), p.second if wing else p.main, "arms", rim=False)


def shading(kind: str) -> Iterator[Shape]:
    """Light from the upper left: shadow on the far side of head and torso, a gleam on the near."""
    for surface, depth in ((trunk(kind), 5), (skull(kind), 6)):
        for piece in without(surface, surface - (depth, depth)):
            yield Shape(piece, (20, 14, 40), "nothing", rim=False, alpha=52)
    cy, rx, ry = BUILDS[kind].head
    gleam = ellipse(-rx * 0.42, cy - ry * 0.68, rx * 0.24, ry * 0.13, -24)
    yield Shape(gleam, LIGHT, "nothing", rim=False, alpha=120)


def shapes(placed: Placed, style: str, reach: Reach | None = None) -> Layers:
    """The character in place, in canvas coordinates."""
    rng = np.random.default_rng(placed.seed)
    who, paint = placed.identity, painted(placed.identity, rng)
    build = BUILDS[who.kind]
    hands = reach or Reach(*POSES[placed.pose])
    arms = {
        "left": [*arm(who, paint, -1, hands.left)],
        "right": [*arm(who, paint, 1, hands.right)],
    }
    stout = rng.normal(1, 0.03, 2)
    main = [
        *worn(who, paint, UNDER, among=True),
        *build.behind(build, paint),
        *torso(who, paint),
        *(s for side, limb in arms.items() if side not in hands.over for s in limb),
        *head(who, paint),
        *(shading(who.kind) if style == "shaded" else ()),
        *worn(who, paint, (*UNDER, *BELOW_EYES), among=False),
    ]
    over = [s for side in hands.over for s in arms[side]]
    matrix, shift = frame(placed, stout)
    return Layers(moved(main, matrix, shift), moved(over, matrix, shift))


def frame(placed: Placed, stout: Points | None = None) -> tuple[Points, Points]:
    """The affine map from local units to the canvas: points @ matrix + shift."""
    scale = placed.height / TALL * (np.ones(2) if stout is None else stout)
    mirror = np.diag(scale * ((-1, 1) if placed.flip else (1, 1)))
    return mirror @ rotation(placed.tilt), np.array((placed.x, placed.y))


def local(placed: Placed, x: float, y: float) -> tuple[float, float]:
    """A point of the canvas in the character's own units."""
    matrix, shift = frame(placed)
    u, v = (np.array((x, y)) - shift) @ np.linalg.inv(matrix)
    return float(u), float(v)


def moved(parts: list[Shape], matrix: Points, shift: Points) -> list[Shape]:
    """The shapes under an affine map."""
    points = (
        np.concatenate([s.points for s in parts]) @ matrix + shift if parts else np.empty((0, 2))
    )
    ends = np.cumsum([len(s.points) for s in parts])[:-1]
    return [s._replace(points=q) for s, q in zip(parts, np.split(points, ends), strict=False)]
