import pytest

from groupshot.errors import UserError
from groupshot.pictures import drawn, generate


def images(pictures):
    return [picture.tobytes() for picture in pictures]


def test_picture_i_is_seeded_by_seed_plus_i(base):
    four = images(generate(base, "a cat", n=4, seed=10))
    assert len(set(four)) == 4
    assert images(generate(base, "a cat", n=2, seed=12)) == four[2:]


def test_more_pictures_than_fit_at_once(base):
    assert len(generate(base, "a cat", n=6, steps=1)) == 6


def test_the_same_seed_draws_the_same(base):
    assert images(generate(base, "a cat", seed=3)) == images(generate(base, "a cat", seed=3))


def test_steps_and_guidance_matter(base):
    plain = images(generate(base, "a cat"))
    assert images(generate(base, "a cat", steps=3)) != plain
    assert images(generate(base, "a cat", guidance=1.0)) != plain


def test_pictures_come_one_by_one(base):
    pictures = drawn(base, "a cat", n=100)
    assert next(pictures).size == (base.size, base.size)


def test_an_unknown_concept_is_refused(base):
    with pytest.raises(UserError, match="<luna> is not a concept here"):
        generate(base, "<luna> on the beach")


def test_what_the_safety_checker_withholds_is_told_in_one_line(prudish_base, capsys):
    made = generate(prudish_base, "a cat", n=2)
    assert all(len(set(picture.tobytes())) == 1 for picture in made)
    assert capsys.readouterr().err == (
        "picture 0 of 'a cat' and picture 1 of 'a cat' were withheld by the base's safety "
        "checker: try another seed\n"
    )


def test_what_it_lets_pass_is_not_told(base, prudish_base, monkeypatch, capsys):
    checker = prudish_base.pipe.safety_checker
    monkeypatch.setattr(checker, "forward", lambda images, **_: (images, [False, True]))
    generate(prudish_base, "a cat", n=2)
    assert capsys.readouterr().err.startswith("picture 1 of 'a cat' was withheld by")
    generate(base, "a cat", n=2)
    assert capsys.readouterr().err == ""
