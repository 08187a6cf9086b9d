"""A drawn world with exact answers, a reader that reads it back, and a base trained on it."""

from importlib import import_module
from pathlib import Path
from typing import Any


def check(folder: Path, n: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """How good the base in a folder is on `n` prompts now, beside what its card says."""
    checking: Any = import_module("groupshot.toybox.training.checking")
    return checking.check(folder, n, seed)
