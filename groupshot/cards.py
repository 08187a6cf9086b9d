"""Cards: methods and their fields, and the known bases, told to people and to programs."""

from collections.abc import Iterator
from typing import Any

from groupshot.base.known import KNOWN
from groupshot.basefolder import INDEX, TOYBOX
from groupshot.fields import Field, card, fields_of
from groupshot.methods import METHODS
from groupshot.presets import KINDS

USUALLY = "Fields, as they are on the toybox (and on {}):".format(
    ", ".join(f"{kind}, {name}" for kind, name in KINDS.items())
)
"""What is said before a method's fields."""

OTHERS = (
    "and any other Stable Diffusion 1.x, 2.x or XL: a folder in the diffusers format, a "
    ".safetensors file, or OWNER/MODEL of the hub. GiB: the most that tensors take where three "
    "concepts are learned by --method dreambooth --precision bf16 --recompute, without pictures of "
    "classes and without a safety checker, counted on a CPU"
)
"""What is said after the known bases."""


def method_list() -> str:
    """Every method and every field of it, for `train --help`."""
    return "\n\n".join("\n".join([line_of(name), *field_lines(name)]) for name in METHODS)


def described(name: str) -> dict[str, Any]:
    """Give a method as a JSON value."""
    fields = [
        {
            "name": f.name,
            "takes": f.values,
            "default": f.default,
            "on": dict(f.kinds),
            "meaning": f.meaning,
        }
        for f in fields_of(METHODS[name])
    ]
    return {"name": name, "card": card(METHODS[name]), "fields": fields}


def line_of(name: str) -> str:
    """A method in a line."""
    return f"{name:<18} {card(METHODS[name]).splitlines()[0]}"


def field_lines(name: str) -> list[str]:
    """The fields of a method, a line each."""
    return [
        f"  {f.name}={text(f.default)}{elsewhere(f)}  {' '.join(f.meaning.split())}"
        for f in fields_of(METHODS[name])
    ]


def elsewhere(field: Field) -> str:
    """Write the defaults on other kinds of bases: " (sd 1000, xl 2010)"."""
    said = ", ".join(f"{kind} {text(value)}" for kind, value in field.kinds.items())
    return f" ({said})" if said else ""


def text(value: Any) -> str:
    """Write a default as --set reads it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def known_bases() -> Iterator[dict[str, Any]]:
    """Give each base that has a name, as a JSON value."""
    yield {"name": "toybox", "from": str(TOYBOX), "present": (TOYBOX / INDEX).is_file()}
    for name, known in KNOWN.items():
        yield {
            "name": name,
            "from": known.source,
            "present": known.present,
            "title": known.name,
            "size": known.size,
            "memory": known.memory,
        }


def base_line(base: dict[str, Any]) -> str:
    """One of them in a line."""
    if base["name"] == "toybox":
        return f"toybox     {'built in' if base['present'] else 'not in this installation'}"
    state = "here" if base["present"] else "to be downloaded"
    needs = f"{base['size']} px, {base['memory'] / 1024:.0f} GiB"
    return f"{base['name']:<11}{base['title']}, {needs}, {state}: {base['from']}"
