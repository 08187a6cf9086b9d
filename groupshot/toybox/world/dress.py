"""What an identity wears: patterns, accessories, and the marks without a name."""

from collections.abc import Callable, Iterator

import numpy as np

from groupshot.toybox.world.anatomy import BUILDS, DARK, LIGHT, Paint, paired, skull, trunk
from groupshot.toybox.world.geometry import (
    RGB,
    Points,
    Shape,
    bend,
    box,
    clipped,
    ellipse,
    heart,
    rounded,
    smooth,
    star,
    stroke,
    without,
)

GOLD: RGB = (252, 204, 60)


def on(surface: Points, *patches: Points, fill: RGB, part: str) -> Iterator[Shape]:
    """Patches of colour, cut to the surface that they lie on."""
    for patch in patches:
        for piece in clipped(patch, surface):
            yield Shape(piece, fill, part, rim=False)


def stripes(surface: Points) -> list[Points]:
    (x0, y0), (x1, y1) = surface.min(0), surface.max(0)
    mid, band = (x0 + x1) / 2, (y1 - y0) / 7
    out = [box(mid + dx - 2.6, y0 - 1, mid + dx + 2.6, y0 + 2.0 * band) for dx in (-11, 0, 11)]
    for k in (2.6, 4.2, 5.8):
        y = y0 + k * band
        out += [box(x0 - 1, y - 2.4, x0 + 0.24 * (x1 - x0), y + 2.4)]
        out += [box(x1 - 0.24 * (x1 - x0), y - 2.4, x1 + 1, y + 2.4)]
    return out


def spots(surface: Points) -> list[Points]:
    (x0, y0), (x1, y1) = surface.min(0), surface.max(0)
    at = (
        (0.5, 0.1),
        (0.24, 0.2),
        (0.78, 0.22),
        (0.08, 0.52),
        (0.93, 0.55),
        (0.2, 0.86),
        (0.8, 0.86),
    )
    w, h = x1 - x0, y1 - y0
    return [ellipse(x0 + u * w, y0 + v * h, 4.6, 4.6) for u, v in at]


def patches(surface: Points) -> list[Points]:
    (x0, y0), (x1, y1) = surface.min(0), surface.max(0)
    w, h = x1 - x0, y1 - y0
    return [
        ellipse(x0 + 0.2 * w, y0 + 0.38 * h, 0.24 * w, 0.3 * h),
        ellipse(x0 + 0.86 * w, y0 + 0.86 * h, 0.24 * w, 0.26 * h),
    ]


def halves(surface: Points) -> list[Points]:
    (x0, y0), (x1, y1) = surface.min(0), surface.max(0)
    return [box((x0 + x1) / 2, y0 - 1, x1 + 1, y1 + 1)]


LAYOUTS: dict[str, Callable[[Points], list[Points]]] = {
    "plain": lambda surface: [],
    "striped": stripes,
    "spotted": spots,
    "patched": patches,
    "split": halves,
}
"""Where each pattern puts the second colour on a surface; keys as in `vocabulary.PATTERNS`."""


def patterned(kind: str, pattern: str, paint: Paint, part: str) -> Iterator[Shape]:
    """The pattern on a class's head or body."""
    surface = skull(kind) if part == "head" else trunk(kind)
    yield from on(surface, *LAYOUTS[pattern](surface), fill=paint.second, part=part)


def hat(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].crown + 5
    yield Shape(rounded(-14, y - 23, 14, y - 1, 3), p.accessory, "accessory")
    yield Shape(box(-14, y - 9, 14, y - 4), tuned(p.accessory, 0.66), "accessory", rim=False)
    yield Shape(ellipse(0, y, 23, 5), p.accessory, "accessory")


def scarf(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].neck
    yield Shape(stroke([(13, y + 1), (15, y + 19)], 9), p.accessory, "accessory")
    yield Shape(stroke(bend((-20, y - 3), (0, y + 9), (20, y - 3)), 9.5), p.accessory, "accessory")


def glasses(kind: str, p: Paint) -> Iterator[Shape]:
    dx, y, r = BUILDS[kind].eye
    yield Shape(stroke([(-dx, y), (dx, y)], 4), p.accessory, "accessory", rim=False)
    yield from paired(ellipse(dx, y, r + 5, r + 5), p.accessory, "accessory")


def cape(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].neck
    sheet = smooth([(-14, y - 4), (14, y - 4), (30, -22), (38, -3), (0, -6), (-38, -3), (-30, -22)])
    yield Shape(sheet, p.accessory, "accessory")


def headphones(kind: str, p: Paint) -> Iterator[Shape]:
    cy, rx, ry = BUILDS[kind].head
    band = bend((-rx - 1, cy), (-rx - 3, cy - ry * 2.05), (rx + 3, cy - ry * 2.05), (rx + 1, cy))
    yield Shape(stroke(band, 5.5), p.accessory, "accessory")
    yield from paired(rounded(rx - 7, cy - 11, rx + 6, cy + 11, 5), p.accessory, "accessory")


def bow(kind: str, p: Paint) -> Iterator[Shape]:
    x, y = 15, BUILDS[kind].crown + 5
    for side in (-1, 1):
        wing = np.array([(x, y), (x + side * 16, y - 10), (x + side * 16, y + 10)])
        yield Shape(wing, p.accessory, "accessory")
    yield Shape(ellipse(x, y, 5, 5), tuned(p.accessory, 0.75), "accessory")


def boots(kind: str, p: Paint) -> Iterator[Shape]:
    yield from paired(rounded(3, -15, 15, -2, 4), p.accessory, "accessory")
    yield from paired(rounded(3, -8, 21, 1, 4), p.accessory, "accessory")


