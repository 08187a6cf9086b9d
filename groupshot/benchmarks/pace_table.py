"""The table of `pace`: what our steps cost beside plain ones."""

from collections.abc import Mapping
from dataclasses import dataclass

SIDES = ("ours", "plain", "words")
"""Those that are compared: a method, plain steps, and plain ones that move the embedding table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    base: str
    method: str
    stage: str
    seconds: Mapping[str, float]
    """Of a step of each side, as a median; empty if nothing was timed."""
    prepared: int
    """MiB at most before the second step."""
    peak: int
    """MiB at most from then on."""
    plain_peak: int
    """The same of the plain steps."""

    def __str__(self) -> str:
        return (
            f"{self.base:10}{self.method:18}{self.stage:12}{self.times}"
            f"{self.prepared:10d}{self.peak:7d}{self.plain_peak:7d}"
        )

    @property
    def times(self) -> str:
        """The columns of seconds."""
        if not self.seconds:
            return f"{'–':>10}{'–':>8}{'–':>8}"
        ours, plain, words = (self.seconds[who] for who in SIDES)
        return f"{ours:9.3f}s{ours / plain:8.3f}{ours / words:8.3f}"


HEADING = (
    f"{'base':10}{'method':18}{'stage':12}{'a step':>10}{'x plain':>8}{'x words':>8}"
    f"{'MiB first':>10}{'after':>7}{'plain':>7}"
)
