"""Casts drawn by the world: folders as a user would bring them, with the truth beside them.

`python -m groupshot.toybox.casts FOLDER` draws the examples again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from PIL import Image

from groupshot.toybox import world
from groupshot.toybox.world import Identity

TRUTH = "cast.json"
"""The file beside cast.yaml that holds each concept's attributes, for the judge alone."""
TRUE_MASKS = "truth"
"""The folder beside it with true masks, PHOTO.NAME.png; nothing that learns looks there."""
TOGETHER = "together"
"""The folder of the photos that show several at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A drawn photo, and whom it shows."""

    picture: world.Picture
    shows: Mapping[str, int]
    """By name, from left to right, the number in `picture.owners`; 0 is the background."""


Album = Mapping[str, Snapshot]
"""Photos by their paths inside the cast's folder: NAME/1.png, together/1.png."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Troupe:
    """A cast of the world's making."""

    people: Mapping[str, Identity]
    album: Album
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """Concepts that are backgrounds, and of which kind."""
    variant: str = ""
    """What is special about it among the casts of its suite."""


def photographed(
    rng: np.random.Generator, people: Sequence[Identity], n: int, **fixed: Any
) -> list[world.Picture]:
    """n pictures of the people together, each on another background unless one is `fixed`."""
    backgrounds = [str(b) for b in rng.permutation(world.BACKGROUNDS)[:n]]
    order = [rng.permutation(len(people)) for _ in range(n)]
    return [
        world.draw(world.staged(rng, [people[i] for i in who], **{"background": place, **fixed}))
        for who, place in zip(order, backgrounds, strict=True)
    ]


def snapshot(
    picture: world.Picture, people: Mapping[str, Identity], place: str | None = None
) -> Snapshot:
    """A photo that shows people, named from left to right, and perhaps a concept behind them.

    Of two of one class, who is always seen with the other, nothing but their order tells which is
    which.
    """
    there = [placed.identity for placed in picture.scene.characters]
    owners = {name: there.index(who) + 1 for name, who in people.items()}
    middles = {name: np.nonzero(picture.owners == i)[1].mean() for name, i in owners.items()}
    shows = {name: owners[name] for name in sorted(owners, key=middles.__getitem__)}
    return Snapshot(picture=picture, shows=shows | ({place: 0} if place else {}))


def apart(people: Mapping[str, Identity], seed: tuple[int, ...], n: int = 5, **fixed: Any) -> Album:
    """A folder of photos for each, alone in them; whoever joins later changes nobody's photos."""
    album: dict[str, Snapshot] = {}
    for k, (name, who) in enumerate(people.items()):
        pictures = photographed(np.random.default_rng((*seed, k)), [who], n, **fixed)
        album |= numbered(name, [snapshot(picture, {name: who}) for picture in pictures])
    return album


def together(
    people: Mapping[str, Identity], seed: tuple[int, ...], n: int = 5, **fixed: Any
) -> Album:
    """Photos that show everyone."""
    rng = np.random.default_rng((*seed, len(people)))
    pictures = photographed(rng, list(people.values()), n, **fixed)
    return numbered(TOGETHER, [snapshot(picture, people) for picture in pictures])


def numbered(folder: str, photos: Sequence[Snapshot]) -> Album:
    """Photos as PNG files of a folder."""
    return {f"{folder}/{i + 1}.png": photo for i, photo in enumerate(photos)}


def save(folder: Path, troupe: Troupe) -> None:
    """The photos, cast.yaml for the user's eyes, and the judge's file."""
    for path, photo in troupe.album.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo.picture.image).save(folder / path, optimize=True)
    (folder / "cast.yaml").write_text(yaml.safe_dump(listing(troupe), sort_keys=False))
    truth = {name: asdict(who) for name, who in troupe.people.items()}
    (folder / TRUTH).write_text(json.dumps(truth, indent=2) + "\n")


def save_true_masks(folder: Path, album: Album) -> None:
    """Beside a saved cast: where in each photo each concept is, for the judge alone."""
    for path, photo in album.items():
        for name, owner in photo.shows.items():
            save_mask(folder / TRUE_MASKS / masked(path, name), photo.picture.owners == owner)


