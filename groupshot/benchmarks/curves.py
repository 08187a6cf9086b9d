"""What is measured on the way of a run: a file of points, which whoever goes on adds to."""

from collections.abc import Mapping
from pathlib import Path

from groupshot.files import load_json, save_json


def noted(file: Path, step: int, found: Mapping[str, float]) -> None:
    """Add what was found at a step to {STEP: {NAME: number}}."""
    before = load_json(file) if file.is_file() else {}
    save_json(file, before | {str(step): dict(found)})
