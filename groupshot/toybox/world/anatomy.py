"""Bodies: what makes a cat a cat. Local units: feet at (0, 0), the crown at y = -92 or so."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from groupshot.toybox.world.geometry import (
    RGB,
    Points,
    Shape,
    bend,
    box,
    clipped,
    ellipse,
    rounded,
    smooth,
    star,
    stroke,
)

DARK: RGB = (44, 40, 50)
LIGHT: RGB = (255, 254, 250)
ROSE: RGB = (236, 120, 140)
BEAK: RGB = (248, 168, 40)


class Paint(NamedTuple):
    """The colours of one character, jittered."""

    main: RGB
    second: RGB
    accessory: RGB


class Build(NamedTuple):
    """The frame of a class: (cy, rx, ry) of head and torso; (dx, y, r) of the eyes."""

    head: tuple[float, float, float]
    torso: tuple[float, float, float]
    eye: tuple[float, float, float]
    behind: Callable[["Build", Paint], Iterator[Shape]]
    """Tail and ears, drawn before torso and head."""
    face: Callable[["Build", Paint], Iterator[Shape]]
    """What lies on the head, eyes aside."""

    @property
    def skull(self) -> Points:
        """The outline of the head."""
        return ellipse(0, *self.head)

    @property
    def trunk(self) -> Points:
        """The outline of the torso."""
        return ellipse(0, *self.torso)

    @property
    def crown(self) -> float:
        """The y of the top of the head."""
        return min(self.head[0] - self.head[2], self.eye[1] - self.eye[2] - 1)

    @property
    def neck(self) -> float:
        """The y where head and torso meet."""
        return self.head[0] + self.head[2] * 0.86


def paired(points: Points, fill: RGB, part: str, rim: bool = True) -> Iterator[Shape]:
    """A shape on the right, and its mirror image on the left."""
    yield Shape(points, fill, part, rim)
    yield Shape(points * (-1, 1), fill, part, rim)


def triangle(*corners: tuple[float, float]) -> Points:
    return np.array(corners, float)


def muzzle(build: Build, fill: RGB, rx: float = 12, ry: float = 9) -> Iterator[Shape]:
    y = build.head[0] + 10
    yield Shape(ellipse(0, y, rx, ry), fill, "face", rim=False)
    yield Shape(ellipse(0, y - ry * 0.5, 4.2, 3.0), DARK, "face", rim=False)
    yield Shape(stroke([(0, y - 2), (0, y + 2.5)], 1.6), DARK, "face", rim=False)
    yield Shape(stroke(bend((-6, y + 1), (-3, y + 6), (0, y + 2.5)), 1.6), DARK, "face", rim=False)
    yield Shape(stroke(bend((6, y + 1), (3, y + 6), (0, y + 2.5)), 1.6), DARK, "face", rim=False)


def smile(y: float, width: float = 7, depth: float = 6, fill: RGB = DARK) -> Shape:
    line = bend((-width, y), (0, y + depth * 1.6), (width, y))
    return Shape(stroke(line, 1.8), fill, "face", rim=False)


def cat_behind(b: Build, p: Paint) -> Iterator[Shape]:
    tail = bend((10, -14), (46, -6), (44, -52), (34, -58))
    yield Shape(stroke(tail, 8), p.main, "tail")
    yield Shape(stroke(tail[-3:], 8), p.second, "tail", rim=False)
    yield from paired(triangle((8, -84), (32, -112), (32, -68)), p.main, "ears")
    yield from paired(triangle((15, -85), (28, -102), (28, -76)), p.second, "ears", False)


def cat_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 9
    yield Shape(np.array([(-3.5, y - 2), (3.5, y - 2), (0, y + 2)]), ROSE, "face", rim=False)
    yield Shape(stroke(bend((-8, y + 3), (-4, y + 8), (0, y + 2)), 1.7), DARK, "face", rim=False)
    yield Shape(stroke(bend((8, y + 3), (4, y + 8), (0, y + 2)), 1.7), DARK, "face", rim=False)
    for side in (-1, 1):
        for k in (0, 5):
            line = [(side * 16, y + k - 1), (side * 30, y + k * 1.4 - 4)]
            yield Shape(stroke(line, 1.2), DARK, "face", rim=False)


def dog_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(stroke(bend((12, -18), (30, -22), (34, -42)), 7.5), p.main, "tail")


def dog_face(b: Build, p: Paint) -> Iterator[Shape]:
    ear = smooth([(17, -90), (33, -88), (41, -66), (38, -48), (30, -46), (25, -62)])
    yield from paired(ear, p.second, "ears")
    yield from muzzle(b, LIGHT, 14, 11)
    yield Shape(ellipse(0, b.head[0] + 18.5, 4, 5), ROSE, "face", rim=False)


def bear_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield from paired(ellipse(24, -87, 11, 11), p.main, "ears")
    yield from paired(ellipse(24, -87, 6, 6), p.second, "ears", False)


def bear_face(b: Build, p: Paint) -> Iterator[Shape]:
    yield from muzzle(b, p.second, 14, 11)


def rabbit_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(ellipse(20, -14, 8, 8), LIGHT, "tail")
    yield from paired(ellipse(13, -102, 8.5, 27, 9), p.main, "ears")
    yield from paired(ellipse(13, -101, 4.5, 19, 9), p.second, "ears", False)


def rabbit_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 9
    yield Shape(ellipse(0, y, 3.6, 2.6), ROSE, "face", rim=False)
    yield smile(y + 3, 6, 4)
    yield Shape(rounded(-4, y + 5, 4, y + 13, 1.5), LIGHT, "face")
    yield Shape(stroke([(0, y + 6), (0, y + 12)], 1), DARK, "face", rim=False)


def fox_behind(b: Build, p: Paint) -> Iterator[Shape]:
    tail = smooth([(8, -10), (28, -4), (50, -22), (54, -52), (42, -66), (32, -42), (18, -24)])
    yield Shape(tail, p.main, "tail")
    for piece in clipped(tail, box(20, -80, 70, -47)):
        yield Shape(piece, LIGHT, "tail", rim=False)
    yield from paired(triangle((4, -80), (30, -116), (36, -66)), p.main, "ears")
    yield from paired(triangle((21, -101), (30, -116), (33, -95)), DARK, "ears", False)


def fox_face(b: Build, p: Paint) -> Iterator[Shape]:
    left, right = bend((-38, -60), (-12, -50), (0, -62)), bend((0, -62), (12, -50), (38, -60))
    lower = np.concatenate([left, right[1:], [(40, -30), (-40, -30)]])
    for piece in clipped(lower, b.skull):
        yield Shape(piece, LIGHT, "head", rim=False)
    y = b.head[0] + 15
    yield Shape(ellipse(0, y - 3, 4.6, 3.6), DARK, "face", rim=False)
    yield smile(y + 3, 6, 4)


def mouse_behind(b: Build, p: Paint) -> Iterator[Shape]:
    tail = bend((8, -8), (40, 0), (30, -30), (52, -34), steps=12)
    yield Shape(stroke(tail, 3.6), ROSE, "tail")
    yield from paired(ellipse(29, -84, 20, 20), p.main, "ears")
    yield from paired(ellipse(29, -83, 13, 13), p.second, "ears", False)


def mouse_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 11
    yield Shape(ellipse(0, y - 1, 5, 4), ROSE, "face", rim=False)
    yield smile(y + 4, 6, 4)


def robot_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(stroke([(0, -88), (0, -106)], 3.5), (120, 124, 134), "ears")
    yield Shape(ellipse(0, -108, 6, 6), p.second, "ears")
    yield from paired(box(28, -72, 37, -54), p.second, "ears")


def robot_face(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(rounded(-25, -78, 25, -48, 6), (52, 62, 84), "face", rim=False)
    yield Shape(rounded(-9, -55, 9, -51, 1.8), (122, 232, 214), "face", rim=False)


def bird_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(smooth([(12, -14), (42, -30), (46, -16), (22, -6)]), p.second, "tail")
    for x, top in ((-8, -97), (0, -104), (8, -97)):
        yield Shape(stroke([(0, -82), (x, top)], 6), p.second, "ears")


def bird_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 8
    yield Shape(smooth([(-11, y - 3), (0, y - 8), (11, y - 3), (0, y + 9)]), BEAK, "face")
    yield Shape(stroke([(-9, y - 1), (9, y - 1)], 1.4), (176, 96, 16), "face", rim=False)


def frog_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield from paired(ellipse(18, -83, 13, 13), p.main, "ears")


def frog_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 4
    yield Shape(stroke(bend((-24, y - 2), (0, y + 20), (24, y - 2)), 2.2), DARK, "face", rim=False)
    yield from paired(ellipse(26, y + 4, 5, 3.5), ROSE, "face", False)


def elephant_behind(b: Build, p: Paint) -> Iterator[Shape]:
    yield Shape(stroke(bend((14, -20), (34, -16), (34, -4)), 4), p.main, "tail")
    ear = smooth([(16, -86), (40, -94), (54, -74), (48, -48), (32, -44), (20, -54)])
    yield from paired(ear, p.main, "ears")
    yield from paired(ear * 0.66 + (13, -23), p.second, "ears", False)


def elephant_face(b: Build, p: Paint) -> Iterator[Shape]:
    trunk = bend((0, -62), (0, -34), (-4, -24), (-20, -30), steps=10)
    yield Shape(stroke(trunk, 11), p.main, "face")
    for x, y in ((-2, -46), (-3, -39)):
        yield Shape(stroke([(x - 4, y), (x + 5, y + 0.5)], 1.4), DARK, "face", rim=False)


def lion_behind(b: Build, p: Paint) -> Iterator[Shape]:
    tail = bend((12, -14), (40, -10), (42, -36))
    yield Shape(stroke(tail, 5), p.main, "tail")
    yield Shape(ellipse(42, -40, 7.5, 9), p.second, "tail")
    yield Shape(star(0, b.head[0], 44, tips=14, inner=0.84), p.second, "head")
    yield from paired(ellipse(23, -86, 9, 9), p.main, "ears")


def lion_face(b: Build, p: Paint) -> Iterator[Shape]:
    yield from muzzle(b, LIGHT, 12, 9)


def dragon_behind(b: Build, p: Paint) -> Iterator[Shape]:
    tail = bend((6, -14), (44, -2), (50, -22), (50, -34), steps=9)
    yield Shape(stroke(tail, 9), p.main, "tail")
    yield Shape(np.array([(38, -34), (62, -34), (50, -54)], float), p.second, "tail")
    for x, y in ((-17, -84), (0, -91), (17, -84)):
        spike = np.array([(x - 8, y + 5), (x + 8, y + 5), (x * 1.25, y - 16)])
        yield Shape(spike, p.second, "ears")


def dragon_face(b: Build, p: Paint) -> Iterator[Shape]:
    y = b.head[0] + 12
    yield Shape(ellipse(0, y, 20, 11), p.second, "face", rim=False)
    yield from paired(ellipse(8, y - 4, 2.2, 2.8), DARK, "face", False)
    yield smile(y + 1, 11, 5)
    fang = np.array([(6, y + 4), (11, y + 3), (9, y + 9)])
    yield from paired(fang, LIGHT, "face", False)


BUILDS = {
    "cat": Build((-64, 33, 27), (-25, 19, 22), (14, -65, 7), cat_behind, cat_face),
    "dog": Build((-65, 30, 28), (-25, 20, 22), (12, -70, 6.5), dog_behind, dog_face),
    "bear": Build((-64, 32, 28), (-26, 26, 25), (13, -69, 6), bear_behind, bear_face),
    "rabbit": Build((-62, 29, 26), (-24, 19, 22), (13, -65, 7), rabbit_behind, rabbit_face),
    "fox": Build((-62, 34, 26), (-24, 19, 21), (14, -64, 6.5), fox_behind, fox_face),
    "mouse": Build((-61, 27, 25), (-23, 18, 20), (11, -63, 6.5), mouse_behind, mouse_face),
    "robot": Build((-64, 30, 26), (-25, 22, 20), (12, -66, 6.5), robot_behind, robot_face),
    "bird": Build((-60, 29, 27), (-28, 25, 25), (13, -64, 7), bird_behind, bird_face),
    "frog": Build((-61, 36, 24), (-23, 23, 20), (18, -83, 8.5), frog_behind, frog_face),
    "elephant": Build((-64, 27, 28), (-25, 24, 24), (13, -70, 6), elephant_behind, elephant_face),
    "lion": Build((-62, 28, 26), (-24, 20, 22), (12, -66, 6.5), lion_behind, lion_face),
    "dragon": Build((-64, 29, 27), (-25, 22, 23), (13, -70, 6.5), dragon_behind, dragon_face),
}
"""One frame per class, keys as in `vocabulary.KINDS`."""


def skull(kind: str) -> Points:
    """The outline of a class's head: the robot's is square."""
    build = BUILDS[kind]
    return rounded(-30, -90, 30, -38, 9) if kind == "robot" else build.skull


def trunk(kind: str) -> Points:
    """The outline of a class's torso: the robot's is square."""
    return rounded(-21, -44, 21, -6, 7) if kind == "robot" else BUILDS[kind].trunk


POSES = {
    "down": ((-25, -17), (25, -17)),
    "hips": ((-33, -26), (33, -26)),
    "wave": ((-25, -17), (42, -50)),
    "cheer": ((-42, -50), (42, -50)),
    "forward": ((-12, -22), (12, -22)),
}
"""Where the left and the right hand are."""
