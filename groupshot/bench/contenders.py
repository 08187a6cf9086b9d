"""Contenders: methods with some of their fields, and the two ceilings."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

from groupshot.errors import UserError
from groupshot.fields import overrides
from groupshot.masks.segmenters import Nobody
from groupshot.methods import METHODS
from groupshot.presets import checked
from groupshot.stage import Method

WORLD, WORDS = "world", "words"
"""Pictures drawn by the world; and by the base, told all about everyone but the marks."""
BASELINES = ("textual-inversion", "dreambooth")
"""The two that a quick look compares."""

NAMED = re.compile(r"\s*([a-z-]+)\s*(?:\[([^\]]*)\])?\s*(?:,|$)")
"""NAME or NAME[FIELD=VALUE,…], and the comma behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A row of the table."""

    method: str
    """A name of METHODS, or WORLD or WORDS."""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was overridden, as JSON values."""

    @property
    def label(self) -> str:
        """As it is typed: far[fusion=false]."""
        if not self.fields:
            return self.method
        return f"{self.method}[{','.join(f'{k}={text(v)}' for k, v in self.fields.items())}]"

    @property
    def ceiling(self) -> bool:
        """Whether nothing is learned."""
        return self.method in (WORLD, WORDS)

    def built(self) -> Method:
        """The method."""
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in self.fields.items()}
        return METHODS[self.method](**values)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of the method's fields, as JSON values: what its defaults were when it learned."""
        return {} if self.ceiling else json.loads(json.dumps(asdict(self.built())))  # type: ignore[call-overload]

    @property
    def hand_masks(self) -> bool:
        """Whether it is one that is given masks, even where a suite has none."""
        settings = self.settings
        return settings.get("hand_masks") is True or settings.get("segmenter") == Nobody.name


CEILINGS = (Contender(method=WORLD), Contender(method=WORDS))
"""The best that any method could do; every suite has them."""


def contenders(typed: str) -> list[Contender]:
    """Read `far,far[fusion=false]`, each once; UserError where something is no method or field."""
    found: list[Contender] = []
    place = 0
    while place < len(typed):
        match = NAMED.match(typed, place)
        if match is None:
            raise UserError(f"'{typed[place:]}' names no methods: write far,far[fusion=false]")
        each = contender(match[1], match[2] or "")
        found += [] if each in found else [each]
        place = match.end()
    if not found:
        raise UserError("--methods names nobody: write far,far[fusion=false]")
    return found


def contender(name: str, settings: str) -> Contender:
    """One of them; commas separate fields, unless what follows sets nothing."""
    if name not in METHODS:
        close = get_close_matches(name, METHODS, n=3) or list(METHODS)
        raise UserError(f"there is no method '{name}': try {', '.join(close)}")
    texts = [each for each in re.split(r",(?=\s*\w+\s*=)", settings) if each.strip()]
    found = overridden(name, overrides(METHODS[name], [each.strip() for each in texts]))
    checked(found.built())
    return found


def overridden(name: str, fields: Mapping[str, Any]) -> Contender:
    """A method with some of its fields."""
    return Contender(method=name, fields=json.loads(json.dumps(fields)))


def text(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)
