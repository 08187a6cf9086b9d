"""The chart of a crowd: what is left of scores, the more are learned at once.

A few small plots of polylines need no plotting library: they are SVG, which the page holds as it is
and a README shows as a picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from groupshot.bench.contenders import WORDS, WORLD
from groupshot.bench.sections import Table

WIDTH, HEIGHT = 270, 170
"""Of one plot, in pixels."""
LEFT, TOP, GAP, FOOT = 44, 30, 34, 40
"""Of one plot: what is left of it, above it, right of it and below it."""
HEAD, TALL = 32, TOP + HEIGHT + FOOT
"""Heights of the legend and of a row."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#666633")
"""Told apart by those who see few colours, too (Okabe and Ito's, and two more)."""
INK, SOFT, GRID, CEILING = "#1d2433", "#667085", "#e4e7ec", "#98a2b3"

Point = tuple[float, float]


def chart(curves: Mapping[str, Sequence[Table]]) -> str:
    """A row of plots for each score, a plot for each table, in one SVG."""
    tables = list(curves.values())
    labels = list(tables[0][0].rows)
    width = LEFT + max(map(len, tables)) * (WIDTH + GAP)
    height = HEAD + len(tables) * TALL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *legend(labels),
    ]
    for i, (score, own) in enumerate(curves.items()):
        for k, table in enumerate(own):
            parts += plot(score, table, LEFT + k * (WIDTH + GAP), HEAD + i * TALL + TOP)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(labels: Sequence[str]) -> Iterator[str]:
    """Every label in its colour, in one row."""
    x = LEFT
    for label, colour in coloured(labels).items():
        yield f'<circle cx="{x + 5}" cy="16" r="5" fill="{colour}"/>'
        yield text(x + 15, 20, label)
        x += 34 + 7 * len(label)


def plot(score: str, table: Table, left: int, top: int) -> Iterator[str]:
    """One plot with its axes."""
    steps = max(1, len(table.columns) - 1)
    across = [left + 12 + (WIDTH - 24) * i / steps for i in range(len(table.columns))]
    yield text(left, top - 14, f"{score}, {table.title}", weight=600)
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + HEIGHT * (1 - share)
        yield f'<path d="M{left} {y}h{WIDTH}" stroke="{GRID}"/>'
        yield text(left - 6, y + 4, f"{share:.0%}", colour=SOFT, anchor="end")
    for x, column in zip(across, table.columns, strict=True):
        yield text(x, top + HEIGHT + 18, column, colour=SOFT, anchor="middle")
    yield text(left + WIDTH / 2, top + HEIGHT + 34, "learned at once", colour=SOFT, anchor="middle")
    for label, colour in coloured(list(table.rows)).items():
        known = [(x, f.mean) for x, f in zip(across, table.rows[label], strict=True) if f]
        points = [(x, top + HEIGHT * (1 - share)) for x, share in known]
        yield from curve(points, colour, dashed=label in (WORDS, WORLD))
        for (x, y), (_, share) in zip(points, known, strict=True):
            title = f"<title>{escape(label)}: {share:.0%}</title>"
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">{title}</circle>'


def curve(points: Sequence[Point], colour: str, dashed: bool) -> Iterator[str]:
    """A line through all points."""
    if len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def coloured(labels: Sequence[str]) -> Mapping[str, str]:
    """A colour for every label, grey for ceilings."""
    learned = [label for label in labels if label not in (WORDS, WORLD)]
    own = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(learned)}
    return {label: own.get(label, CEILING) for label in labels}


def text(
    x: float, y: float, words: str, *, colour: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    """Words, from (x, y) on."""
    how = f'fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(words)}</text>'
