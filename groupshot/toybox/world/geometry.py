"""Shapes as point lists: what everything in the world is drawn with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

Points = np.ndarray
"""Corners of a polygon, [n, 2], x to the right and y down."""
RGB = tuple[int, int, int]

TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False)
CIRCLE = np.stack([np.cos(TURN), np.sin(TURN)], 1)


class Shape(NamedTuple):
    """One filled polygon: what it looks like, and which part of a character it is."""

    points: Points
    fill: RGB
    part: str = "nothing"
    rim: bool = True
    """Whether it has an outline (thin and soft in flat drawings, dark in shaded ones)."""
    alpha: int = 255
    """Below 255 the shape is light or shadow: it tints, and changes no mask."""


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> Points:
    """An ellipse around (cx, cy), turned by `turn` degrees."""
    points = CIRCLE * (rx, ry)
    return (points @ rotation(turn) if turn else points) + (cx, cy)


def rotation(degrees: float) -> Points:
    """The matrix that turns row vectors clockwise on a y-down canvas."""
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """An axis-parallel rectangle."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)


def rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> Points:
    """A rectangle with corners rounded by radius r."""
    inner = shapely.box(x0 + r, y0 + r, x1 - r, y1 - r)
    return corners(inner.buffer(r, quad_segs=4))


def smooth(points: Sequence[tuple[float, float]], steps: int = 5) -> Points:
    """The closed Catmull-Rom curve through the points."""
    p = np.asarray(points, float)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    b, p0, p1, a = before[:, None], p[:, None], after[:, None], beyond[:, None]
    curve = p0 + 0.5 * t * (
        p1 - b + t * (2 * b - 5 * p0 + 4 * p1 - a + t * (3 * (p0 - p1) + a - b))
    )
    return curve.reshape(-1, 2)


def bend(*points: tuple[float, float], steps: int = 8) -> Points:
    """An open Bezier curve of any degree."""
    p = np.asarray(points, float)[:, None]
    t = np.linspace(0, 1, steps)[:, None]
    while len(p) > 1:
        p = p[:-1] * (1 - t) + p[1:] * t
    return p[0]


def stroke(line: Points | Sequence[tuple[float, float]], width: float) -> Points:
    """The outline of a line drawn with a round pen of that width."""
    return corners(shapely.LineString(line).buffer(width / 2, quad_segs=4))


def star(cx: float, cy: float, r: float, tips: int = 5, inner: float = 0.45) -> Points:
    """A star with its first tip upwards."""
    a = np.arange(2 * tips) * np.pi / tips - np.pi / 2
    radius = np.where(np.arange(2 * tips) % 2, r * inner, r)[:, None]
    return np.stack([np.cos(a), np.sin(a)], 1) * radius + (cx, cy)


def heart(cx: float, cy: float, r: float) -> Points:
    """A heart about 2r wide."""
    s = np.sin(TURN)
    x = s**3
    y = -(13 * np.cos(TURN) - 5 * np.cos(2 * TURN) - 2 * np.cos(3 * TURN) - np.cos(4 * TURN)) / 16
    return np.stack([x, y], 1) * r + (cx, cy)


def clipped(points: Points, within: Points) -> list[Points]:
    """The pieces of one polygon that lie inside another."""
    return pieces(shapely.Polygon(points).intersection(shapely.Polygon(within)))


def without(points: Points, hole: Points) -> list[Points]:
    """The pieces of one polygon that lie outside another."""
    return pieces(shapely.Polygon(points).difference(shapely.Polygon(hole)))


def pieces(area: shapely.Geometry) -> list[Points]:
    """The outlines of the polygons in a geometry, slivers left out."""
    return [
        corners(part)
        for part in shapely.get_parts(area)
        if isinstance(part, shapely.Polygon) and part.area > 0.5
    ]


def corners(area: shapely.Geometry) -> Points:
    """The outer ring of a polygon, its first corner not repeated."""
    return shapely.get_coordinates(shapely.get_exterior_ring(area))[:-1]
