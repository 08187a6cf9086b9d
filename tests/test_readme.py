"""The README is true: its table is METHODS, its tree is the package, its example compiles."""

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import save_picture
from PIL import Image
from test_export import script

from groupshot.cli import main
from groupshot.methods import METHODS
from groupshot.runfolder import Trained

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_table_lists_every_method_with_its_paper():
    rows = re.findall(r"^\| `([a-z-]+)` \| .*arXiv (\d+\.\d+)", README, re.MULTILINE)
    assert [name for name, _ in rows] == list(METHODS)
    for name, arxiv in rows:
        module = Path(__import__(METHODS[name].__module__, fromlist=["_"]).__file__)
        assert arxiv in module.read_text(encoding="utf-8"), name


def test_its_tree_names_every_module():
    tree = README.split("## The tree")[1]
    for file in (ROOT / "groupshot").glob("*.py"):
        assert file.stem == "__init__" or re.search(rf"\b{file.stem}\b", tree), file.name


def test_its_example_compiles():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    compile(example, "README.md", "exec")


def test_it_names_the_systems_that_the_package_is_for():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    systems = [each.split(" :: ")[-1] for each in package["classifiers"] if "System" in each]
    assert systems == ["MacOS", "Linux"]
    assert "need Linux or macOS, Python 3.11 or newer" in README.split("## ")[0]


def test_its_pictures_are_there():
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / link).is_file(), link


@pytest.mark.parametrize("kind", ["base", "second_base", "large_base"])
def test_your_own_subjects_from_photos_to_a_picture_by_plain_diffusers(
    request, kind, tmp_path, monkeypatch
):
    """Word for word but for the base, a miniature, how long it learns, and in full precision."""
    base = request.getfixturevalue(kind)
    monkeypatch.chdir(tmp_path)
    tree, commands = re.findall(
        r"```\n(.*?)```", README.split("## Your own subjects")[1], re.DOTALL
    )[:2]
    for name in re.findall(r"^  ([a-z.]+)/", tree, re.MULTILINE):
        for number in (1, 2):
            save_picture(Path("my-cast") / name / f"{number}.jpg", colour=(90, 50 * number, 10))
    train, *others = commands.strip().splitlines()
    published = "--base sd15"
    assert published in train
    quick = " --precision fp32 --set steps=2 batch=1 crops=1 priors=1 prior_batch=1"
    for line in (train.replace(published, f"--base {base.source}") + quick, *others):
        program, *words = shlex.split(line)
        assert program == "groupshot"
        assert main(words) == 0
    assert len(list(Path("pictures").glob("*.png"))) == 4
    monkeypatch.chdir("for-diffusers")
    exec(script(Path(), base), {})  # noqa: S102
    ours = Trained.load(tmp_path / "runs/mine", base).generate("a photo of <luna> and <milo>")[0]
    theirs = np.asarray(Image.open("picture.png"), int)
    np.testing.assert_allclose(theirs, np.asarray(ours, int), atol=1)
