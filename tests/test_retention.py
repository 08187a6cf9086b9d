"""What the base makes of its own words is held."""

import pytest
import torch

from groupshot.retention import retention
from groupshot.weights import ATTENTION, Part, keys_values, lora

WORDS = ["a photo of a cat"]


@pytest.fixture
def part(base):
    with base.borrowed():
        yield keys_values(base)


def turned(part: Part, away_from: torch.Tensor | None = None) -> None:
    """Change every map, but not in what it makes of some states."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in part.tensors.values():
            change = torch.randn(tensor.shape, generator=generator)
            if away_from is not None:
                change -= change @ torch.linalg.pinv(away_from) @ away_from
            tensor += change


def test_nothing_has_moved_at_first_and_all_moves_later(base, part):
    term = retention(base, [part], WORDS, 2.0)
    assert term()["retention"] == 0
    turned(part)
    assert term()["retention"] > 0.1
    twice = retention(base, [part], WORDS, 4.0)
    assert twice()["retention"] == 0, "it counts from where it is made"


def test_it_is_weighted_and_has_a_gradient(base, part):
    once, twice = (retention(base, [part], WORDS, weight) for weight in (1.0, 2.0))
    turned(part)
    torch.testing.assert_close(2 * once()["retention"], twice()["retention"])
    once()["retention"].backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in part.tensors.values())


def test_what_these_words_do_not_say_may_change(base, part):
    term = retention(base, [part], WORDS, 1.0)
    with torch.no_grad():
        states = base.text(["", *WORDS]).flatten(0, 1)
    _, sizes, directions = torch.linalg.svd(states, full_matrices=False)
    few = int((sizes > sizes[0] / 1000).sum())
    assert few < states.shape[1], "they must leave something free"
    turned(part, directions[:few])
    assert term()["retention"] < 1e-3


def test_where_no_keys_and_values_learn_there_is_nothing_to_hold(base, part):
    assert retention(base, [part], WORDS, 0.0)() == {}
    other = lora(base, 2, ATTENTION, torch.Generator())
    assert retention(base, [other], WORDS, 1.0)() == {}
