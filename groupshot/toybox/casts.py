"""Casts drawn by the world: folders as a user would bring them, with the truth beside them.

`python -m groupshot.toybox.casts FOLDER` draws the examples again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from groupshot.toybox import world
from groupshot.toybox.world import Identity

TRUTH = "cast.json"
"""The file beside cast.yaml that holds each concept's attributes, for the judge alone."""


def photographed(
    rng: np.random.Generator, people: Sequence[Identity], n: int
) -> list[world.Picture]:
    """n pictures of the people together, each on another background."""
    backgrounds = [str(b) for b in rng.permutation(world.BACKGROUNDS)[:n]]
    order = [rng.permutation(len(people)) for _ in range(n)]
    return [
        world.draw(world.staged(rng, [people[i] for i in who], background=place))
        for who, place in zip(order, backgrounds, strict=True)
    ]


def save_apart(folder: Path, people: Mapping[str, Identity], *, seed: int, n: int = 5) -> None:
    """A cast in which everyone has a folder of pictures of their own."""
    for k, (name, who) in enumerate(people.items()):
        rng = np.random.default_rng((seed, k))
        save_pictures(folder / name, photographed(rng, [who], n))
    save_truth(folder, people, [])


def save_together(folder: Path, people: Mapping[str, Identity], *, seed: int, n: int = 5) -> None:
    """A cast in which everyone is in every picture."""
    rng = np.random.default_rng((seed, len(people)))
    paths = save_pictures(folder / "together", photographed(rng, list(people.values()), n))
    shows = [{"image": f"together/{path.name}", "shows": list(people)} for path in paths]
    save_truth(folder, people, shows)


def save_pictures(folder: Path, pictures: Sequence[world.Picture]) -> list[Path]:
    """Numbered PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i + 1}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture.image).save(path, optimize=True)
    return paths


def save_truth(folder: Path, people: Mapping[str, Identity], shows: list[dict[str, Any]]) -> None:
    """cast.yaml for the user's eyes, and the judge's file."""
    listing: dict[str, Any] = {"concepts": {name: {"class": p.kind} for name, p in people.items()}}
    if shows:
        listing["together"] = shows
    (folder / "cast.yaml").write_text(yaml.safe_dump(listing, sort_keys=False))
    truth = {name: asdict(who) for name, who in people.items()}
    (folder / TRUTH).write_text(json.dumps(truth, indent=2) + "\n")


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
        save = save_together if name == "inseparable" else save_apart
        save(folder / name, people, seed=seed)
    save_world(folder / "world.png")


if __name__ == "__main__":
    main()
