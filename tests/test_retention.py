"""What the base makes of its own words is held."""

import pytest
import torch

from groupshot.retention import lessons, retention
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
def own(base):
    return {noun: torch.randn(2, *base.shape, generator=seeded()) for noun in ("cat", "dog")}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def said(base, lesson):
    with torch.no_grad():
        return base.predicted(lesson.noisy, lesson.times, base.text(lesson.captions))


def test_pictures_are_recalled_as_the_base_guessed_them_before_it_learned(base, part, own):
    some = lessons(base, own, 3, 10, seeded())(0, seeded())
    assert len(some.captions) == 3
    torch.testing.assert_close(some.target, said(base, some))
    turned(part)
    again = lessons(base, own, 3, 10, seeded())
    assert not torch.allclose(some.target, said(base, some)), "the base has moved"
    assert not torch.allclose(some.target, again(0, seeded()).target), "and would say otherwise"


def test_so_many_are_recalled_and_come_again(base, own):
    some = lessons(base, own, 4, 6, seeded())
    seen = {tuple(x.flatten()[:3].tolist()) for i in range(20) for x in some(i, seeded(i)).noisy}
    assert len(seen) == 6
    for field in ("noisy", "target", "times"):
        assert torch.equal(*(getattr(some(3, seeded(3)), field) for _ in range(2)))


@pytest.mark.parametrize("recalled", [0, 4])
def test_every_class_is_asked_for_by_its_own_word(base, own, recalled):
    some = lessons(base, own, 2, recalled, seeded())
    captions = {caption for i in range(20) for caption in some(i, seeded(i)).captions}
    assert {noun for noun in own if any(noun in caption for caption in captions)} == own.keys()


def test_pictures_as_they_are_get_new_noise_each_time(base, own):
    some = lessons(base, own, 2, 0, seeded())
    first, second = some(0, seeded(0)), some(0, seeded(1))
    assert not torch.equal(first.noisy, second.noisy)
    assert not torch.allclose(first.target, said(base, first))


@pytest.mark.parametrize(("own", "size"), [({}, 2), ({"cat": torch.zeros(0)}, 2)])
def test_where_there_is_nothing_to_recall_nothing_is_learned(base, own, size):
    assert lessons(base, own, size, 8, seeded())(0, seeded()).captions == ()