def save_hand_masks(folder: Path, album: Album) -> None:
    """In a saved cast: the same masks where a user would lay them by hand."""
    for path, photo in album.items():
        for name, owner in photo.shows.items():
            shared = path.startswith(f"{TOGETHER}/")
            file = PurePosixPath(path).with_suffix(f".{name}.mask.png" if shared else ".mask.png")
            save_mask(folder / file, photo.picture.owners == owner)


def masked(path: str, name: str) -> str:
    """Where the true mask of a concept in a photo lies: luna/1.luna.png for luna/1.png."""
    return str(PurePosixPath(path).with_suffix(f".{name}.png"))


def save_mask(file: Path, mask: np.ndarray) -> None:
    """White where the concept is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(file, optimize=True)


def listing(troupe: Troupe) -> dict[str, Any]:
    """What stands in cast.yaml."""
    concepts: dict[str, Any] = {name: {"class": who.kind} for name, who in troupe.people.items()}
    for name, kind in troupe.places.items():
        concepts[name] = {"class": kind, "kind": "background"}
    shared = {k: p for k, p in troupe.album.items() if k.startswith(f"{TOGETHER}/")}
    rows = [
        {"image": path, "shows": list(photo.shows), **hint(troupe, list(photo.shows))}
        for path, photo in shared.items()
    ]
    return {"concepts": concepts} | ({"together": rows} if rows else {})


def hint(troupe: Troupe, shows: Sequence[str]) -> dict[str, Any]:
    """Who is left or right of all others, of those whose class another in the photo has.

    Of two who are always seen together nothing else tells which is which.
    """
    people = [name for name in shows if name in troupe.people]
    kinds = [troupe.people[name].kind for name in people]
    ends = zip(("left", "right"), (people[0], people[-1]), strict=True) if people else ()
    where = {name: side for side, name in ends if kinds.count(troupe.people[name].kind) > 1}
    return {"where": where} if where else {}


def truth(folder: Path) -> dict[str, Identity]:
    """Who the concepts of a drawn cast are."""
    return {k: Identity(**v) for k, v in json.loads((folder / TRUTH).read_text()).items()}


def who(*values: str) -> Identity:
    """An identity from its attributes in order."""
    return Identity(**dict(zip(world.ATTRIBUTES, values, strict=True)))


EXAMPLES = {
    "two-cats": {
        "luna": who("cat", "gray", "white", "striped", "scarf", "teal", "belly star"),
        "milo": who("cat", "orange", "white", "striped", "headphones", "blue", "eye patch"),
    },
    "two-dogs-and-robot": {
        "rex": who("dog", "brown", "white", "plain", "hat", "blue", "eye patch"),
        "bella": who("dog", "white", "brown", "patched", "bow", "green", "heart cheeks"),
        "bolt": who("robot", "teal", "orange", "split", "cape", "purple", "mohawk"),
    },
    "inseparable": {
        "poppy": who("rabbit", "pink", "white", "striped", "bow", "green", "moustache"),
        "bruno": who("bear", "blue", "yellow", "plain", "scarf", "green", "crown"),
    },
}
"""The casts in `examples/`, all of them reserved identities."""


def save_world(path: Path, columns: int = 6, rows: int = 3) -> None:
    """A sheet of scenes: everyone alone once, then pairs in every relation."""
    rng = np.random.default_rng(2)
    alone = [
        world.staged(rng, [world.identity(rng, "cast", kind=kind)], background=place)
        for kind, place in zip(world.KINDS, rng.permutation(world.BACKGROUNDS), strict=True)
    ]
    pairs = [world.dream(rng, population="cast", count=2, relation=r) for r in world.RELATIONS]
    scenes = [*alone, *pairs, world.dream(rng, population="cast", count=9)]
    images = np.stack([world.draw(scene).image for scene in scenes])
    grid = images.reshape(rows, columns, world.SIZE, world.SIZE, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(grid.reshape(rows * world.SIZE, -1, 3)).save(path, optimize=True)


def main() -> None:
    """Draw the examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for seed, (name, people) in enumerate(EXAMPLES.items()):
        album = (together if name == "inseparable" else apart)(people, (seed,))
        save(folder / name, Troupe(people=people, album=album))
    save_world(folder / "world.png")


if __name__ == "__main__":
    main()
