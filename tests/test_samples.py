import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.samples import (
    Shot,
    batches,
    caption,
    cropped,
    listed,
    nouns,
    part_of,
    pixels,
    pooled,
    prior_batches,
    priors,
    scenes,
    shots,
    sided,
    union,
    unmasked,
    views,
    with_article,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_caption_names_everyone():
    assert caption("a photo of {}", ("luna",)) == "a photo of <luna>"
    assert caption("{}", ("luna", "rex", "bay")) == "<luna>, <rex> and <bay>"


def test_words_are_put_together():
    assert listed(["a cat"]) == "a cat"
    assert listed(["a cat", "<rex>"]) == "a cat and <rex>"
    assert (
        sided("<luna>", part_of("rex", "hat")) == "<luna> on the left and <rex>'s hat on the right"
    )


def test_articles():
    assert [with_article(noun) for noun in ("cat", "owl")] == ["a cat", "an owl"]


def test_pixels_lie_between_minus_one_and_one():
    black, white = Image.new("RGB", (2, 2)), Image.new("L", (2, 2), 255)
    assert pixels([black, white]).flatten(1).mean(1).tolist() == [-1, 1]


def test_a_crop_is_square_inside_the_photo_and_at_least_so_large():
    photo = Image.linear_gradient("L").resize((300, 100)).convert("RGB")
    for seed in range(20):
        crop = cropped(photo, 16, 0.9, seeded(seed))
        assert crop.size == (16, 16)
        shades = np.asarray(crop.convert("L"), dtype=int)
        assert np.ptp(shades) > 0.68 * 255
    whole = cropped(Image.new("RGB", (100, 100), "red"), 16, 1.0, seeded())
    assert whole.getcolors() == [(256, (255, 0, 0))]


def test_every_shot_is_cropped_and_encoded(base, two_cats):
    kept = views(base, shots(two_cats), 3, 0.9, seeded())
    assert kept["views"].shape == (4, 3, 4, 8, 8)


def test_concepts_take_turns_and_have_their_own_photos(base, two_cats):
    photos = shots(two_cats)
    marked = torch.arange(4.0).view(4, 1, 1, 1, 1).expand(4, 2, 4, 8, 8)
    batch = batches(base, photos, marked, 3)
    counts = {"luna": 0, "rex": 0}
    for step in range(8):
        drawn = batch(step, seeded(step))
        for latent, text in zip(drawn.latents, drawn.captions, strict=True):
            shown = photos[int(latent.mean())].shows
            assert text in [caption(t, shown) for t in base.card.templates]
            counts[shown[0]] += 1
    assert counts == {"luna": 12, "rex": 12}


def test_a_batch_depends_on_its_step_and_generator_only(base, two_cats):
    photos = shots(two_cats)
    batch = batches(base, photos, torch.randn(4, 5, 4, 8, 8), 4)
    first = batch(7, seeded(1))
    batch(8, seeded(2))
    again = batch(7, seeded(1))
    assert first.captions == again.captions
    torch.testing.assert_close(first.latents, again.latents, rtol=0, atol=0)


def test_a_photo_of_several_names_them_all(base, tmp_path):
    (tmp_path / "both").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "both/1.png")
    (tmp_path / "cast.yaml").write_text(
        "concepts:\n  luna: {class: cat}\n  rex: {class: dog}\n"
        "together:\n  - {image: both/1.png, shows: [luna, rex]}\n"
    )
    photos = shots(Cast.load(tmp_path))
    batch = batches(base, photos, torch.zeros(1, 1, 4, 8, 8), 4)(0, seeded())
    assert all("<luna> and <rex>" in text for text in batch.captions)


def test_the_base_draws_its_classes_itself_and_the_same_again(base):
    kept = priors(base, {"cat", "dog"}, 3, seeded())
    assert {noun: tuple(t.shape) for noun, t in kept.items()} == {
        "cat": (3, 4, 8, 8),
        "dog": (3, 4, 8, 8),
    }
    assert not torch.equal(kept["cat"][0], kept["cat"][1])
    again = priors(base, {"cat", "dog"}, 3, seeded())
    torch.testing.assert_close(kept["dog"], again["dog"], rtol=0, atol=0)
    batch = prior_batches(base, kept, 4)(0, seeded())
    assert {"cat" in c or "dog" in c for c in batch.captions} == {True}
    assert sum("cat" in c for c in batch.captions) == 2


