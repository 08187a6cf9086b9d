"""The plot of `overfitting`: losses against steps, as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from groupshot.bench.chart import COLOURS, GRID, INK, SOFT, curve, text

WIDTH, HEIGHT = 360, 240
"""Of one plot, in pixels."""
LEFT, TOP, GAP, FOOT = 64, 56, 70, 44
TICKS = 4

Line = Sequence[tuple[int, float]]
"""Steps, and the mean loss at each."""


class Point(NamedTuple):
    """One measurement."""

    way: str
    """How it was learned."""
    exam: str
    """What the loss is of."""
    step: int
    """After how many steps."""
    loss: float


def plotted(points: Sequence[Point]) -> str:
    """A plot for each exam, a line for each way, in one SVG."""
    exams = list(dict.fromkeys(point.exam for point in points))
    ways = list(dict.fromkeys(point.way for point in points))
    width, height = LEFT + len(exams) * (WIDTH + GAP), TOP + HEIGHT + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, way in enumerate(ways):
        parts.append(f'<circle cx="{LEFT + 6 + 150 * i}" cy="14" r="5" fill="{COLOURS[i]}"/>')
        parts.append(text(LEFT + 16 + 150 * i, 18, way))
    for i, exam in enumerate(exams):
        lines = {way: means(points, exam, way) for way in ways}
        parts += plot(exam, lines, LEFT + i * (WIDTH + GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def means(points: Sequence[Point], exam: str, way: str) -> Line:
    """The mean over the casts at each step."""
    own: dict[int, list[float]] = {}
    for point in points:
        if (point.exam, point.way) == (exam, way):
            own.setdefault(point.step, []).append(point.loss)
    return [(step, fmean(losses)) for step, losses in sorted(own.items())]


def plot(title: str, lines: Mapping[str, Line], left: int) -> Iterator[str]:
    """One plot; its axis begins near the lowest loss."""
    losses = [loss for line in lines.values() for _, loss in line]
    last = max(step for line in lines.values() for step, _ in line)
    low, high = min(losses), max(max(losses), min(losses) + 1e-6)
    yield text(left, TOP - 14, title, weight=600)
    for i in range(TICKS + 1):
        y = TOP + HEIGHT * (1 - i / TICKS)
        yield f'<path d="M{left} {y}h{WIDTH}" stroke="{GRID}"/>'
        value = f"{low + (high - low) * i / TICKS:.4f}"
        yield text(left - 6, y + 4, value, colour=SOFT, anchor="end")
    for step in (0, last):
        yield text(left + WIDTH * step / last, TOP + HEIGHT + 18, str(step), colour=SOFT)
    yield text(left + WIDTH / 2, TOP + HEIGHT + 34, "steps", colour=INK, anchor="middle")
    for colour, line in zip(COLOURS, lines.values(), strict=False):
        yield from curve(
            [
                (left + WIDTH * step / last, TOP + HEIGHT * (high - loss) / (high - low))
                for step, loss in line
            ],
            colour,
            dashed=False,
        )
