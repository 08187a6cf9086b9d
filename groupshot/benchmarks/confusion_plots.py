"""The plots of `benchmarks.confusion`, as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from groupshot.bench.chart import COLOURS, GRID, SOFT, text

SIDE, LEFT, TOP, GAP, FOOT = 300, 56, 48, 56, 48
"""Of one plot, and around it, in pixels."""

MARGIN = 0.08
"""Between a plot's points and its frame, as a share of its side."""

Spot = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Two concepts of a cast, drawn together a few times."""

    way: str
    """How they were learned."""
    names: Sequence[str]
    distance: float
    """Between their embeddings."""
    mixed: float
    """The share of them with something that tells the other from them."""
    missing: float
    """The share of them who were not there."""
    alike: bool
    """Whether they are of one class."""

    @property
    def confusion(self) -> float:
        """The share of them who are mixed with the other, or missing: 0 is fully decoupled."""
        return self.mixed + self.missing


def figure(points: Sequence[Point], notes: Mapping[str, str]) -> str:
    """Confusion against distance, a plot for each way, with its note; look-alikes are filled."""
    ways = list(dict.fromkeys(point.way for point in points))
    distances = [point.distance for point in points]
    nearest, extent = min(distances), (max(distances) - min(distances)) or 1.0
    parts: list[str] = []
    for i, way in enumerate(ways):
        left = LEFT + i * (SIDE + GAP)
        parts += frame(left, f"{way}, {notes[way]}" if way in notes else way)
        parts.append(label(left, "distance of their embeddings"))
        for share in (0, 0.5, 1):
            y = height(share)
            parts.append(text(left - 8, y + 4, f"{share:.0%}", colour=SOFT, anchor="end"))
            x = across(left, share)
            tick = f"{nearest + share * extent:.2f}"
            parts.append(text(x, TOP + SIDE + 18, tick, colour=SOFT, anchor="middle"))
        for point in (each for each in points if each.way == way):
            x = across(left, (point.distance - nearest) / extent)
            title = f"{' and '.join(point.names)}: {point.confusion:.0%}"
            spot = x, height(point.confusion)
            parts.append(dot(spot, COLOURS[i], title, hollow=not point.alike))
    return page(parts, len(ways))


def scattered(embeddings: Mapping[str, Tensor], classes: Mapping[str, str]) -> str:
    """Maps of the same concepts, each a colour a class; all seen from the same side (PCA)."""
    everything = torch.cat(list(embeddings.values())).double()
    centre = everything.mean(0)
    directions = torch.linalg.svd(everything - centre, full_matrices=False).Vh[:2]
    flat = {k: (each.double() - centre) @ directions.T for k, each in embeddings.items()}
    extent = max(each.abs().max().item() for each in flat.values())
    nouns = list(dict.fromkeys(classes.values()))
    parts: list[str] = []
    for i, (title, places) in enumerate(flat.items()):
        left = LEFT + i * (SIDE + GAP)
        parts += frame(left, title)
        for (name, noun), (x, y) in zip(classes.items(), places.tolist(), strict=True):
            spot = across(left, (x / extent + 1) / 2), height((y / extent + 1) / 2)
            parts.append(dot(spot, COLOURS[nouns.index(noun) % len(COLOURS)], f"{name}, {noun}"))
            parts.append(text(spot[0] + 7, spot[1] + 4, name, colour=SOFT))
    return page(parts, len(flat))


def frame(left: float, title: str) -> Iterator[str]:
    """A plot's title and its border."""
    yield text(left, TOP - 14, title, weight=600)
    yield f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="{GRID}"/>'


def label(left: float, words: str) -> str:
    """What a plot shows from left to right."""
    return text(left + SIDE / 2, TOP + SIDE + 36, words, colour=SOFT, anchor="middle")


def across(left: float, share: float) -> float:
    """Where a share of the width is."""
    return left + SIDE * (MARGIN + (1 - 2 * MARGIN) * share)


def height(share: float) -> float:
    """Where a share of the height is, from below."""
    return TOP + SIDE * (1 - MARGIN - (1 - 2 * MARGIN) * share)


def dot(spot: Spot, colour: str, title: str, hollow: bool = False) -> str:
    """A point that says what it is."""
    x, y = spot
    fill = "white" if hollow else colour
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" '
        f'fill-opacity="0.8"><title>{escape(title)}</title></circle>'
    )


def page(parts: Sequence[str], plots: int) -> str:
    """A whole SVG."""
    width, tall = LEFT + plots * (SIDE + GAP), TOP + SIDE + FOOT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" width="{width}" '
        f'height="{tall}" font-family="system-ui, sans-serif" font-size="12">'
    )
    return "\n".join(
        [head, f'<rect width="{width}" height="{tall}" fill="white"/>', *parts, "</svg>"]
    )
