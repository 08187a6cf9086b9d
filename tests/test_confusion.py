import dataclasses

import pytest
import torch

from groupshot.cast import Together
from groupshot.confusion import NEAR, distances, embeddings, likely, told
from groupshot.doctor import of_cast
from groupshot.weights import copied_tokens


def test_a_phrase_is_as_far_from_itself_as_nothing_and_all_are_of_one_length(base):
    found = distances(base, ["a cat", "a dog", "a cat"])
    assert found[0, 2] == found[1, 1] == 0
    assert found[0, 1] == found[1, 0] > 0
    lengths = embeddings(base, ["a cat", "a hat"]).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(2))


def test_new_words_begin_where_their_class_words_are(base):
    with base.borrowed():
        copied_tokens(base, {"luna": "cat", "rex": "dog"}, 1)
        found = distances(base, ["<luna>", "cat", "<rex>"])
    assert found[0, 1] < 1e-5 < found[0, 2]


def test_those_of_one_class_are_likely_to_be_confused_and_come_first(base):
    found = likely(base, {"luna": "cat", "rex": "dog", "milo": "cat"})
    assert found[0].names == ("luna", "milo")
    assert found[0].distance == 0
    assert all(each.distance < NEAR for each in found)
    assert "both a cat" in str(found[0])


def test_what_is_told_of_a_cast(base, two_cats):
    first, *_, last = told(base, two_cats)
    assert "<luna> and <rex>" in first
    assert "clif" in last


def test_nothing_is_told_of_those_whom_nobody_confuses(base, two_cats, monkeypatch):
    monkeypatch.setattr("groupshot.confusion.NEAR", 0.0)
    assert list(told(base, two_cats)) == []


def test_of_many_pairs_their_number_is_told(base, two_cats):
    luna = two_cats.concepts[0]
    many = tuple(dataclasses.replace(luna, name=name) for name in ("a", "b", "c", "d"))
    cast = dataclasses.replace(two_cats, concepts=many)
    assert "and 2 more pairs" in list(told(base, cast))


def test_two_of_one_class_who_are_only_seen_together_need_to_be_told_apart(base, two_cats):
    photo = two_cats.concepts[0].photos[0]
    people = tuple(dataclasses.replace(each, photos=()) for each in two_cats.concepts)
    both = Together(photo=photo, shows=("luna", "rex"), mask_paths={})
    cast = dataclasses.replace(two_cats, concepts=people, together=(both,))
    (toss,) = (line for line in told(base, cast) if "coin toss" in line)
    assert "<luna> and <rex> (both a cat)" in toss and "`where: {luna: left}`" in toss
    (*_, says) = of_cast(base, cast)
    assert toss in says.says
    sided = dataclasses.replace(cast, together=(dataclasses.replace(both, where={"rex": "left"}),))
    assert not any("coin toss" in line for line in told(base, sided))


@pytest.mark.parametrize("noun", ["cat", None])
def test_one_alone_is_told_so(base, two_cats, noun):
    alone = dataclasses.replace(two_cats.concepts[0], noun=noun)
    (line,) = told(base, dataclasses.replace(two_cats, concepts=(alone,)))
    assert "<luna> is alone" in line
