import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from groupshot.errors import UserError
from groupshot.keep import Keep
from groupshot.masks import Candidate, Part, kept, restored, sightings
from groupshot.samples import (
    Pieces,
    Rules,
    collages,
    common,
    counts,
    matches,
    parts,
    seen_as,
    shots,
    wholes,
)

SIZE = 64
SHARES = {"global": 1.0, "region": 1.0, "mix": 1.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def masked(two_cats):
    """The photos of two cats, orange and blue, and where these are."""
    masks = restored(two_cats, kept(sightings(two_cats)))
    return list(zip(shots(two_cats), masks, strict=True))


@pytest.fixture
def pieces(two_cats, masked, base):
    there = wholes(two_cats, masked, SIZE)
    return Pieces(
        wholes=there,
        parts=parts(list(there), masked, halved, (), SIZE),
        common={"dog": [dataclasses.replace(there["luna"][0], name="", words="a dog")]},
    )


def halved(picture, mask):
    """A hat on top, something below that nobody can name, and a crumb."""
    rows = np.arange(mask.shape[0])[:, None]
    return [
        Part(mask=mask & (rows < 24), name="hat"),
        Part(mask=mask & (rows >= 24)),
        Part(mask=mask & (rows == 24) & (np.arange(mask.shape[1]) < 18), name="crumb"),
    ]


def test_things_are_cut_out_of_all_their_photos(two_cats, masked):
    found = wholes(two_cats, masked, SIZE)
    assert {name: len(cutouts) for name, cutouts in found.items()} == {"luna": 2, "rex": 2}
    assert [each.words for each in found["luna"]] == ["<luna>"] * 2


def test_parts_have_their_names_and_those_that_nobody_can_name_their_owners(masked):
    found = parts(["luna"], masked, halved, (), SIZE)
    assert {name: [p.words for p in own] for name, own in found.items()} == {
        "luna": ["<luna>'s hat", "<luna>"] * 2
    }


def test_of_parts_with_names_only_those_that_the_base_knows_are_taken(masked):
    found = parts(["luna"], masked, halved, ("dog",), SIZE)
    assert [each.words for each in found["luna"]] == ["<luna>"] * 2


def test_one_photo_of_which_nothing_can_be_cut_is_passed_over(two_cats, masked):
    (shot, masks), *others = masked
    full = {name: np.ones_like(mask) for name, mask in masks.items()}
    found = wholes(two_cats, [(shot, full), *others], SIZE)
    assert len(found["luna"]) == 1


def test_a_thing_without_any_cut_out_is_named(two_cats, masked):
    blank = [(s, {n: np.zeros_like(m) for n, m in masks.items()}) for s, masks in masked]
    with pytest.raises(UserError, match=r"cut-out of luna.*luna.cat/1.png marks nothing"):
        wholes(two_cats, blank, SIZE)


def test_common_things_are_the_surest_found_in_each_picture(base):
    class Eye:
        name = "eye"

        def found(self, picture, noun):
            if noun == "cat":
                return []
            left, all_but = (np.zeros(picture.size[::-1], dtype=bool) for _ in range(2))
            left[:, : picture.width // 2], all_but[1:] = True, True
            return [Candidate(mask=all_but, score=0.2), Candidate(mask=left, score=0.9)]

    latents = {noun: torch.zeros(2, *base.shape) for noun in ("cat", "dog")}
    found = common(base, latents, Eye())
    assert found.keys() == {"dog"}
    assert [(each.words, each.name, each.cut.right) for each in found["dog"]] == [
        ("a dog", "", False)
    ] * 2


def test_every_kind_shows_what_its_caption_says(pieces):
    made = collages(pieces, {"global": 40, "region": 40, "mix": 40}, SIZE, Rules(), seeded())
    said = {kind: {e.phrase for e in made if e.kind == kind} for kind in SHARES}
    assert said["global"] == both_ways("<luna>", "a dog") | both_ways("<rex>", "a dog")
    assert said["mix"] == both_ways("<luna>", "<rex>")
    assert both_ways("<rex>'s hat", "a dog") <= said["region"]
    for each in made:
        if each.kind == "mix":
            left = np.asarray(each.picture, dtype=float)[:, : SIZE // 2].mean((0, 1))
            orange = each.phrase.startswith("<luna>")
            assert (left[0] > left[2]) == orange


def both_ways(one, other):
    return {f"{a} on the left and {b} on the right" for a, b in ((one, other), (other, one))}


def test_concepts_take_turns(pieces):
    made = collages(pieces, {"global": 10, "region": 0, "mix": 0}, SIZE, Rules(), seeded())
    assert sum("<luna>" in each.phrase for each in made) == 5


def test_who_has_no_parts_is_taken_whole(pieces):
    whole = Pieces(wholes=pieces.wholes, parts={}, common=pieces.common)
    made = collages(whole, {"global": 0, "region": 4, "mix": 0}, SIZE, Rules(), seeded())
    assert all("'s" not in each.phrase for each in made)


def test_without_common_things_only_mix_is_left(pieces):
    lonely = Pieces(wholes=pieces.wholes, parts=pieces.parts, common={})
    assert collages(lonely, {"global": 0, "region": 0, "mix": 2}, SIZE, Rules(), seeded())
    with pytest.raises(UserError, match="global_share=0"):
        collages(lonely, {"global": 1, "region": 0, "mix": 2}, SIZE, Rules(), seeded())


def test_counts_by_hand():
    assert counts(SHARES, 480, 2) == {"global": 160, "region": 160, "mix": 160}
    assert counts(SHARES | {"region": 0.0}, 7, 2) == {"global": 4, "region": 0, "mix": 3}
    assert counts(SHARES, 10, 1) == {"global": 5, "region": 5, "mix": 0}


@pytest.mark.parametrize(
    ("shares", "total", "concepts"),
    [
        (dict.fromkeys(SHARES, 0.0), 10, 2),
        (SHARES, 0, 2),
        ({**SHARES, "global": 0, "region": 0}, 9, 1),
    ],
)
def test_no_collages_at_all_are_refused(shares, total, concepts):
    with pytest.raises(UserError, match="none at all"):
        counts(shares, total, concepts)


def test_a_batch_is_of_different_collages_with_their_own_captions(pieces, base, tmp_path):
    made = collages(pieces, counts(SHARES, 24, 2), SIZE, Rules(), seeded())
    numbered = torch.arange(24.0)[:, None]
    seen = Keep(tmp_path, 0)("collages", lambda _: seen_as(made, numbered))
    batch = matches(base, seen, 24)(0, seeded())
    assert sorted(batch.images[:, 0].tolist()) == list(range(24))
    for number, phrase, caption in zip(
        batch.images[:, 0].int().tolist(), batch.phrases, batch.captions, strict=True
    ):
        assert phrase == made[number].phrase
        assert caption in {template.format(phrase) for template in base.card.templates}
    assert len(matches(base, seen, 4)(0, seeded()).phrases) == 4
    assert Counter(caption.split(" of ")[0] for caption in batch.captions).keys() == {
        "a photo",
        "a picture",
    }