def eye_patch(kind: str, p: Paint) -> Iterator[Shape]:
    dx, y, r = BUILDS[kind].eye
    strap = stroke([(-dx - 14, y - 13), (dx + 13, y + 6)], 2.6)
    yield from on(skull(kind), strap, fill=DARK, part="mark")
    yield Shape(ellipse(dx, y, r + 3, r + 3), DARK, "mark")


def crown(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].crown + 6
    tips = [(-17, y - 19), (-8, y - 9), (0, y - 22), (8, y - 9), (17, y - 19)]
    yield Shape(np.array([(-16, y), *tips, (16, y)]), GOLD, "mark")
    yield Shape(ellipse(0, y - 5, 3.2, 3.2), (220, 50, 80), "mark", rim=False)


def outlined(points: Points, fill: RGB, middle: tuple[float, float]) -> Iterator[Shape]:
    yield Shape((points - middle) * 1.32 + middle, DARK, "mark", rim=False)
    yield Shape(points, fill, "mark", rim=False)


def belly_star(kind: str, p: Paint) -> Iterator[Shape]:
    yield from outlined(star(0, -21, 10.5), GOLD, (0, -21))


def belly_moon(kind: str, p: Paint) -> Iterator[Shape]:
    (moon,) = without(ellipse(0, -21, 10, 10), ellipse(5, -23, 8, 8))
    yield Shape(ellipse(0, -21, 12.5, 12.5), (54, 62, 120), "mark", rim=False)
    yield Shape(moon, (236, 240, 255), "mark", rim=False)


def mohawk(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].crown + 9
    points = [(-10, y), (-15, y - 18), (-6, y - 14), (-3, y - 27), (3, y - 16), (10, y - 25)]
    yield Shape(np.array([*points, (11, y)]), (228, 44, 168), "mark")


def horn(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].crown + 8
    yield Shape(np.array([(-8, y), (8, y), (2, y - 34)], float), (250, 236, 200), "mark")
    for k in (7, 15):
        line = stroke([(-6 + k * 0.3, y - k + 2), (7 - k * 0.25, y - k - 2)], 1.8)
        yield Shape(line, (214, 160, 92), "mark", rim=False)


def moustache(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].head[0] + 14
    curl = smooth([(0, y - 3), (9, y - 4), (20, y - 8), (17, y + 3), (7, y + 5), (0, y + 2)])
    yield from paired(curl, (84, 52, 34), "mark")


def heart_cheeks(kind: str, p: Paint) -> Iterator[Shape]:
    yield from paired(heart(21, BUILDS[kind].head[0] + 9, 6.6), (232, 40, 70), "mark")


def plaster(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].crown + 9
    for a, b in (((-16, y - 4), (-2, y + 5)), ((-16, y + 5), (-2, y - 4))):
        yield Shape(stroke([a, b], 5.6), (244, 206, 164), "mark")


def wings(kind: str, p: Paint) -> Iterator[Shape]:
    feathers = smooth([(8, -40), (34, -62), (58, -58), (54, -42), (48, -32), (36, -22), (14, -24)])
    yield from paired(feathers, (222, 238, 255), "mark")
    yield from paired(
        stroke(bend((16, -34), (32, -44), (48, -48)), 2), (150, 180, 220), "mark", False
    )


def flower(kind: str, p: Paint) -> Iterator[Shape]:
    x, y = -19, BUILDS[kind].crown + 8
    for k in range(5):
        a = k * 2 * np.pi / 5
        petal = ellipse(x + 7 * np.sin(a), y - 7 * np.cos(a), 5, 5)
        yield Shape(petal, (255, 250, 252), "mark")
    yield Shape(ellipse(x, y, 4, 4), (250, 190, 30), "mark", rim=False)


def war_paint(kind: str, p: Paint) -> Iterator[Shape]:
    y = BUILDS[kind].head[0] + 7
    for k in (0, 6.5):
        yield from paired(stroke([(15, y + k), (27, y + k - 2)], 3.6), (20, 220, 232), "mark")


Wear = Callable[[str, Paint], Iterator[Shape]]
ACCESSORIES: dict[str, Wear] = {
    "hat": hat,
    "scarf": scarf,
    "glasses": glasses,
    "cape": cape,
    "headphones": headphones,
    "bow": bow,
    "boots": boots,
}
MARKS: dict[str, Wear] = {
    "eye patch": eye_patch,
    "crown": crown,
    "belly star": belly_star,
    "mohawk": mohawk,
    "horn": horn,
    "moustache": moustache,
    "heart cheeks": heart_cheeks,
    "plaster": plaster,
    "wings": wings,
    "belly moon": belly_moon,
    "flower": flower,
    "war paint": war_paint,
}
UNDER = ("cape", "wings")
"""Worn behind the body."""
BELOW_EYES = ("glasses",)
"""Drawn before the eyes, which then look through it."""


def tuned(colour: RGB, factor: float) -> RGB:
    """The colour, darker (factor < 1) or lighter."""
    r, g, b = (max(0, min(255, round(c * factor))) for c in colour)
    return r, g, b


def eyes(kind: str) -> Iterator[Shape]:
    """Two wide eyes with a glint."""
    dx, y, r = BUILDS[kind].eye
    if kind == "robot":
        yield from paired(ellipse(dx, y, r, r), (122, 232, 214), "face", False)
        yield from paired(ellipse(dx, y, r * 0.45, r * 0.45), DARK, "face", False)
        return
    yield from paired(ellipse(dx, y, r, r * 1.15), LIGHT, "face", False)
    yield from paired(ellipse(dx - 0.8, y + 0.6, r * 0.62, r * 0.78), DARK, "face", False)
    for side in (-1, 1):
        yield Shape(ellipse(side * dx - 1.4, y - 2, r * 0.27, r * 0.3), LIGHT, "face", rim=False)