def test_where_memory_is_short_the_same_is_drawn_fewer_at_once(base, monkeypatch):
    there = priors(base, {"cat"}, 5, seeded())["cat"]
    sampled, tried = base.sampled, []

    def tight(prompts, generators):
        tried.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError
        return sampled(prompts, generators)

    monkeypatch.setattr(base, "sampled", tight)
    torch.testing.assert_close(priors(base, {"cat"}, 5, seeded())["cat"], there)
    assert tried == [5, 2, 3, 1, 2]
    monkeypatch.setattr(base, "sampled", lambda *_: tight([""] * 3, ()))
    with pytest.raises(torch.OutOfMemoryError):
        priors(base, {"cat"}, 1, seeded())


def test_drawings_that_are_kept_are_drawn_once_for_all_runs(base, monkeypatch, tmp_path):
    here = priors(base, {"cat"}, 3, seeded())["cat"]
    monkeypatch.setattr(base, "drawings", tmp_path)
    assert torch.equal(priors(base, {"cat"}, 3, seeded())["cat"], here)
    assert not torch.equal(priors(base, {"cat"}, 3, seeded().manual_seed(1))["cat"], here)
    monkeypatch.setattr(base, "sampled", None)
    assert torch.equal(priors(base, {"cat"}, 3, seeded())["cat"], here)
    for change in ({"stored": "bf16"}, {"precision": "bf16"}):  # draw otherwise
        with monkeypatch.context() as changed, pytest.raises(TypeError):
            for name, value in change.items():
                changed.setattr(base, name, value)
            priors(base, {"cat"}, 3, seeded())


def test_class_pictures_are_drawn_for_every_template_in_turn(base, monkeypatch):
    prompts = []
    sampled = base.sampled
    monkeypatch.setattr(base, "sampled", lambda p, g: prompts.extend(p) or sampled(p, g))
    priors(base, {"cat"}, 3, seeded())
    assert prompts == ["a photo of a cat", "a picture of a cat", "a photo of a cat"]


def test_a_class_picture_keeps_the_caption_it_was_drawn_with(base):
    kept = {"cat": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 4, 8, 8)}
    batch = prior_batches(base, kept, 8)(0, seeded())
    for latent, text in zip(batch.latents, batch.captions, strict=True):
        template = base.card.templates[int(latent.mean()) % 2]
        assert text == template.format("a cat")


def test_a_missing_class_word_says_which_line_to_add(tmp_path):
    (tmp_path / "luna").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "luna/1.png")
    with pytest.raises(UserError, match=r"`luna: \{class: cat\}`"):
        nouns(Cast.load(tmp_path))


@pytest.mark.parametrize("size", [(10, 400), (400, 10), (3, 3)])
def test_photos_of_any_size_are_taken(base, size):
    shot = Shot(picture=Image.new("RGB", size), shows=("luna",), source="luna/7.jpg")
    assert views(base, (shot,), 1, 0.9, seeded())["views"].shape == (1, 1, 4, 8, 8)


def test_a_smaller_mask_has_the_same_area_whatever_its_details():
    mask = torch.zeros(1, 2, 8, 8)
    mask[0, 0, :, 1] = 1
    mask[0, 1, 3, 3] = 1
    small = pooled(mask, 2)
    torch.testing.assert_close(small[0, 0], torch.tensor([[0.25, 0.0], [0.25, 0.0]]))
    torch.testing.assert_close(small[0, 1], torch.tensor([[1 / 16, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(small.mean((2, 3)), mask.mean((2, 3)))


def test_a_union_is_where_anyone_is():
    masks = torch.tensor([[[[1.0, 0.25, 0.0]], [[0.0, 0.5, 0.0]]]])
    torch.testing.assert_close(union(masks), torch.tensor([[[[1.0, 0.5, 0.0]]]]))


def test_a_batch_may_say_nothing_about_where():
    batch = unmasked(torch.randn(3, 4, 8, 8), ("a",) * 3)
    assert batch.names == () and batch.masks.shape == (3, 0, 8, 8)
    torch.testing.assert_close(batch.valid, torch.ones(3, 1, 8, 8))


def test_places_are_drawn_by_the_base_with_nobody_asked_for(base, monkeypatch):
    prompts = []
    sampled = base.sampled
    monkeypatch.setattr(base, "sampled", lambda p, g: prompts.extend(p) or sampled(p, g))
    kept = scenes(base, ["the beach"], 2, seeded())
    assert kept["the beach"].shape == (2, 4, 8, 8)
    assert prompts == ["a photo of the beach"] * 2
    assert not torch.equal(*kept["the beach"])
