"""A user's photos become a Cast of Concepts."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Literal

from PIL import Image

from groupshot.castfile import Entry, Row, Side, read_sheet
from groupshot.errors import UserError
from groupshot.photo import Photo, is_mask, pictures_in, read_mask

NAME = re.compile(r"[a-z][a-z0-9-]*")
SUBJECT = re.compile(rf"{NAME.pattern}\.[a-z][a-z -]+")
"""A folder that says whom it shows, and of what class: `luna.cat`."""
CALL = re.compile(r"<([^<>|\s]+)>")
"""A concept in a prompt: `<luna>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One subject, or one background, and the photos that show it alone."""

    name: str
    noun: str | None = None
    """Its class word, `cat`; None where the user gave none."""
    kind: Literal["thing", "background"] = "thing"
    photos: tuple[Photo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One photo that shows several concepts at once."""

    photo: Photo
    shows: tuple[str, ...]
    mask_paths: Mapping[str, Path]
    where: Mapping[str, Side] = field(default_factory=dict[str, Side])
    """On which side of the others some of them are, if the user says so."""

    @property
    def from_left(self) -> tuple[str, ...]:
        """Whom it shows, in their order, but those on the left first and on the right last."""
        rank: dict[Side | None, int] = {"left": 0, None: 1, "right": 2}
        return tuple(sorted(self.shows, key=lambda name: rank[self.where.get(name)]))

    def parts(self, one: str, other: str) -> bool:
        """Whether it tells two apart: it shows one of them alone, or says who is on which side."""
        alone = (one in self.shows) != (other in self.shows)
        return alone or self.where.get(one) != self.where.get(other)

    @property
    def masks(self) -> dict[str, Image.Image]:
        """The hand masks ('L') of those concepts that have one, by name."""
        size = self.photo.image().size if self.mask_paths else (0, 0)
        return {name: read_mask(path, size=size) for name, path in self.mask_paths.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everyone who is to be learned, in the order of their names."""

    folder: Path
    concepts: tuple[Concept, ...]
    together: tuple[Together, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts' names, in order."""
        return tuple(concept.name for concept in self.concepts)

    @property
    def entangled(self) -> tuple[tuple[Concept, Concept], ...]:
        """Two and two things that are only ever seen together, if no `where` tells them apart."""
        things = [each for each in self.concepts if each.kind == "thing" and not each.photos]
        return tuple(
            (one, other)
            for one, other in combinations(things, 2)
            if not any(each.parts(one.name, other.name) for each in self.together)
        )

    @property
    def unhinted(self) -> "Cast":
        """The cast without what is said of sides."""
        return replace(self, together=tuple(replace(each, where={}) for each in self.together))

    @classmethod
    def load(cls, folder: str | Path) -> "Cast":
        """Read a cast folder and every picture in it once; UserError names what is wrong."""
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder: give one that holds a folder per subject")
        sheet = read_sheet(folder)
        together = tuple(_together(folder, row) for row in sheet.together)
        shared = {each.photo.path for each in together}
        if sheet.concepts is None:
            concepts = _found(folder, shared)
        else:
            concepts = tuple(_listed(folder, n, e, shared) for n, e in sheet.concepts.items())
        cast = cls(folder=folder, concepts=concepts, together=together)
        _check(cast)
        return cast


def asked(prompt: str, names: Collection[str]) -> tuple[str, ...]:
    """Give the names in a prompt, in its order, once each; UserError for an unknown one."""
    found = tuple(dict.fromkeys(CALL.findall(prompt)))
    if set("<>") & set(CALL.sub("", prompt)):
        raise UserError(f'the prompt "{prompt}" has a < or > too many: write names as <luna>')
    for name in found:
        if name not in names:
            known = ", ".join(f"<{each}>" for each in names)
            raise UserError(f'the prompt "{prompt}" asks for <{name}>: this run knows {known}')
    return found


def check_nouns(cast: Cast, words: Collection[str]) -> None:
    """Refuse a class word that is not among the base's words, and offer close ones."""
    for concept in cast.concepts:
        if concept.noun is None or set(concept.noun.split()) <= set(words):
            continue
        close = get_close_matches(concept.noun, words, n=3, cutoff=0.5)
        offer = f"did you mean {' or '.join(close)}?" if close else "use a word that it knows"
        raise UserError(
            f"the base does not know the class word '{concept.noun}' of {concept.name}: {offer}"
        )


def strange(prompt: str, words: Collection[str]) -> tuple[str, ...]:
    """The words of a prompt, of more than one letter, that are not among the base's."""
    said = re.findall(r"[^\W\d_](?:[\w-]*\w)", CALL.sub(" ", prompt.lower()))
    return tuple(dict.fromkeys(word for word in said if word not in words))


def _found(folder: Path, shared: set[Path]) -> tuple[Concept, ...]:
    """Take every folder with pictures of its own as a concept, NAME or NAME.CLASS."""
    found: dict[str, tuple[Path, Concept]] = {}
    for child in sorted(folder.iterdir()):
        if not child.is_dir() or child.name.startswith("."):
            continue
        paths = [path for path in pictures_in(child) if path not in shared]
        if not paths:
            _check_no_subject(child)
            continue
        name, _, noun = child.name.partition(".")
        _check_name(name, child)
        if name in found:
            raise UserError(f"{found[name][0]} and {child} are both called {name}: rename one")
        photos = tuple(_photo(path) for path in paths)
        found[name] = child, Concept(name=name, noun=noun or None, photos=photos)
    return tuple(concept for _, concept in found.values())


def _check_no_subject(folder: Path) -> None:
    """Refuse a folder that is meant to be a subject's: it says a class, or nothing is in it."""
    empty = all(file.name.startswith(".") for file in folder.iterdir())
    if empty or (SUBJECT.fullmatch(folder.name) and not pictures_in(folder)):
        raise UserError(
            f"{folder} has no picture of its own: put photos there, and not into a folder inside "
            "it, or remove it"
        )


def _listed(folder: Path, name: str, entry: Entry, shared: set[Path]) -> Concept:
    _check_name(name, folder / "cast.yaml")
    if entry.images is None:
        paths = pictures_in(folder / name)
    else:
        paths = [path for pattern in entry.images for path in _matching(folder, name, pattern)]
    photos = tuple(_photo(path) for path in dict.fromkeys(paths) if path not in shared)
    return Concept(name=name, noun=entry.noun, kind=entry.kind, photos=photos)


def _matching(folder: Path, name: str, pattern: str) -> list[Path]:
    hits = {path for path in folder.glob(pattern) if path.is_file()}
    paths = [p for parent in sorted({h.parent for h in hits}) for p in pictures_in(parent)]
    paths = [path for path in paths if path in hits]
    if not paths:
        raise UserError(f"{folder / 'cast.yaml'}: no picture matches '{pattern}' of {name}")
    return paths


def _together(folder: Path, row: Row) -> Together:
    path = folder / row.image
    if not path.is_file():
        raise UserError(f"{folder / 'cast.yaml'} names {row.image}, which is not there: correct it")
    masks = {name: path.with_name(f"{path.stem}.{name}.mask.png") for name in row.shows}
    given = {name: mask for name, mask in masks.items() if mask.is_file()}
    return Together(photo=Photo(path=path), shows=row.shows, mask_paths=given, where=row.where)


def _photo(path: Path) -> Photo:
    mask = path.with_name(f"{path.stem}.mask.png")
    return Photo(path=path, mask_path=mask if mask.is_file() else None)


def _check_name(name: str, where: Path) -> None:
    if not NAME.fullmatch(name):
        raise UserError(
            f"{where}: '{name}' cannot be a concept's name: "
            "use a-z, 0-9 and -, beginning with a letter"
        )


def _check(cast: Cast) -> None:
    """Refuse a cast that could not be learned from, and every file that could not be read."""
    for each in cast.together:
        _check_together(each, cast.names)
    if not cast.concepts:
        raise UserError(
            f"{cast.folder} has no folder with pictures in it: make one for each subject, "
            "named after it, and put its photos there"
        )
    seen = {name for each in cast.together for name in each.shows}
    for concept in cast.concepts:
        if not concept.photos and concept.name not in seen:
            raise UserError(
                f"{cast.folder / concept.name} has no picture: put photos of {concept.name} there"
            )
        for photo in concept.photos:
            photo.check()
    _check_masks(cast)


def _check_together(each: Together, names: tuple[str, ...]) -> None:
    for name in each.shows:
        if name not in names:
            raise UserError(f"{each.photo.path} shows {name}: add {name} to the concepts")
    each.photo.check()
    if each.masks.keys() != set(each.shows) and each.photo.mask() is not None:
        example = f"{each.photo.path.stem}.{each.shows[0]}.mask.png"
        raise UserError(
            f"{each.photo.path} is transparent, which does not say who is where: "
            f"save it without transparency, or give each a mask like {example}"
        )


def _check_masks(cast: Cast) -> None:
    """Refuse a mask that would never be used: in silence, its owner would believe that it was."""
    used = {photo.mask_path for concept in cast.concepts for photo in concept.photos}
    used |= {mask for each in cast.together for mask in each.mask_paths.values()}
    for file in sorted(cast.folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(cast.folder).parts)
        if is_mask(file) and file not in used and not hidden:
            _check_left_out(cast, file)


def _check_left_out(cast: Cast, mask: Path) -> None:
    """Say why a mask is not used, unless its photo is not used either."""
    plain = mask.with_name(mask.name[: -len(f".mask{mask.suffix}")])
    photo, name = plain.with_suffix(""), plain.suffix[1:]
    alone = {p.path.with_suffix("") for concept in cast.concepts for p in concept.photos}
    shared = {each.photo.path.with_suffix(""): each for each in cast.together}
    if not mask.name.endswith(".mask.png") and {plain, photo} & (alone | shared.keys()):
        raise UserError(f"{mask} is no .mask.png: save it as a PNG file, named so")
    if plain in shared:
        like = f"{plain.name}.{shared[plain].shows[0]}.mask.png"
        raise UserError(f"{mask} does not say whom it masks: name it like {like}")
    if photo in shared and name in cast.names:
        raise UserError(f"{mask} masks {name}, whom its photo does not show: add {name} to `shows`")
    if photo in shared or (photo in alone and name not in cast.names):
        known = ", ".join(cast.names)
        raise UserError(f"{mask} masks no concept: '{name}' is none of {known}")
    if photo in alone:
        raise UserError(
            f"{mask}: its photo shows one concept alone, so name it {photo.name}.mask.png"
        )
    pictures = {path.with_suffix("") for path in pictures_in(mask.parent)}
    if plain in alone or not {plain, photo} & pictures:
        raise UserError(
            f"{mask} masks no photo: name it after the photo that it belongs to, like 1.mask.png"
        )
