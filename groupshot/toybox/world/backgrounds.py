"""Where scenes take place: each background is a distribution of layouts and colours."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from groupshot.toybox.world.geometry import (
    RGB,
    Points,
    Shape,
    bend,
    box,
    ellipse,
    rounded,
    star,
    stroke,
)
from groupshot.toybox.world.vocabulary import PLAIN

Rng = np.random.Generator


class Backdrop(NamedTuple):
    """A vertical gradient and the shapes upon it."""

    top: RGB
    bottom: RGB
    shapes: list[Shape]


def near(rng: Rng, r: int, g: int, b: int, spread: float = 7) -> RGB:
    """A colour around the one given."""
    x, y, z = np.clip(np.array((r, g, b)) + rng.normal(0, spread, 3), 0, 255).astype(int)
    return int(x), int(y), int(z)


def flat(points: Points, fill: RGB) -> Shape:
    return Shape(points, fill, rim=False)


def hills(rng: Rng, y: float, fill: RGB, height: float = 8) -> Shape:
    """Rolling ground from y down to the lower edge."""
    x = np.linspace(-4, 132, 24)
    phase, waves = rng.uniform(0, 6.3), rng.uniform(0.03, 0.08)
    line = y + height * np.sin(x * waves + phase)
    return flat(np.concatenate([np.stack([x, line], 1), [(132, 132), (-4, 132)]]), fill)


def cloud(rng: Rng, fill: RGB = (255, 255, 255)) -> list[Shape]:
    x, y, r = rng.uniform(10, 118), rng.uniform(10, 34), rng.uniform(5, 8)
    return [
        flat(ellipse(x + dx * r, y + dy * r, k * r * 1.2, k * r), fill)
        for dx, dy, k in ((-1.3, 0.2, 0.8), (0, -0.2, 1.1), (1.4, 0.2, 0.85))
    ]


def spread(rng: Rng, n: int, low: float = 4, high: float = 124) -> list[float]:
    """n places from left to right, evenly but not quite."""
    step = (high - low) / n
    return [float(low + step * (k + rng.uniform(0.2, 0.8))) for k in range(n)]


def beach(rng: Rng) -> Backdrop:
    y = rng.uniform(58, 72)
    shapes = [*cloud(rng), *cloud(rng)]
    shapes += [flat(box(-2, y, 130, 130), near(rng, 60, 160, 200))]
    for k in range(3):
        x = rng.uniform(0, 110)
        shapes += [flat(box(x, y + 4 + 5 * k, x + 18, y + 5.2 + 5 * k), (190, 228, 240))]
    shapes += [hills(rng, y + 18, near(rng, 240, 218, 160), 2.5)]
    if rng.random() < 0.6:
        x = rng.choice([rng.uniform(6, 22), rng.uniform(106, 122)])
        shapes += [flat(stroke([(x, 104), (x + 2, y - 16)], 2), (150, 110, 70))]
        dome = ellipse(x + 2, y - 12, 17, 12)
        shapes += [flat(dome[dome[:, 1] <= y - 11.9], near(rng, 232, 92, 82, 20))]
    return Backdrop(near(rng, 120, 200, 240), near(rng, 214, 240, 250), shapes)


def forest(rng: Rng) -> Backdrop:
    y = rng.uniform(84, 94)
    shapes = [hills(rng, y - 14, near(rng, 78, 130, 84), 4)]
    for x in spread(rng, 5):
        leaf = near(rng, 48, 112, 66, 10)
        top = rng.uniform(16, 40)
        shapes += [flat(box(x - 3, top, x + 3, y + 4), near(rng, 104, 76, 54))]
        shapes += [flat(ellipse(x, top, 16, 19), leaf), flat(ellipse(x - 7, top + 9, 10, 9), leaf)]
    shapes += [hills(rng, y, near(rng, 96, 146, 78), 2)]
    return Backdrop(near(rng, 186, 222, 190), near(rng, 150, 200, 150), shapes)


def night(rng: Rng) -> Backdrop:
    shapes = [
        flat(star(rng.uniform(2, 126), rng.uniform(2, 70), rng.uniform(1.2, 2.6)), (255, 244, 190))
        for _ in range(14)
    ]
    x, y, r = rng.uniform(16, 112), rng.uniform(14, 30), rng.uniform(8, 12)
    shapes += [flat(ellipse(x, y, r, r), (250, 240, 200))]
    sky = near(rng, 24, 28, 66, 4)
    shapes += [flat(ellipse(x + r * 0.5, y - r * 0.2, r * 0.85, r * 0.85), sky)]
    shapes += [hills(rng, rng.uniform(86, 96), near(rng, 56, 60, 104), 4)]
    return Backdrop(sky, near(rng, 70, 66, 128), shapes)


def snow(rng: Rng) -> Backdrop:
    y = rng.uniform(80, 92)
    shapes = [hills(rng, y - 12, near(rng, 214, 228, 244, 4), 5)]
    for x in spread(rng, 4):
        w, fill = rng.uniform(9, 13), near(rng, 70, 128, 118, 8)
        for k in range(3):
            top = y - 36 + 10 * k
            corners = [
                (x, top - 2),
                (x - w * (0.6 + 0.2 * k), top + 15),
                (x + w * (0.6 + 0.2 * k), top + 15),
            ]
            shapes += [flat(np.array(corners), fill)]
    shapes += [hills(rng, y, near(rng, 226, 238, 250, 3), 2)]
    shapes += [
        flat(ellipse(rng.uniform(0, 128), rng.uniform(0, 84), 1.5, 1.5), (255, 255, 255))
        for _ in range(16)
    ]
    return Backdrop(near(rng, 160, 190, 224), near(rng, 206, 224, 242), shapes)


def room(rng: Rng) -> Backdrop:
    y, wall = rng.uniform(84, 94), near(rng, 238, 216, 188, 10)
    shapes = [flat(box(x, 0, x + 5, y), near(rng, 226, 200, 168, 4)) for x in range(-4, 128, 16)]
    x = rng.uniform(12, 84)
    shapes += [flat(rounded(x, 14, x + 32, 50, 2), (250, 250, 246))]
    for dx, dy in ((3, 3), (17, 3), (3, 19), (17, 19)):
        shapes += [flat(box(x + dx, 14 + dy, x + dx + 12, 14 + dy + 14), (158, 208, 236))]
    shapes += [flat(box(-2, y, 130, 130), near(rng, 170, 120, 84))]
    shapes += [flat(box(-2, y, 130, y + 3), (250, 242, 230))]
    shapes += [flat(ellipse(rng.uniform(44, 84), 114, 46, 9), near(rng, 120, 150, 170, 22))]
    return Backdrop(wall, wall, shapes)


def desert(rng: Rng) -> Backdrop:
    y = rng.uniform(76, 88)
    shapes = [flat(ellipse(rng.uniform(14, 114), rng.uniform(16, 30), 10, 10), (255, 240, 170))]
    shapes += [hills(rng, y - 12, near(rng, 222, 156, 92), 7)]
    for x in spread(rng, 3)[:: int(rng.choice([1, 2]))]:
        green = near(rng, 86, 140, 84)
        shapes += [flat(stroke([(x, y + 8), (x, y - 26)], 7), green)]
        shapes += [flat(stroke(bend((x, y - 4), (x + 11, y - 4), (x + 11, y - 18)), 5), green)]
        shapes += [flat(stroke(bend((x, y + 1), (x - 10, y), (x - 10, y - 11)), 5), green)]
    shapes += [hills(rng, y + 2, near(rng, 234, 184, 112), 3)]
    return Backdrop(near(rng, 250, 206, 130), near(rng, 255, 232, 184), shapes)


def meadow(rng: Rng) -> Backdrop:
    y = rng.uniform(68, 80)
    shapes = [*cloud(rng), *cloud(rng), hills(rng, y - 6, near(rng, 146, 204, 112), 6)]
    shapes += [hills(rng, y + 4, near(rng, 124, 190, 92), 4)]
    for _ in range(12):
        x, v = rng.uniform(2, 126), rng.uniform(y + 12, 126)
        petal = near(rng, *((250, 250, 250), (250, 200, 80), (240, 130, 160))[rng.integers(3)], 6)
        shapes += [
            flat(star(x, v, 3.6, 5, 0.6), petal),
            flat(ellipse(x, v, 1.1, 1.1), (250, 220, 60)),
        ]
    return Backdrop(near(rng, 130, 196, 244), near(rng, 210, 236, 252), shapes)


def city(rng: Rng) -> Backdrop:
    y = rng.uniform(88, 96)
    shapes: list[Shape] = []
    for x in spread(rng, 5, -6, 122):
        w, top, fill = rng.uniform(20, 28), rng.uniform(14, 52), near(rng, 130, 130, 156, 14)
        shapes += [flat(box(x - w / 2, top, x + w / 2, y), fill)]
        for row in np.arange(top + 5, y - 8, 10):
            for dx in (-7, 0, 7):
                lit = (250, 226, 140) if rng.random() < 0.5 else (96, 100, 128)
                shapes += [flat(box(x + dx - 2, row, x + dx + 2, row + 5), lit)]
    shapes += [flat(box(-2, y, 130, 130), near(rng, 112, 112, 122))]
    shapes += [flat(box(-2, y, 130, y + 5), near(rng, 186, 184, 186))]
    shapes += [flat(box(x, 118, x + 14, 120.5), (240, 232, 200)) for x in range(-4, 128, 28)]
    return Backdrop(near(rng, 190, 204, 230), near(rng, 236, 222, 226), shapes)


def sea(rng: Rng) -> Backdrop:
    y = rng.uniform(96, 106)
    shapes: list[Shape] = []
    for x in spread(rng, 5):
        top, sway = rng.uniform(44, 76), rng.uniform(-8, 8)
        weed = bend((x, y + 6), (x + sway, y - 10), (x - sway, top + 14), (x + sway, top), steps=10)
        shapes += [flat(stroke(weed, rng.uniform(3, 5)), near(rng, 38, 140, 116, 10))]
    for _ in range(10):
        x, v, r = rng.uniform(2, 126), rng.uniform(4, 92), rng.uniform(1.5, 4)
        shapes += [flat(ellipse(x, v, r, r), (150, 214, 240))]
        shapes += [flat(ellipse(x - r * 0.3, v - r * 0.3, r * 0.35, r * 0.35), (232, 248, 255))]
    shapes += [hills(rng, y, near(rng, 214, 200, 150), 3)]
    return Backdrop(near(rng, 78, 170, 222), near(rng, 22, 84, 156), shapes)


def mountains(rng: Rng) -> Backdrop:
    y = rng.uniform(82, 92)
    shapes: list[Shape] = []
    for x in spread(rng, 3, -8, 136):
        top, w, fill = rng.uniform(14, 36), rng.uniform(34, 44), near(rng, 120, 122, 150)
        shapes += [flat(np.array([(x, top), (x - w, y + 8), (x + w, y + 8)]), fill)]
        k = 0.24
        low = top + k * (y + 8 - top)
        cap = [
            (x, top),
            (x - w * k, low),
            (x - w * k / 3, low - 4),
            (x + w * k / 3, low + 3),
            (x + w * k, low),
        ]
        shapes += [flat(np.array(cap), (248, 250, 255))]
    shapes += [hills(rng, y, near(rng, 112, 150, 104), 3)]
    return Backdrop(near(rng, 150, 190, 232), near(rng, 226, 232, 244), shapes)


def stage(rng: Rng) -> Backdrop:
    y, red = rng.uniform(88, 96), near(rng, 150, 32, 52)
    shapes: list[Shape] = []
    x = rng.uniform(50, 78)
    beam = np.array([(x - 6, -2), (x + 6, -2), (x + 46, y + 18), (x - 46, y + 18)])
    shapes += [flat(beam, near(rng, 112, 86, 112, 4))]
    shapes += [flat(box(-2, y, 130, 130), near(rng, 164, 116, 76))]
    shapes += [flat(box(-2, v, 130, v + 1), (138, 94, 60)) for v in (y + 9, y + 19, y + 29)]
    shapes += [flat(ellipse(x, 112, 46, 10), (232, 202, 146))]
    for side in (0, 1):
        for k in range(3):
            edge = [
                (x0, v)
                for x0, v in ((9 * k, -2), (9 * k + 10, -2), (7 * k + 10, 106), (7 * k, 108))
            ]
            fold = (
                np.array(edge, float)
                if side == 0
                else np.array([(128 - a, b) for a, b in edge], float)
            )
            shapes += [flat(fold, (red[0] - 22 * (k % 2), red[1], red[2]))]
    shapes += [flat(ellipse(a, 0, 15, 12), red) for a in (10, 37, 64, 91, 118)]
    return Backdrop(near(rng, 58, 42, 70, 4), near(rng, 84, 62, 92, 4), shapes)


def sunset(rng: Rng) -> Backdrop:
    y, x = rng.uniform(78, 88), rng.uniform(30, 98)
    shapes = [flat(ellipse(x, y - 12, 24, 24), (255, 214, 120))]
    shapes += [flat(ellipse(x, y - 12, 18, 18), (255, 240, 180))]
    for _ in range(4):
        a, v = rng.uniform(-10, 110), rng.uniform(14, 52)
        shapes += [
            flat(rounded(a, v, a + rng.uniform(20, 40), v + 4, 1.9), near(rng, 255, 170, 150))
        ]
    shapes += [
        hills(rng, y - 2, near(rng, 140, 76, 116), 5),
        hills(rng, y + 8, near(rng, 96, 56, 98), 3),
    ]
    return Backdrop(near(rng, 236, 106, 120), near(rng, 255, 190, 112), shapes)


def plain(rng: Rng) -> Backdrop:
    shade = int(rng.integers(250, 256))
    return Backdrop((shade, shade, shade), (shade, shade, shade), [])


PAINTERS: dict[str, Callable[[Rng], Backdrop]] = {
    "beach": beach,
    "forest": forest,
    "night": night,
    "snow": snow,
    "room": room,
    "desert": desert,
    "meadow": meadow,
    "city": city,
    "sea": sea,
    "mountains": mountains,
    "stage": stage,
    "sunset": sunset,
    PLAIN: plain,
}
"""One painter per background, keys as in `vocabulary.BACKGROUNDS`, and the empty canvas."""


def backdrop(name: str, seed: int) -> Backdrop:
    """The background of that name that belongs to the seed."""
    return PAINTERS[name](np.random.default_rng(seed))
