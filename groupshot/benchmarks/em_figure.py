"""The figure of mask IoU against steps: a plot for each concept, means in bands of their spread."""

from collections.abc import Iterator, Mapping
from statistics import fmean, stdev

from groupshot.bench.chart import COLOURS, GRID, SOFT, curve, text

CURVES = ("updated masks", "fixed masks", "hand masks")
"""What is learned with, in the order of their colours."""

Curves = dict[str, dict[str, dict[int, list[float]]]]
"""By concept, then by what it was learned with, then by step: the IoU of every cast."""

WIDTH, HEIGHT = 300, 220
"""Of one plot, in pixels."""
LEFT, TOP, GAP, FOOT = 46, 66, 52, 48
USED = "#98a2b3"
"""The colour of the masks that fixed ones are, from beginning to end."""


def drawn(told: Curves, turn: int) -> str:
    """All plots in one SVG; at the step `turn` weights begin to learn."""
    width, height = LEFT + len(told) * (WIDTH + GAP), TOP + HEIGHT + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *legend(),
    ]
    for i, (name, variants) in enumerate(told.items()):
        parts += plot(name, variants, LEFT + i * (WIDTH + GAP), turn)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend() -> Iterator[str]:
    """What the colours mean."""
    x = LEFT
    for label, colour in [*zip(CURVES, COLOURS, strict=False), ("fixed masks as used", USED)]:
        yield f'<circle cx="{x + 5}" cy="16" r="5" fill="{colour}"/>'
        yield text(x + 15, 20, label)
        x += 34 + 7 * len(label)


def plot(
    name: str, variants: Mapping[str, Mapping[int, list[float]]], left: int, turn: int
) -> Iterator[str]:
    """One concept's plot with its axes."""
    last = max(max(steps) for steps in variants.values())
    first = variants[CURVES[1]][min(variants[CURVES[1]])]
    casts = len(first)
    yield text(left, TOP - 14, f"{name} ({casts} cast{'s' * (casts > 1)})", weight=600)
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = across(share)
        yield f'<path d="M{left} {y}h{WIDTH}" stroke="{GRID}"/>'
        yield text(left - 6, y + 4, f"{share:g}", colour=SOFT, anchor="end")
    for step in sorted({0, turn, last}):
        x = left + WIDTH * step / last
        yield f'<path d="M{x:.1f} {TOP}v{HEIGHT}" stroke="{GRID}"/>'
        yield text(x, TOP + HEIGHT + 18, str(step), colour=SOFT, anchor="middle")
    yield text(left + WIDTH / 2, TOP + HEIGHT + 36, "steps", colour=SOFT, anchor="middle")
    begun = across(fmean(first))
    yield from curve([(left, begun), (left + WIDTH, begun)], USED, dashed=True)
    for label, colour in zip(CURVES, COLOURS, strict=False):
        yield from line(variants[label], colour, left, last)


def line(steps: Mapping[int, list[float]], colour: str, left: int, last: int) -> Iterator[str]:
    """Means, and a band of one standard deviation over casts on each side."""
    order = sorted(steps)
    at = [left + WIDTH * step / last for step in order]
    means = [fmean(steps[step]) for step in order]
    wide = [stdev(steps[step]) if len(steps[step]) > 1 else 0.0 for step in order]
    upper = [(x, across(m + s)) for x, m, s in zip(at, means, wide, strict=True)]
    lower = [(x, across(m - s)) for x, m, s in zip(at, means, wide, strict=True)]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    yield f'<polygon points="{corners}" fill="{colour}" opacity="0.15"/>'
    points = [(x, across(mean)) for x, mean in zip(at, means, strict=True)]
    yield from curve(points, colour, dashed=False)
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def across(share: float) -> float:
    """How far down an IoU is."""
    return TOP + HEIGHT * (1 - min(1.0, max(0.0, share)))
