from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from groupshot.samples import Shot, caption, resized, resized_batches
from groupshot.samples.captions import known, prefixed
from groupshot.samples.resizing import AS_IT_WAS, CLOSE, FAR, WORDS, view

PHOTO = Image.new("RGB", (96, 64), "red")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def shot(name="luna", size=(64, 48)):
    return Shot(picture=Image.new("RGB", size, "red"), shows=(name,), source=f"{name}/1.png")


def test_views_are_as_often_small_and_close_as_in_the_paper_s_code():
    zooms = Counter(view(PHOTO, 60, 15, seeded(seed)).zoom for seed in range(1500))
    far = 2 / 3 * (0.6 - 1 / 3) / (1 - 1 / 3)
    assert zooms[FAR] / 1500 == pytest.approx(far, abs=0.04)
    assert zooms[CLOSE] / 1500 == pytest.approx(1 / 3, abs=0.04)
    assert zooms[AS_IT_WAS] / 1500 == pytest.approx(2 / 3 - far, abs=0.04)


def test_a_far_view_is_valid_inside_but_for_one_place_of_the_latent():
    size, side = 120, 30
    seen = set()
    for seed in range(200):
        made = view(PHOTO, size, side, seeded(seed))
        pixels = np.asarray(made.picture)
        if made.zoom != FAR:
            assert made.valid.all()
            assert (pixels == (255, 0, 0)).all()
            continue
        red = (pixels == (255, 0, 0)).all(-1)
        ys, xs = np.nonzero(red)
        top, left, high, wide = ys.min(), xs.min(), np.ptp(ys) + 1, np.ptp(xs) + 1
        assert high == wide and round(size / 3) <= high < 0.6 * size + 1
        assert (pixels[~red] == 128).all()
        valid = made.valid[0, 0]
        rows, columns = (x.nonzero().flatten().tolist() for x in (valid.any(1), valid.any(0)))
        assert rows == list(range(top // 4 + 1, (top + high) // 4 - 1))
        assert columns == list(range(left // 4 + 1, (left + wide) // 4 - 1))
        assert red[4 * rows[0] : 4 * rows[-1] + 4, 4 * columns[0] : 4 * columns[-1] + 4].all()
        seen.add((top, left))
    assert len(seen) > 20


def test_a_close_view_shows_between_five_sevenths_and_five_sixths_of_a_photo():
    ramp = Image.linear_gradient("L").rotate(90).resize((120, 120)).convert("RGB")
    spans = []
    for seed in range(300):
        made = view(ramp, 120, 30, seeded(seed))
        if made.zoom == CLOSE:
            spans.append(np.ptp(np.asarray(made.picture)[..., 0].astype(int)) / 255)
    assert 0.69 < min(spans) < 0.74 and 0.80 < max(spans) < 0.85


def test_captions_say_how_large_it_is_where_the_base_has_words_for_it(base, monkeypatch):
    monkeypatch.setattr(type(base), "lexicon", ())
    shots = (shot("luna"), shot("rex"))
    views = resized(base, shots, 20, seeded())
    assert views["views"].shape == (2, 20, 4, 8, 8) and views["valid"].shape == (2, 20, 1, 8, 8)
    marked = views | {"views": views["zoom"][..., None, None, None].expand(2, 20, 4, 8, 8).float()}
    batch = resized_batches(base, shots, marked, 64)(0, seeded())
    plain = {caption(t, [name]) for t in base.card.templates for name in ("luna", "rex")}
    begun = Counter()
    for text, latent in zip(batch.captions, batch.latents, strict=True):
        zoom = int(latent.mean())
        fitting = [w for w in WORDS[zoom] if text.startswith(w)]
        begun[zoom, *fitting] += 1
        assert text in plain if zoom == AS_IT_WAS else len(fitting) == 1
        assert "a a" not in text and "small a " not in text and "up a " not in text
    assert len(begun) == 5


def test_a_base_without_the_words_is_told_nothing_of_size(base):
    assert base.lexicon and not known(WORDS[FAR], base.lexicon)
    shots = (shot(),)
    batch = resized_batches(base, shots, resized(base, shots, 8, seeded()), 32)(0, seeded())
    assert set(batch.captions) == {caption(t, ["luna"]) for t in base.card.templates}
    assert batch.names == () and batch.masks.shape == (32, 0, 8, 8)
    assert 0 < batch.valid.mean() < 1


def test_what_a_base_knows_is_known_word_by_word():
    assert known(("a far away", "very small"), ("far", "away", "small")) == ("a far away",)
    assert known(("very small",), ()) == ("very small",)


def test_a_prefix_takes_the_place_of_the_article():
    assert prefixed("very small", "a photo of <luna>") == "very small photo of <luna>"
    assert prefixed("a far away", "an image of <luna>") == "a far away image of <luna>"
    assert prefixed("zoomed in", "<luna>") == "zoomed in <luna>"
