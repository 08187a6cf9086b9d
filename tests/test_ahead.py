"""Drawing ahead: the same chance as in turn, and while the step before is taken."""

import threading

import pytest
import torch

from groupshot.ahead import ahead, drawn
from groupshot.errors import UserError
from groupshot.stage import Stage


def stage(draws, steps=4, name="joint"):
    return Stage(
        name=name, train={}, draws=draws, samples=lambda d, g: d, loss=lambda d, g: {}, steps=steps
    )


def chance(step, g):
    return step, torch.rand((), generator=g).item()


def test_what_is_drawn_ahead_is_what_is_drawn_in_turn():
    one, other = stage(chance), stage(chance, name="other")
    with ahead(seed=7) as draw:
        found = [draw(each, n) for each in (one, other) for n in (1, 2, 2, 3, 4)]
    turns = [drawn(each, n, 7) for each in (one, other) for n in (1, 2, 2, 3, 4)]
    assert [what for what, _ in found] == [what for what, _ in turns]
    assert len({what for what, _ in found}) == 8
    rest = [[torch.rand((), generator=g).item() for _, g in each] for each in (found, turns)]
    assert rest[0] == rest[1], "the generators go on where drawing left them"


@pytest.mark.parametrize(("steps", "wanted"), [(2, 2), (1000, 1)])
def test_the_next_step_is_drawn_meanwhile_and_none_beyond(steps, wanted):
    """Nor one beyond the last."""
    begun: list[int] = []
    second, third = threading.Event(), threading.Event()

    def draws(step, g):
        begun.append(step)
        if step:
            (second if step == 1 else third).set()

    with ahead(seed=0) as draw:
        draw(stage(draws, steps=steps), 1)
        assert second.wait(5), "nobody asked for step 2, but it is drawn"
        for number in range(2, wanted + 1):
            draw(stage(draws, steps=steps), number)
        assert not third.wait(0.2)
    assert begun == [0, 1]


def test_what_drawing_refuses_is_said_by_the_step_that_wanted_it():
    def draws(step, g):
        if step == 1:
            raise UserError("there is no cat")

    with ahead(seed=0) as draw:
        draw(stage(draws), 1)
        with pytest.raises(UserError, match="no cat"):
            draw(stage(draws), 2)
