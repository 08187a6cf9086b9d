"""Learned: what a run leaves behind."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.files import load_tensors, save_tensors
from groupshot.recipes import RECIPES, Recipe
from groupshot.weights import Part, attached, copied, filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Recipes by the names of their parts, and the tensors of each: one safetensors file."""

    recipes: dict[str, Recipe]
    tensors: dict[str, dict[str, Tensor]]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Learned":
        """A copy of parts as they are now."""
        parts = list(parts)
        return cls(
            recipes={part.name: part.recipe for part in parts},
            tensors={part.name: copied(part) for part in parts},
        )

    def save(self, file: Path) -> None:
        """Write one safetensors file: tensors PART/NAME, the recipes as JSON in its header."""
        recipes = {name: {"kind": r.kind, **asdict(r)} for name, r in self.recipes.items()}  # type: ignore[call-overload]
        named = {f"{part}/{k}": t for part, own in self.tensors.items() for k, t in own.items()}
        save_tensors(file, named, {"parts": recipes})

    @classmethod
    def load(cls, file: Path) -> "Learned":
        """Read what `save` wrote; a UserError if the file is missing, broken or another's."""
        named, note = load_tensors(file)
        if not isinstance(note, dict) or "parts" not in note:
            raise UserError(f"{file} was not written by groupshot.")
        recipes = {name: recipe(**said) for name, said in note["parts"].items()}
        tensors: dict[str, dict[str, Tensor]] = {name: {} for name in recipes}
        for key, tensor in named.items():
            part, name = key.split("/", 1)
            tensors[part][name] = tensor
        return cls(recipes=recipes, tensors=tensors)

    @contextmanager
    def applied_to(self, base: Base) -> Generator[Base]:
        """The base with all of this inside, for as long as the block runs."""
        with base.borrowed():
            for name, how in self.recipes.items():
                filled(attached(base, name, how), self.tensors[name])
            yield base


def recipe(kind: str, **fields: Any) -> Recipe:
    """A recipe from its JSON; a UserError if a newer groupshot wrote it."""
    if kind not in RECIPES:
        raise UserError(f"This groupshot does not know weights of the kind {kind}: update it.")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return RECIPES[kind](**values)
