"""A scene as a plain value: who stands where, how, and in front of what."""

from dataclasses import dataclass, replace

from groupshot.toybox.world.vocabulary import SIZE, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A character in a scene: feet at (x, y), `height` from feet to crown, in pixels."""

    identity: Identity
    x: float
    y: float
    height: float
    tilt: float = 0.0
    """Rotation in degrees, clockwise."""
    flip: bool = False
    pose: str = "down"
    """Where the arms are: a key of `anatomy.POSES`."""
    seed: int = 0
    """Jitter of colours and proportions within what its identity allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """How two characters (indices into `Scene.characters`) stand to each other."""

    relation: str
    first: int
    """Who is in front, or rides; for the symmetric ones the left one."""
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a picture of the world shows; characters run from left to right."""

    style: str
    background: str
    background_seed: int
    characters: tuple[Placed, ...]
    bonds: tuple[Bond, ...] = ()
    """Pairs that do more than stand side by side."""

    def __post_init__(self) -> None:
        left = [c.x for c in self.characters]
        if left != sorted(left):
            raise ValueError("a scene's characters run from left to right")


def mirrored(scene: Scene) -> Scene:
    """The same scene seen in a mirror (its background is another of the same kind)."""
    last = len(scene.characters) - 1
    return replace(
        scene,
        characters=tuple(
            replace(c, x=SIZE - c.x, tilt=-c.tilt, flip=not c.flip)
            for c in reversed(scene.characters)
        ),
        bonds=tuple(replace(b, first=last - b.first, second=last - b.second) for b in scene.bonds),
    )
