"""Cells of a bench that nobody made, and a bench that starts no other process."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groupshot.bench import results, work
from groupshot.bench.cells import Cell, Line, Terms
from groupshot.bench.contenders import CEILINGS, Contender
from groupshot.bench.processes import Processes
from groupshot.errors import UserError
from groupshot.scores.evaluation import Amount
from groupshot.toybox.troupes import ACROSS, ONE_STYLE

TINY = Amount(each=1, prior=2)
TERMS = Terms(base="toybox", weights="abc", amount=TINY)
WORDS = CEILINGS[1]
TI, DB = Contender(method="textual-inversion"), Contender(method="dreambooth")


def cell(contender: Contender = TI, **changed: object) -> Cell:
    plain = Cell(suite="pairs", contender=contender, cast=0, seed=0, concepts=2)
    return replace(plain, **changed)  # type: ignore[arg-type]


def line(of: Cell, all_right: float = 0.5, **changed: object) -> Line:
    scores = dict.fromkeys(results.KEYS[5:], 0.25) | {"all_right": all_right, "mask_iou": None}
    marks = {key: all_right for key in ("present", "identity", "mixed", "all_right", "prompt")}
    beside = {
        "variant": (ONE_STYLE, ACROSS)[of.cast % 2],
        "pictures": 12,
        "attributes": {"kind": 1.0, "mark": all_right},
        "degrees": {"side by side": marks, "occlusion": marks},
        "asked": {"two": marks},
        "precision": "fp32",
        "all_seconds": 60.0,
        "jobs": 1,
    }
    return of.line | scores | {"steps": 300} | TERMS.line | beside | changed


class Here(Processes[Cell]):
    """Calls that are done in this process, each when it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Cell, Callable[[], Line]]] = []

    def __exit__(self, *_: object) -> None:
        self.calls.clear()

    @property
    def keys(self) -> list[Cell]:
        return [key for key, _ in self.calls]

    def start(self, key: Cell, task: Callable[..., Line], *args: object) -> None:
        self.calls.append((key, lambda: task(*args)))

    def ended(self) -> tuple[Cell, Line | UserError]:
        key, call = self.calls.pop()
        try:
            return key, call()
        except UserError as mistake:
            return key, mistake


def stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bench start no other process."""
    monkeypatch.setattr(work, "Processes", Here)
    monkeypatch.setattr(work, "apart", lambda task, *args: task(*args))
