"""Captions that are nearly true: two characters' places or colours swapped."""

from collections.abc import Callable
from dataclasses import replace

from groupshot.toybox.world import Identity, Scene

ORDERING = ("left", "right", "in front of a", "behind a", "riding", "carrying")
"""What makes a caption untrue once two characters trade places."""


def swapped_sides(scene: Scene) -> Scene | None:
    """Two characters in each other's place; None where nobody could tell."""
    i, j = pair(scene)
    one, two = scene.characters[i].identity, scene.characters[j].identity
    return None if one == two else with_identities(scene, {i: two, j: one})


def swapped_colours(scene: Scene) -> Scene | None:
    """Two characters with each other's main and second colour; None where that is no change."""
    i, j = pair(scene)
    one, two = scene.characters[i].identity, scene.characters[j].identity
    if one.colour == two.colour:
        return None
    return with_identities(scene, {i: painted(one, two), j: painted(two, one)})


SWAPS: dict[str, Callable[[Scene], Scene | None]] = {
    "sides": swapped_sides,
    "colours": swapped_colours,
}


def pair(scene: Scene) -> tuple[int, int]:
    """The two characters to swap: those with a bond, or the first two from the left."""
    return (scene.bonds[0].first, scene.bonds[0].second) if scene.bonds else (0, 1)


def painted(who: Identity, like: Identity) -> Identity:
    """Someone in the colours of another."""
    return replace(who, colour=like.colour, second=like.second)


def with_identities(scene: Scene, who: dict[int, Identity]) -> Scene:
    """The scene with some of its characters replaced by others."""
    characters = (
        replace(placed, identity=who.get(i, placed.identity))
        for i, placed in enumerate(scene.characters)
    )
    return replace(scene, characters=tuple(characters))


def told_apart(scene: Scene, said: str, wrong: str, how: str) -> bool:
    """Whether the swapped caption is untrue of the scene, and not only worded otherwise."""
    if said == wrong:
        return False
    i, j = pair(scene)
    kinds = {scene.characters[i].identity.kind, scene.characters[j].identity.kind}
    ordered = any(words in said for words in ORDERING)
    return ordered or (how == "colours" and len(kinds) == 2)
