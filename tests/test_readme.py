"""The README is true: its table is METHODS, its tree is the package, its example compiles."""

import re
from pathlib import Path

from groupshot.methods import METHODS

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


def test_its_pictures_are_there():
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / link).is_file(), link
