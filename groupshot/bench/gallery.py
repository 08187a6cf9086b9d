"""The gallery: the pictures behind the figures, cast by cast, and what the judge said of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from groupshot.bench.cells import Cell, Line, cell_of
from groupshot.bench.rows import PICTURES
from groupshot.cast import Cast
from groupshot.files import load_json

RIGHT, MIXED, ABSENT, OTHER = "right", "mixed", "absent", "other"
"""What can be seen at a glance: all right; someone mixed; someone missing; another fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumb:
    """A picture, or a photo."""

    source: str
    """Its address, from the page."""
    says: str
    sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The pictures of one prompt."""

    prompt: str
    thumbs: Sequence[Thumb]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """All pictures of one contender, by degree of difficulty."""

    label: str
    groups: Mapping[str, Sequence[Column]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A cast: its photos, and what everyone made of it."""

    title: str
    photos: Mapping[str, Sequence[Thumb]]
    strips: Sequence[Strip]


def exhibits(lines: Iterable[Line], out: Path) -> Iterator[Exhibit]:
    """An exhibit for each cast whose pictures are still there."""
    for _, group in groupby(shown(lines, out), key=place):
        own = list(group)
        yield Exhibit(
            title=own[0].subject,
            photos=thumbs(photos(own[0], out), out),
            strips=[strip(cell, out) for cell in own],
        )


def shown(lines: Iterable[Line], out: Path) -> list[Cell]:
    """The cells whose pictures are still there, cast by cast, in each the ceilings last."""
    cells = [cell for line in lines if (out / (cell := cell_of(line)).folder / PICTURES).is_file()]
    return sorted(cells, key=lambda cell: (*place(cell), cell.contender.ceiling))


def place(cell: Cell) -> tuple[int, int]:
    """By cast and size."""
    return cell.cast, cell.concepts


def photos(cell: Cell, out: Path) -> dict[str, list[Path]]:
    """What was learned from, as far as it is still there."""
    if not (out / cell.cast_folder).is_dir():
        return {}
    cast = Cast.load(out / cell.cast_folder)
    alone = {c.name: [p.path for p in c.photos] for c in cast.concepts if c.photos}
    return alone | ({"together": [t.photo.path for t in cast.together]} if cast.together else {})


def thumbs(paths: Mapping[str, Iterable[Path]], out: Path) -> dict[str, list[Thumb]]:
    """Photos as a page in `out` shows them."""
    return {
        name: [Thumb(source=address(path, out), says=name) for path in own]
        for name, own in paths.items()
    }


def strip(cell: Cell, out: Path) -> Strip:
    """What one contender made of a cast."""
    told: list[dict[str, Any]] = load_json(out / cell.folder / PICTURES)
    groups: dict[str, list[Column]] = {}
    for (group, prompt), same in groupby(told, key=lambda each: (heading(each), each["prompt"])):
        own = [
            Thumb(
                source=address(out / cell.folder / each["file"], out),
                says=spoken(each),
                sort=sort_of(each),
            )
            for each in same
        ]
        groups.setdefault(group, []).append(Column(prompt=prompt, thumbs=own))
    label = cell.contender.label + (f", seed {cell.seed}" if cell.seed else "")
    return Strip(label=label, groups=groups)


def heading(told: Mapping[str, Any]) -> str:
    """How many were asked for, and in which degree."""
    return f"{told['asked']} · {told['degree']}"


def sort_of(told: Mapping[str, Any]) -> str:
    """The first of its faults."""
    if told["all_right"]:
        return RIGHT
    if any(told["mixed"]):
        return MIXED
    return ABSENT if None in told["faults"] else OTHER


def spoken(told: Mapping[str, Any]) -> str:
    """What the judge said of a picture, in words."""
    said = [told["prompt"]]
    for name, faults in zip(told["names"], told["faults"], strict=True):
        if faults is None:
            said.append(f"{name}: nobody")
        elif faults:
            said.append(f"{name}: " + ", ".join(f"{k} {v}" for k, v in faults.items()))
    said += [] if told["background"] else ["another background"]
    said += ["they stand otherwise"] if told["relation"] is False else []
    said += ["all right"] if told["all_right"] else []
    return "\n".join(said)


def address(file: Path, out: Path) -> str:
    """A file's place as a page in `out` names it."""
    return quote(file.relative_to(out).as_posix())
