from dataclasses import replace
from typing import Any

import pytest
import torch
from conftest import loaded
from miniature import save_miniature
from PIL import Image
from transformers import CLIPModel
from worldly import SHARED, whole, with_pair

from groupshot.clip import (
    FITTING,
    at_end,
    at_highest,
    clips_of,
    namer,
    own,
    shape,
    summed_up,
    visiting,
)
from groupshot.errors import UserError
from groupshot.weights import tokens


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def learning(paired_base):
    """A base with two concepts in it, and their rows."""
    with paired_base.borrowed():
        yield paired_base, tokens(paired_base, {"luna": "cat", "rex": "dog"}, 2, seeded()).tensors


def test_at_the_end_everything_is_read(learning):
    base, _ = learning
    luna, rex = summed_up(base, ["<luna> and <rex>", "<rex> and <luna>"])
    assert not torch.allclose(luna, rex)
    cat, dog = summed_up(base, ["<luna> and a cat", "<luna> and a dog"])
    assert not torch.allclose(cat, dog)


def test_at_the_highest_number_what_follows_the_newest_word_is_not_read(learning):
    base, _ = learning
    said = summed_up(base, ["<luna> and a cat", "<luna> and a dog"], at_highest)
    torch.testing.assert_close(said[0], said[1])
    said = summed_up(base, ["<rex> and <luna>", "<rex> and a dog"], at_highest)
    torch.testing.assert_close(said[0], said[1])


def test_without_new_words_both_are_the_end_where_transformers_pools(paired_base):
    prompts = ["a cat", "a photo of a dog and a cat"]
    ids = paired_base.ids(prompts)
    assert at_end(paired_base, ids).tolist() == at_highest(paired_base, ids).tolist()
    pooled = paired_base.text_encoder(ids).pooler_output
    torch.testing.assert_close(summed_up(paired_base, prompts), pooled)


def test_parts_are_called_what_clip_is_sure_of(paired_base):
    pair = own(paired_base)
    assert pair is not None
    words = ["cat", "dog"]
    texts = pair.said([paired_base.card.templates[0].format(f"a {word}") for word in words])
    sight = {"red": texts[1], "blue": texts[0]}
    clip = replace(
        pair,
        prepared=lambda pictures: torch.stack([sight[each.info["colour"]] for each in pictures]),
        tower=lambda pixels: pixels,
        scale=100.0,
    )
    pictures = [Image.new("RGB", (8, 8), colour) for colour in sight]
    for picture, colour in zip(pictures, sight, strict=True):
        picture.info["colour"] = colour
    names = namer(clip, words, sure=0.9)
    assert names(pictures[:1]) == ["dog"]
    assert names([]) == []
    even = replace(clip, scale=0.0)
    assert namer(even, words, sure=0.9)(pictures) == ["", ""]
    assert namer(even, words, sure=0.4)(pictures) == ["cat", "cat"]


def test_what_is_said_has_a_gradient_and_what_is_seen_has_none(learning):
    base, rows = learning
    (clip,) = clips_of(base)
    (clip.said(["<luna> on the left"]) @ clip.seen([Image.new("RGB", (40, 30))]).T).sum().backward()
    assert rows["luna"].grad.abs().min() > 0
    assert rows["rex"].grad.abs().max() == 0
    assert all(weight.grad is None for weight in base.pipe.image_encoder.parameters())


def test_many_pictures_are_seen_as_they_are_one_by_one(paired_base):
    (clip,) = clips_of(paired_base)
    pictures = [Image.new("RGB", (16, 16), (7 * i, 0, 0)) for i in range(33)]
    seen = clip.seen(pictures)
    assert seen.shape == (33, SHARED)
    torch.testing.assert_close(seen[32:], clip.seen(pictures[32:]))


def test_a_base_without_a_tower(base):
    assert own(base) is None
    with pytest.raises(UserError, match="no CLIP vision tower: name the CLIP .* clip=FOLDER"):
        clips_of(base)


@pytest.mark.parametrize("kind", ["base", "second_base", "large_base"])
def test_the_clip_that_fits_each_text_encoder_is_found(request, kind, tmp_path, monkeypatch):
    base = request.getfixturevalue(kind)
    monkeypatch.setattr("groupshot.clip.own", lambda base: None)
    fitting = {}
    for i, each in enumerate(base.encoders):
        fitting[shape(each.model.config)] = str(whole(tmp_path / str(i), each))
    monkeypatch.setattr("groupshot.clip.FITTING", fitting)
    found = clips_of(base)
    assert [clip.projection.shape[1] for clip in found] == base.widths
    assert all(clip.shared for clip in found)
    assert len(clips_of(base, list(fitting.values())[:1])) == 1


