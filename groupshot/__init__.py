"""Put several of your own subjects in one picture, each still itself."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groupshot import methods as methods
    from groupshot.base import Base as Base
    from groupshot.cast import Cast as Cast
    from groupshot.errors import UserError as UserError
    from groupshot.pictures import generate as generate
    from groupshot.run import Run as Run
    from groupshot.run import train as train
    from groupshot.runfolder import Trained as Trained
    from groupshot.scores.evaluation import Evaluation as Evaluation
    from groupshot.scores.evaluation import evaluate as evaluate
    from groupshot.stage import Step as Step

HOMES = {
    "Base": "groupshot.base",
    "Cast": "groupshot.cast",
    "Evaluation": "groupshot.scores.evaluation",
    "Run": "groupshot.run",
    "Step": "groupshot.stage",
    "Trained": "groupshot.runfolder",
    "UserError": "groupshot.errors",
    "evaluate": "groupshot.scores.evaluation",
    "generate": "groupshot.pictures",
    "train": "groupshot.run",
}
"""The public names, and the module of each; none has a module's name, which would hide it."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `--help` need not wait for torch."""
    if name == "methods":
        return import_module("groupshot.methods")
    if name not in HOMES:
        raise AttributeError(f"module 'groupshot' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    """What there is to ask for."""
    return ["methods", *HOMES]
