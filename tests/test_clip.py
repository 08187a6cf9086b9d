import pytest
import torch
from conftest import loaded
from miniature import save_miniature
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModel,
)
from worldly import SHARED, SIDE, with_pair

from groupshot.clip import at_end, at_highest, clip_of, own, summed_up
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


def test_what_is_said_has_a_gradient_and_what_is_seen_has_none(learning):
    base, rows = learning
    clip = clip_of(base)
    (clip.said(["<luna> on the left"]) @ clip.seen([Image.new("RGB", (40, 30))]).T).sum().backward()
    assert rows["luna"].grad.abs().min() > 0
    assert rows["rex"].grad.abs().max() == 0
    assert all(weight.grad is None for weight in base.pipe.image_encoder.parameters())


def test_many_pictures_are_seen_as_they_are_one_by_one(paired_base):
    clip = clip_of(paired_base)
    pictures = [Image.new("RGB", (16, 16), (7 * i, 0, 0)) for i in range(33)]
    seen = clip.seen(pictures)
    assert seen.shape == (33, SHARED)
    torch.testing.assert_close(seen[32:], clip.seen(pictures[32:]))


def test_a_base_without_a_tower(base):
    assert own(base) is None
    with pytest.raises(UserError, match="no CLIP vision tower: name the CLIP .* clip=FOLDER"):
        clip_of(base)


def test_a_base_of_stable_diffusion_1_is_told_which_fits(base, monkeypatch):
    monkeypatch.setattr(base.text_encoder.config, "hidden_size", 768)
    monkeypatch.setattr(base.text_encoder.config, "num_hidden_layers", 12)
    with pytest.raises(UserError, match="write clip=openai/clip-vit-large-patch14"):
        clip_of(base)


def test_a_named_clip_is_the_same_as_the_bases_own(tmp_path):
    """A whole CLIP, taken apart into a base with a pair, compares as the pair does."""
    base = loaded(with_pair(save_miniature(tmp_path / "base")))
    ours = clip_of(base)
    theirs = clip_of(base, str(whole(tmp_path, base, layers=1)))
    prompts, pictures = ["a cat", "a photo of a dog"], [Image.new("RGB", (20, 16), "teal")]
    torch.testing.assert_close(theirs.said(prompts), ours.said(prompts))
    torch.testing.assert_close(theirs.seen(pictures), ours.seen(pictures))
    assert theirs.scale == pytest.approx(ours.scale)


def test_a_clip_with_another_text_encoder_is_refused(paired_base, tmp_path):
    other = str(whole(tmp_path, paired_base, layers=2))
    with pytest.raises(UserError, match="2 layers of 16 features, the base with 1 of 16"):
        clip_of(paired_base, other)


def test_what_is_no_clip_is_refused(paired_base, tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        clip_of(paired_base, "nowhere")


def whole(folder, base, layers):
    """Save the CLIP that a base's pair could have been taken from."""
    text = CLIPTextModel(base.text_encoder.config).config.to_dict()
    text |= {"num_hidden_layers": layers}
    vision = base.pipe.image_encoder.config.to_dict()
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=SHARED))
    tower, ours = base.pipe.image_encoder, clip_of(base)
    model.vision_model.load_state_dict(tower.vision_model.state_dict())
    model.visual_projection.load_state_dict(tower.visual_projection.state_dict())
    with torch.no_grad():
        model.text_projection.weight.copy_(ours.projection)
        model.logit_scale.fill_(torch.tensor(ours.scale).log())
    model.save_pretrained(folder / "clip")
    CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(
        folder / "clip"
    )
    return folder / "clip"
