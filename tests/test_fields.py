from dataclasses import dataclass, field
from typing import Literal

import pytest

from groupshot.errors import UserError
from groupshot.fields import card, fields_of, overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A method in miniature."""

    steps: int = 300
    """Steps of
    gradient descent."""
    rate: float = 5e-3
    """Learning rate."""
    crf: bool = True
    """Refined masks."""
    start: Literal["noun", "noise"] = "noun"
    """Where tokens begin."""
    modules: tuple[str, ...] = ("to_k", "to_v")
    """What learns."""
    rank: int | None = None
    """Of the LoRA; none for all."""
    table: dict[str, int] = field(default_factory=dict[str, int])


def test_fields_are_read_from_the_source():
    steps, rate, *_, table = fields_of(Example)
    assert (steps.name, steps.default, steps.values) == ("steps", 300, "a whole number")
    assert steps.meaning == "Steps of\ngradient descent."
    assert rate.meaning == "Learning rate."
    assert (table.default, table.meaning) == ({}, "")


def test_the_card_is_the_module_docstring():
    assert card(Example) == ""
    assert card(UserError).startswith("The one exception")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("steps=2", 2),
        ("rate=1e-4", 1e-4),
        ("crf=false", False),
        ("crf=YES", True),
        ("start=noise", "noise"),
        ("modules=to_q, to_k", ("to_q", "to_k")),
        ("rank=8", 8),
        ("rank=none", None),
    ],
)
def test_values_are_parsed_by_type(setting, value):
    assert overrides(Example, [setting]) == {setting.split("=")[0]: value}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("step=2", "Example has no field 'step': try steps"),
        ("zzz=2", "try steps, rate, crf"),
        ("steps", "write FIELD=VALUE"),
        ("steps=two", "steps takes a whole number"),
        ("steps=2.5", "steps takes a whole number"),
        ("rate=fast", "rate takes a number"),
        ("crf=maybe", "crf takes true or false"),
        ("start=word", "start takes noun or noise"),
        ("rank=all", "rank takes a whole number or none"),
        ("table=1", "table takes"),
    ],
)
def test_bad_settings_are_refused(setting, words):
    with pytest.raises(UserError) as caught:
        overrides(Example, [setting])
    assert words in str(caught.value)
