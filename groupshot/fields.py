"""The fields of a method, as people see and set them: name, type, default and meaning."""

import ast
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from groupshot.errors import UserError

WORDS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing about a method that can be set."""

    name: str
    type: Any
    default: Any
    kinds: Mapping[str, Any]
    """What it is on kinds of bases where that is not the default."""
    meaning: str
    """The docstring below the field in the source."""

    @property
    def values(self) -> str:
        """What it takes, in words: `int`, `true or false`, `a or b`."""
        return _values(self.type)

    def parsed(self, text: str) -> Any:
        """Read a value from the command line; UserError where it is of another type."""
        for kind in _alternatives(self.type):
            try:
                return _parsed(kind, text)
            except ValueError:
                continue
        raise UserError(f"{self.name}={text}: {self.name} takes {self.values}")


def fields_of(method: type) -> tuple[Field, ...]:
    """List a dataclass's fields in the order of its source."""
    hints = get_type_hints(method)
    meanings = _meanings(method)
    return tuple(
        Field(
            name=field.name,
            type=hints[field.name],
            default=_default(field.default, field.default_factory),
            kinds=field.metadata,
            meaning=meanings.get(field.name, ""),
        )
        for field in fields(method)
    )


def overrides(method: type, settings: Iterable[str]) -> dict[str, Any]:
    """Turn `FIELD=VALUE` texts into values of the method's fields; UserError names the choice."""
    known = {field.name: field for field in fields_of(method)}
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"'{setting}' sets nothing: write FIELD=VALUE")
        if name not in known:
            close = get_close_matches(name, known, n=3) or list(known)
            raise UserError(f"{method.__name__} has no field '{name}': try {', '.join(close)}")
        values[name] = known[name].parsed(text)
    return values


def card(method: type) -> str:
    """Give a method's card: the docstring of its module."""
    return inspect.getdoc(sys.modules[method.__module__]) or ""


def _default(value: Any, factory: Any) -> Any:
    return value if factory is MISSING else factory()


def _meanings(method: type) -> dict[str, str]:
    """Read the string below each field from the class's source."""
    (body,) = ast.parse(inspect.cleandoc(inspect.getsource(method))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for line, below in zip(body.body, body.body[1:], strict=False):
        match line, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
            case _:
                pass
    return found


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _parsed(kind: Any, text: str) -> Any:
    """Read a value of one plain type; ValueError where the text is none."""
    if get_origin(kind) is Literal:
        return {str(value): value for value in get_args(kind)}[_one_of(kind, text)]
    if get_origin(kind) is tuple:
        return tuple(_parsed(get_args(kind)[0], part.strip()) for part in text.split(",") if part)
    if kind is types.NoneType or kind is bool:
        words = WORDS if kind is bool else {"none": None}
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    raise ValueError(f"{kind} cannot be written on a command line")


def _one_of(kind: Any, text: str) -> str:
    if text not in map(str, get_args(kind)):
        raise ValueError(text)
    return text


def _values(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"{_values(get_args(kind)[0])}, …"
    if len(_alternatives(kind)) > 1:
        return " or ".join(_values(each) for each in _alternatives(kind))
    plain = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        types.NoneType: "none",
    }
    return plain.get(kind, str(kind))
