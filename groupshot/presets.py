"""Presets: what a method's fields are usually, and what they may be.

They have one default, the toybox's, and another on kinds of real bases.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, TypeVar

from groupshot.base import Base
from groupshot.errors import UserError

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Within:
    """The range of a number."""

    least: float
    most: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return f"at least {self.least}" + (f" and at most {self.most}" * math.isfinite(self.most))


Count = Annotated[int, Within(1)]
"""Of things that cannot do without one."""
Number = Annotated[int, Within(0)]
"""Of things that there may be none of."""
Share = Annotated[float, Within(0, 1)]
Weight = Annotated[float, Within(0)]
"""Of a loss, and rates, angles, exponents."""

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
    return checked(method(**{**preset(method, base), **said}))


def checked(method: M) -> M:
    """The method; a UserError names a field of it that is out of its range."""
    for each in fields(method):  # type: ignore[arg-type]
        value = getattr(method, each.name)
        for said in getattr(each.type, "__metadata__", ()):  # a text has none
            if isinstance(said, Within) and isinstance(value, int | float) and value not in said:
                raise UserError(f"{each.name}={value}: {each.name} is {said}")
    return method
