"""cast.yaml, read and checked: what is written there, before any file is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import yaml

from groupshot.errors import UserError

Side = Literal["left", "right"]
"""Where somebody is among those whom a photo shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line under `concepts`."""

    noun: str | None = None
    kind: Literal["thing", "background"] = "thing"
    images: tuple[str, ...] | None = None
    """Glob patterns inside the cast's folder; None for every picture in the folder of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line under `together`."""

    image: str
    shows: tuple[str, ...]
    where: Mapping[str, Side] = field(default_factory=dict[str, Side])
    """A hint that tells look-alikes apart; nobody has to be in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The whole file; `concepts` is None where the folders decide."""

    concepts: Mapping[str, Entry] | None = None
    together: tuple[Row, ...] = ()


class _Loader(yaml.SafeLoader):
    """yaml.safe_load, but of two equal keys the second is refused instead of winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise UserError(f"'{key}' stands there twice: rename or remove one")
        return super().construct_mapping(node, deep)


def read_sheet(folder: Path) -> Sheet:
    """Read FOLDER/cast.yaml, or nothing where there is none; UserError begins with its path."""
    path = folder / "cast.yaml"
    if not path.exists():
        if (folder / "cast.yml").exists():
            raise UserError(f"{folder / 'cast.yml'} is not read: call it cast.yaml")
        return Sheet()
    try:
        return _sheet(yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise UserError(f"{path}, line {line}: not YAML ({broken.problem}): correct it") from broken
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise UserError(f"{path} cannot be read as text: write it anew") from broken
    except UserError as wrong:
        raise UserError(f"{path}: {wrong}") from wrong


def _sheet(raw: object) -> Sheet:
    top = _mapping(raw or {}, "the file", ("concepts", "together"))
    concepts = None
    if top.get("concepts") is not None:
        rows = _mapping(top["concepts"], "'concepts'")
        concepts = {name: _entry(name, row or {}) for name, row in rows.items()}
    together = top.get("together") or []
    if not isinstance(together, list):
        raise UserError("'together' is a list of {image: FILE, shows: [NAME, NAME]}")
    return Sheet(concepts=concepts, together=tuple(_row(row) for row in cast(list[Any], together)))


def _entry(name: str, raw: object) -> Entry:
    row = _mapping(raw, f"'{name}'", ("class", "kind", "images"))
    kind = row.get("kind", "thing")
    if kind not in ("thing", "background"):
        raise UserError(f"the kind of '{name}' is '{kind}': write thing or background")
    noun = row.get("class")
    if not (noun is None or (isinstance(noun, str) and noun.strip())):
        raise UserError(f"the class of '{name}' is {noun!r}: write one word, like cat")
    images = row.get("images")
    if images is not None:
        patterns = [images] if isinstance(images, str) else images
        images = tuple(_inside(each) for each in _strings(patterns, f"the images of '{name}'"))
    return Entry(noun=noun, kind=kind, images=images)


def _row(raw: object) -> Row:
    row = _mapping(raw, "a line of 'together'", ("image", "shows", "where"))
    if not (isinstance(row.get("image"), str) and row.get("shows")):
        raise UserError("each line of 'together' needs an image and whom it shows")
    shows = _strings(row["shows"], f"'{row['image']}' shows")
    for name in shows:
        if shows.count(name) > 1:
            raise UserError(f"'{row['image']}' shows {name} twice: name everyone once")
    return Row(image=_inside(row["image"]), shows=shows, where=_where(row, shows))


def _where(row: Mapping[str, Any], shows: tuple[str, ...]) -> dict[str, Side]:
    what = f"where of '{row['image']}'"
    sides = _mapping(row.get("where") or {}, what, shows)
    for name, side in sides.items():
        if side not in ("left", "right"):
            raise UserError(f"{what} has {name} at '{side}': write left or right")
    return sides


def _mapping(raw: object, what: str, known: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise UserError(f"{what} must be 'key: value' lines")
    mapping = {str(key): value for key, value in cast(dict[Any, Any], raw).items()}
    for key in mapping:
        if known and key not in known:
            close = get_close_matches(key, known, n=1) or known
            raise UserError(f"{what} has '{key}', which means nothing: write {' or '.join(close)}")
    return mapping


def _strings(raw: object, what: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(e, str) for e in cast(list[Any], raw)):
        raise UserError(f"{what}: write a list, like [luna, rex]")
    return tuple(cast(list[str], raw))


def _inside(file: str) -> str:
    """Refuse a path that leads out of the cast's folder: a cast may come from a stranger."""
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise UserError(f"'{file}' leads out of the cast's folder: copy the picture into it")
    return file
