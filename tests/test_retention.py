"""What the base makes of its own words is held."""

import pytest
import torch

from groupshot.retention import retention, teacher
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


@pytest.fixture
def asked(base):
    times = torch.tensor([10, 500])
    return torch.randn(2, *base.shape), times, base.text(WORDS * 2)


def test_a_teacher_guesses_as_before_and_puts_back_what_was_learned(base, part, asked):
    before = teacher(base, [part])
    with torch.no_grad():
        first = base.predicted(*asked)
        turned(part)
        later = base.predicted(*asked)
        assert not torch.equal(first, later)
        assert torch.equal(before(*asked), first)
        assert torch.equal(base.predicted(*asked), later)


def test_what_was_learned_is_put_back_after_an_accident_too(base, part, asked, monkeypatch):
    before = teacher(base, [part])
    turned(part)
    learned = [tensor.clone() for tensor in part.tensors.values()]
    monkeypatch.setattr(base, "predicted", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        before(*asked)
    for tensor, own in zip(part.tensors.values(), learned, strict=True):
        assert torch.equal(tensor, own)
