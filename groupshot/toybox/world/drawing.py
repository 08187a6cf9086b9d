"""From a scene to its picture, with the exact answers."""

from typing import NamedTuple

import aggdraw
import numpy as np
from PIL import Image

from groupshot.toybox.world.backgrounds import Backdrop, backdrop
from groupshot.toybox.world.characters import Layers, Reach, local, shapes
from groupshot.toybox.world.dress import tuned
from groupshot.toybox.world.geometry import Shape, ellipse
from groupshot.toybox.world.scenes import Placed, Scene
from groupshot.toybox.world.vocabulary import PARTS, PLAIN, SIZE

ZOOM = 2
"""Pictures are drawn this much larger, then averaged down."""
RIMS = {"flat": (0.9, 0.8), "shaded": (1.7, 0.28)}
"""Outline of each style: width in pixels, and brightness relative to the fill."""


class Picture(NamedTuple):
    """A drawn scene and all that is true of it."""

    scene: Scene
    image: np.ndarray
    """uint8 [128, 128, 3]."""
    owners: np.ndarray
    """uint8 [128, 128]: 0 nothing, i + 1 the visible part of `scene.characters[i]`."""
    parts: np.ndarray
    """uint8 [128, 128]: indices into `vocabulary.PARTS`."""

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """(x0, y0, x1, y1) around each character's visible mask, ends exclusive."""
        return [box_of(self.owners == i + 1) for i in range(len(self.scene.characters))]


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The smallest box around a mask; all zeros for an empty one."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(ys):
        return 0, 0, 0, 0
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def draw(scene: Scene) -> Picture:
    """The scene as a picture, with masks of what is visible of each character and part."""
    stack = layers(scene)
    behind = backdrop(scene.background, scene.background_seed)
    image = colours(scene, behind, [s for _, s in stack])
    codes = answers(stack)
    return Picture(scene, image, codes[..., 0], codes[..., 1])


def layers(scene: Scene) -> list[tuple[int, Shape]]:
    """Every shape from back to front with its owner (1-based); 0 is shadow on the ground."""
    order = sorted(range(len(scene.characters)), key=lambda i: scene.characters[i].y)
    drawn: dict[int, Layers] = {
        i: shapes(scene.characters[i], scene.style, reach(scene, i)) for i in order
    }
    shade = [(0, shadow(scene.characters[i])) for i in order if not rides(scene, i)]
    main = [(i + 1, s) for i in order for s in drawn[i].main]
    over = [(i + 1, s) for i in order for s in drawn[i].over]
    return ([] if scene.background == PLAIN else shade) + main + over


def rides(scene: Scene, i: int) -> bool:
    """Whether character i sits on another."""
    return any(b.relation == "riding" and b.first == i for b in scene.bonds)


def shadow(placed: Placed) -> Shape:
    """The soft shadow that a character throws on the ground."""
    spot = ellipse(placed.x, placed.y, placed.height * 0.32, placed.height * 0.07)
    return Shape(spot, (20, 20, 40), rim=False, alpha=60)


def reach(scene: Scene, i: int) -> Reach | None:
    """Where the hands of character i go, if a bond tells them."""
    for bond in scene.bonds:
        if i in (bond.first, bond.second) and bond.relation in REACHES:
            other = bond.second if i == bond.first else bond.first
            return REACHES[bond.relation](
                scene.characters[i], scene.characters[other], i == bond.first
            )
    return None


def handed(me: Placed, target: tuple[float, float], right: bool, over: bool) -> Reach:
    """A reach with one hand (on the canvas's right or left) at the target."""
    hand, side = local(me, *target), "right" if right != me.flip else "left"
    rest = {"left": (-25.0, -17.0), "right": (25.0, -17.0), side: hand}
    return Reach(rest["left"], rest["right"], (side,) if over else ())


def hold(me: Placed, other: Placed, first: bool) -> Reach:
    """One hand, halfway to the other character's."""
    middle = ((me.x + other.x) / 2, (me.y - 0.26 * me.height + other.y - 0.26 * other.height) / 2)
    return handed(me, middle, right=other.x > me.x, over=True)


def hug(me: Placed, other: Placed, first: bool) -> Reach:
    """One arm around the other character."""
    lift = 0.30 if me.x < other.x else 0.22
    target = (other.x + 0.02 * (other.x - me.x), other.y - lift * other.height)
    return handed(me, target, right=other.x > me.x, over=True)


def ride(me: Placed, other: Placed, first: bool) -> Reach | None:
    """The rider holds on to the carrier's head."""
    if not first:
        return None
    y = other.y - 0.86 * other.height
    spread = 0.24 * other.height * (-1 if me.flip else 1)
    left, right = local(me, other.x - spread, y), local(me, other.x + spread, y)
    return Reach(left, right, ("left", "right"))


REACHES = {"holding hands": hold, "hugging": hug, "riding": ride}


def colours(scene: Scene, behind: Backdrop, stack: list[Shape]) -> np.ndarray:
    """The picture itself, uint8 [128, 128, 3]."""
    side = SIZE * ZOOM
    t = np.linspace(0, 1, side)[:, None, None]
    sky = np.array(behind.top) * (1 - t) + np.array(behind.bottom) * t
    canvas = Image.fromarray(np.broadcast_to(sky, (side, side, 3)).astype(np.uint8))
    pen = aggdraw.Draw(canvas)
    width, brightness = RIMS[scene.style]
    for s in (*behind.shapes, *stack):
        outline = aggdraw.Pen(tuned(s.fill, brightness), width * ZOOM) if s.rim else None
        brush = aggdraw.Brush(s.fill, s.alpha)
        xy = (s.points * ZOOM).ravel().tolist()
        pen.polygon(xy, outline, brush) if outline else pen.polygon(xy, brush)
    pen.flush()
    return np.asarray(canvas.reduce(ZOOM))


def answers(stack: list[tuple[int, Shape]]) -> np.ndarray:
    """Owner and part of every pixel, uint8 [128, 128, 2], drawn without antialiasing."""
    canvas = Image.new("RGB", (SIZE, SIZE))
    pen = aggdraw.Draw(canvas)
    pen.setantialias(False)
    for owner, s in stack:
        if s.alpha == 255:
            pen.polygon(s.points.ravel().tolist(), aggdraw.Brush((owner, PARTS.index(s.part), 0)))
    pen.flush()
    return np.asarray(canvas)[..., :2]
