"""The ladder: imports only point up it, heavy libraries have a home, and files stay short."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "groupshot"
LADDER = (
    ["errors", "signals", "files", "photo", "castfile", "cast", "shapes", "toybox"]  # the world
    + ["team", "basefolder", "base"]  # the model
    + ["keep", "attention", "crf", "masks", "samples", "estep"]  # the vocabulary of the papers
    + ["clip", "confusion"]
    + ["recipes", "weights", "losses", "retention", "learned", "optimisers"]
    + ["pictures", "runfolder", "checkpoint", "stage", "presets", "ahead", "run"]
    + ["scores", "export"]  # the engine
    + ["methods"]  # the papers
    + ["folders", "fields", "cards", "progress", "report", "demo", "doctor", "bench"]  # the doors
    + ["overlays", "strips", "previews", "benchmarks", "commands", "cli", "ui"]
    + ["__init__", "__main__"]
)
HOMES = {
    "diffusers": {
        *("base", "attention", "export", "toybox/training"),
        *("benchmarks/published", "benchmarks/spoiled"),
    },
    "transformers": {"base", "masks", "clip", "scores", "toybox/training", "benchmarks/published"},
    "peft": {"recipes", "benchmarks/plain"},
    "accelerate": {"run"},
    "gradio": {"ui"},
    "bitsandbytes": {"optimisers"},
}
LONGEST = 300
FILES = sorted(PACKAGE.rglob("*.py"))


def rung(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it, as a dotted name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written in full"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def rungs_used(file: Path) -> set[str]:
    """The rungs that a file imports from; a bare `groupshot` stands for its __init__."""
    used: set[str] = set()
    for parts in (name.split(".") for name in imported(file)):
        if parts[0] == "groupshot":
            used.add(parts[1] if len(parts) > 1 and parts[1] in LADDER else "__init__")
    return used


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_up_the_ladder(file):
    here = rung(file)
    assert here in LADDER, f"{here} has no rung: give it one in the LADDER and the README's tree"
    below = {used for used in rungs_used(file) if LADDER.index(used) > LADDER.index(here)}
    assert not below, f"{here} imports what stands below it: {sorted(below)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_libraries_stay_at_home(file):
    place = file.relative_to(PACKAGE).with_suffix("").as_posix()
    for library in {name.split(".")[0] for name in imported(file)} & HOMES.keys():
        at_home = any(place == home or place.startswith(f"{home}/") for home in HOMES[library])
        assert at_home, f"{library} is imported in {place}; its homes are {sorted(HOMES[library])}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_are_short(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{file.name} has {lines} lines: would it be two files?"
