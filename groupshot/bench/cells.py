"""Cells: one contender, one cast and one seed."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from groupshot.bench.contenders import Contender
from groupshot.bench.suites import SUITES
from groupshot.scores.evaluation import Amount

Line = dict[str, Any]
"""What stands in results.jsonl about a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is compared with its neighbours."""

    suite: str
    contender: Contender
    cast: int
    """The seed of the cast's identities."""
    seed: int
    """Of the training."""
    concepts: int
    """How many are learned at once."""

    @property
    def folder(self) -> Path:
        """Where it is kept, inside the bench's folder."""
        name = f"{self.cast}-{self.seed}-{self.concepts}"
        label = quote(self.contender.label, safe="[]=,")  # a field may hold a path
        return Path("cells") / self.suite / label / name

    @property
    def cast_folder(self) -> Path:
        """Where its cast is."""
        hands = "-masked" if self.contender.hand_masks else ""
        return Path("casts") / self.suite / f"{self.cast}-{self.concepts}{hands}"

    @property
    def line(self) -> Line:
        """The beginning of its line, and how many it learns."""
        return {
            "suite": self.suite,
            "method": self.contender.method,
            "fields": dict(self.contender.fields),
            "settings": self.contender.settings,
            "cast": self.cast,
            "seed": self.seed,
            "concepts": self.concepts,
        }

    @property
    def subject(self) -> str:
        """Which cast, for people."""
        many = len(SUITES[self.suite].sizes) > 1
        return f"cast {self.cast}" + (f", {self.concepts} at once" if many else "")

    def __str__(self) -> str:
        return f"{self.suite} · {self.contender.label} · {self.subject} · seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every cell of a bench has in common, or it could not be compared."""

    base: str
    """Where the base is loaded from."""
    weights: str
    """A name for its exact weights."""
    amount: Amount
    precision: str | None = None
    """How the base computes; None until it was measured what is faster."""

    @property
    def line(self) -> Line:
        """What must be the same in a line for it to count."""
        return {"base": self.weights, "amount": asdict(self.amount)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be compared."""

    suites: Sequence[str]
    contenders: Sequence[Contender]
    casts: range
    seeds: int

    def cells(self) -> Iterator[Cell]:
        """All of them: cast by cast, so that what is there after an hour can be compared."""
        for suite in self.suites:
            for cast in self.casts:
                for size in SUITES[suite].sizes:
                    yield from self._cells(suite, cast, size)

    def _cells(self, suite: str, cast: int, size: int) -> Iterator[Cell]:
        for contender in self.contenders:
            for seed in range(1 if contender.ceiling else self.seeds):
                yield Cell(suite=suite, contender=contender, cast=cast, seed=seed, concepts=size)


def is_of(line: Line, cell: Cell, terms: Terms) -> bool:
    """Whether a line is about a cell, made on the same terms."""
    same = cell.line | terms.line
    return {key: line.get(key) for key in same} == same


def cell_of(line: Line) -> Cell:
    """The cell that a line is about."""
    return Cell(
        suite=line["suite"],
        contender=Contender(method=line["method"], fields=line["fields"]),
        cast=line["cast"],
        seed=line["seed"],
        concepts=line["concepts"],
    )
