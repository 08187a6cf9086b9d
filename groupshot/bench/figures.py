"""Figures: means over cells, how far they spread, and whether one row is better than another."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from groupshot.bench.cells import Line

CONFIDENCE = 0.95
RESAMPLES = 9999
FEWEST = 3
"""Cells of which anything can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A score over casts and seeds."""

    mean: float
    spread: float | None
    """Standard deviation over cells; None of a single one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much one row's score is above another's, over the cells that both have."""

    mean: float
    low: float
    high: float
    """Ends of its 95 % interval, by a paired bootstrap."""

    @property
    def clear(self) -> bool:
        """Whether 0 is not among what it may be."""
        return self.low > 0 or self.high < 0


def figure(values: Iterable[float | None]) -> Figure | None:
    """Mean and spread of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Figure(mean=fmean(known), spread=stdev(known) if len(known) > 1 else None)


def difference(one: Sequence[Line], other: Sequence[Line], key: str) -> Difference | None:
    """One row's score less another's; None where they share fewer cells than `FEWEST`."""
    values = by_place(one, key), by_place(other, key)
    apart = [values[0][place] - values[1][place] for place in values[0] if place in values[1]]
    if len(apart) < FEWEST:
        return None
    low, high = interval([apart], np.mean)
    return Difference(mean=fmean(apart), low=low, high=high)


def closed(after: Sequence[float], before: Sequence[float]) -> Difference | None:
    """The share of what scores lacked to 1 that is gained, cell by cell; None of too few."""
    if len(before) < FEWEST:
        return None
    low, high = interval([after, before], gained)
    return Difference(mean=float(gained(np.array(after), np.array(before))), low=low, high=high)


def gained(after: NDArray[Any], before: NDArray[Any], axis: int = -1) -> Any:
    """How much more there is in all cells, as a share of how much was lacking in all."""
    return (after - before).sum(axis) / (1 - before).sum(axis)


def interval(
    scores: Sequence[Sequence[float]], statistic: Callable[..., Any]
) -> tuple[float, float]:
    """Where a statistic of paired scores lies, by the percentiles of resampled cells."""
    found: Any = bootstrap(
        tuple(np.array(values) for values in scores),
        statistic,
        paired=True,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def by_place(lines: Iterable[Line], key: str) -> dict[tuple[int, int, int], float]:
    """A score by cast, size and seed, where it is known."""
    return {
        (line["cast"], line["concepts"], line["seed"]): line[key]
        for line in lines
        if line[key] is not None
    }