def test_the_published_clips_are_told_apart_by_their_text_encoders():
    """Width and layers as the configurations of SD 1.5, 2.1 and XL have them."""
    assert FITTING[768, 12] == "openai/clip-vit-large-patch14"
    assert FITTING[1024, 23] == "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
    assert FITTING[1280, 32] == "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"


def test_one_that_cannot_be_downloaded_is_named_with_the_way_out(base, monkeypatch):
    monkeypatch.setattr("groupshot.clip.FITTING", {shape(base.text_encoder.config): "nowhere"})
    with pytest.raises(UserError, match="hf download nowhere --local-dir FOLDER.*clip=FOLDER"):
        clips_of(base)


def test_a_named_clip_is_the_same_as_the_bases_own(tmp_path):
    """A whole CLIP, taken apart into a base with a pair, compares as the pair does."""
    base = loaded(with_pair(save_miniature(tmp_path / "base")))
    (ours,) = clips_of(base)
    (theirs,) = clips_of(base, [str(whole(tmp_path, base.encoders[0], like=ours))])
    prompts, pictures = ["a cat", "a photo of a dog"], [Image.new("RGB", (20, 16), "teal")]
    torch.testing.assert_close(theirs.said(prompts), ours.said(prompts))
    torch.testing.assert_close(theirs.seen(pictures), ours.seen(pictures))
    assert theirs.scale == pytest.approx(ours.scale)


@pytest.mark.parametrize("kind", ["second_base", "large_base"])
def test_a_whole_clip_reads_as_transformers_itself_does(request, kind, tmp_path):
    """Words that are no concepts: the base's table is the CLIP's."""
    base = request.getfixturevalue(kind)
    for i, encoder in enumerate(base.encoders):
        extra = 1 if kind == "second_base" else 0
        folder = whole(tmp_path / str(i), encoder, extra=extra)
        clip = clips_of(base, [str(folder)])[0] if i == 0 else None
        clip = clip or clips_of(base, [str(tmp_path / "0" / "clip"), str(folder)])[1]
        model: Any = CLIPModel.from_pretrained(folder)
        ids = base.ids(["a photo of a cat", "a dog"])
        states = model.text_model(ids).last_hidden_state
        end = (ids == base.pipe.tokenizer.eos_token_id).int().argmax(1)
        said = model.text_projection(states[torch.arange(2), end])
        torch.testing.assert_close(clip.said(["a photo of a cat", "a dog"]), said)
        assert clip.shared == (extra == 0)


def test_where_the_base_lacks_layers_only_the_rows_are_shared(second_base, tmp_path):
    """Stable Diffusion 2.x: the contrast moves the words, and the base's encoder hears of it."""
    source = str(whole(tmp_path, second_base.encoders[0], extra=1))
    with second_base.borrowed():
        rows: Any = tokens(second_base, {"luna": "cat", "rex": "dog"}, 2, seeded()).tensors
        (clip,) = clips_of(second_base, [source])
        clip.said(["<luna> on the left"]).sum().backward()
        assert rows["luna"].grad.abs().min() > 0
        assert rows["rex"].grad.abs().max() == 0
        before = clip.said(["<luna>"]), second_base.text(["<luna>"])
        rows["luna"].data.add_(1.0)
        after = clip.said(["<luna>"]), second_base.text(["<luna>"])
        assert not any(torch.allclose(*each) for each in zip(before, after, strict=True))


def test_each_of_two_clips_moves_its_own_half_of_a_row(large_base, tmp_path):
    sources = [str(whole(tmp_path / str(i), each)) for i, each in enumerate(large_base.encoders)]
    with large_base.borrowed():
        row: Any = tokens(large_base, {"luna": "cat"}, 1, seeded()).tensors["luna"]
        first, second = clips_of(large_base, sources)
        split = large_base.widths[0]
        first.said(["a photo of <luna>"]).sum().backward()
        assert row.grad[:, :split].abs().min() > 0 and row.grad[:, split:].abs().max() == 0
        row.grad.zero_()
        second.said(["a photo of <luna>"]).sum().backward()
        assert row.grad[:, :split].abs().max() == 0 and row.grad[:, split:].abs().min() > 0


def test_a_tower_visits_the_device_only_to_see():
    net: Any = torch.nn.Linear(2, 2, device="meta")
    there: list[torch.device] = []
    net.to = there.append
    with visiting(net, torch.device("cpu")):
        assert there == [torch.device("cpu")]
    assert there[1:] == [torch.device("meta")]


def test_a_clip_with_another_text_encoder_is_refused(second_base, tmp_path):
    narrow = str(whole(tmp_path, second_base.encoders[0], hidden_size=24))
    with pytest.raises(UserError, match="1 layers of 24 features, the base with 1 of 16"):
        clips_of(second_base, [narrow])


def test_what_is_no_clip_is_refused(paired_base, tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        clips_of(paired_base, ["nowhere"])
