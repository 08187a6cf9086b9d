"""Presets: a method's fields have one default, the toybox's, and another on kinds of real bases."""

from collections.abc import Iterator, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from groupshot.base import Base

M = TypeVar("M")

KINDS: Mapping[str, str] = {
    "sd": "Stable Diffusion",
    "sd768": "Stable Diffusion at 768 pixels",
    "xl": "Stable Diffusion XL",
}
"""The kinds of real bases: what is not said of the last two is what is said of the first."""

WIDE = 96
"""Side of a latent of 768 pixels."""


def per_base(default: Any, **kinds: Any) -> Any:
    """A dataclass field with a default, and with others on some of KINDS."""
    return field(default=default, metadata=kinds)


def kinds(base: Base) -> Iterator[str]:
    """The kinds that a base is of, from the most general: none where it knows few words."""
    if base.lexicon:
        return
    yield "sd"
    if len(base.encoders) > 1:
        yield "xl"
    elif base.shape[-1] >= WIDE:
        yield "sd768"


def preset(method: type, base: Base) -> dict[str, Any]:
    """The fields of a method whose default is another on this base."""
    own: Any = method
    return {
        each.name: each.metadata[kind]
        for kind in kinds(base)
        for each in fields(own)
        if kind in each.metadata
    }


def fitted(method: type[M], base: Base, **said: Any) -> M:
    """A method as it is usually used on this base, but for what is said of its fields."""
    return method(**{**preset(method, base), **said})
