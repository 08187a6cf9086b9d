"""The losses of the first steps of every method: no refactoring may move them.

A change that should move them rewrites the file in the same commit:
`GROUPSHOT_WRITE_LOSSES=1 pytest tests/test_losses_stay.py`.
"""

import json
import os
from pathlib import Path

import pytest
from test_methods import quick

from groupshot.methods import METHODS
from groupshot.run import Run

FILE = Path(__file__).parent / "data" / "losses.json"


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize("name", METHODS)
def test_the_first_losses_are_the_stored_ones(velocity_base, two_cats, tmp_path, name):
    run = Run(two_cats, base=velocity_base, method=quick(name, steps=3), out=tmp_path / "run")
    losses = [step.losses for step in run]
    stored = json.loads(FILE.read_text())
    if os.environ.get("GROUPSHOT_WRITE_LOSSES"):
        stored[name] = losses
        FILE.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n")
    assert len(losses) == len(stored[name])
    for ours, theirs in zip(losses, stored[name], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
