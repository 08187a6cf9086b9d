import dataclasses
from collections.abc import Mapping

import pytest
import torch
from test_methods import quick
from torch.nn import functional as F
from worldly import whole

from groupshot.base import Base
from groupshot.clip import Clip, clips_of
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.methods import Clif
from groupshot.run import Run
from groupshot.samples import Matched
from groupshot.weights import copied_tokens

pytestmark = pytest.mark.usefixtures("middle")

PHRASES = ("<luna> on the left and a dog on the right", "a dog on the left and <rex> on the right")


def method(**fields) -> Clif:
    made = quick("clif", **fields)
    assert isinstance(made, Clif)
    return made


@pytest.fixture
def run(paired_base, two_cats, tmp_path):
    """Makes a quick run of CLIF with some fields, and of some of the cats."""

    def made(out="run", cast=two_cats, **fields):
        return Run(cast, base=paired_base, method=method(**fields), out=tmp_path / out)

    return made


def stages(run: Run) -> list[str]:
    return list(dict.fromkeys(step.stage for step in run))


def collages(run: Run) -> Mapping[str, torch.Tensor]:
    return load_tensors(run.out / "kept" / "collages.safetensors")[0]


def test_three_stages_and_without_the_contrast_the_other_two(run):
    assert stages(run("with")) == ["contrast", "tokens", "joint"]
    without = run("without", contrastive=False)
    assert stages(without) == ["tokens", "joint"]
    assert not (without.out / "kept" / "collages.safetensors").exists()


def test_only_the_last_two_stages_draw_and_only_the_last_has_a_lora(run):
    parts = {step.stage: {p.name for p in this._learners} for this in [run()] for step in this}
    assert parts == {"contrast": {"tokens"}, "tokens": {"tokens"}, "joint": {"tokens", "lora"}}


def test_words_begin_to_be_drawn_with_nothing_left_of_the_contrasts_moments(run):
    this, counted = run(), []
    for step in this:
        (rows,) = (part for part in this._learners if part.name == "tokens")
        (state, *_) = this._learners[rows].state.values()
        counted.append((step.stage, int(state["step"])))
    assert counted == [
        *(("contrast", 1), ("contrast", 2)),
        *(("tokens", 1), ("tokens", 2)),
        *(("joint", 3), ("joint", 4)),
    ]


def test_the_text_encoder_learns_too_if_it_is_told_to_and_then_rests(run):
    this, seen = run(learns="text-encoder"), {}
    for step in this:
        (part,) = (p for p in this._learners if p.name == "text-encoder")
        seen[step.stage, step.number] = next(iter(part.tensors.values())).detach().clone()
    first, last, tokens, joint = (
        seen[key] for key in (("contrast", 1), ("contrast", 2), ("tokens", 2), ("joint", 2))
    )
    assert not torch.equal(first, last)
    assert torch.equal(last, tokens)
    assert torch.equal(last, joint)


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [
        ("global", "<luna> on the left and a dog"),
        ("region", "<luna> on the left and a dog"),  # nobody names the parts that slic makes
        ("mix", "<luna> on the left and <rex>"),
    ],
)
def test_shares_choose_the_kinds(run, kind, phrase):
    shares = {f"{each}_share": float(each == kind) for each in ("global", "region", "mix")}
    this = run(**shares, collages=24, common=("dog",))
    next(iter(this))
    seen = collages(this)
    assert any(phrase in each for each in seen)
    assert sum(len(rows) for rows in seen.values()) == 24
    assert all(("dog" in each) == (kind != "mix") for each in seen)


def test_what_no_collage_shows_is_not_drawn(run):
    this = run(global_share=0.0, region_share=0.0)
    next(iter(this))
    assert load_tensors(this.out / "kept" / "common.safetensors")[0] == {}


def test_one_alone_is_contrasted_with_common_things(run, two_cats):
    alone = dataclasses.replace(two_cats, concepts=two_cats.concepts[:1])
    this = run(cast=alone)
    assert stages(this)[0] == "contrast"
    assert all(each.count("<luna>") == 1 for each in collages(this))


def test_eighteen_are_learned_together(run, two_cats):
    luna = two_cats.concepts[0]
    luna = dataclasses.replace(luna, photos=luna.photos[:1])
    many = tuple(dataclasses.replace(luna, name=f"cat-{letter}") for letter in "abcdefghijklmnopqr")
    this = run(cast=dataclasses.replace(two_cats, concepts=many), collages=54)
    assert stages(this) == ["contrast", "tokens", "joint"]
    seen = " ".join(collages(this))
    assert all(f"<{each.name}>" in seen for each in many)
    assert len(this.trained().learned.tensors["tokens"]) == 18


def test_backgrounds_are_learned_but_not_cut_out(run, two_cats):
    luna, rex = two_cats.concepts
    this = run(cast=dataclasses.replace(two_cats, concepts=(luna, place(rex))))
    list(this)
    assert not any("<rex>" in each for each in collages(this))
    assert this.trained().learned.tensors["tokens"].keys() == {"luna", "rex"}


def place(concept):
    return dataclasses.replace(concept, kind="background")


def test_nothing_but_backgrounds_is_refused(run, two_cats):
    bare = dataclasses.replace(two_cats, concepts=tuple(map(place, two_cats.concepts)))
    with pytest.raises(UserError, match="contrastive=false"):
        next(iter(run(cast=bare)))


def test_a_base_without_a_tower_is_refused_before_anything_is_drawn(base, two_cats, tmp_path):
    with pytest.raises(UserError, match="no CLIP vision tower"):
        next(iter(Run(two_cats, base=base, method=method(), out=tmp_path / "run")))
    assert not (tmp_path / "run").exists()
    untouched = method(contrastive=False)
    assert stages(Run(two_cats, base=base, method=untouched, out=tmp_path / "run"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parts": "slick"}, "try slic"),
        ({"common": ("sofa",)}, "name others with common="),
        ({"clip": ("nowhere",)}, "no model nowhere"),
        ({"clip": ("a/b", "c/d")}, "fewer text encoders"),
        ({"collages": 0}, "none at all"),
    ],
)
def test_fields_that_cannot_be_meant(run, fields, words):
    with pytest.raises(UserError, match=words):
        next(iter(run(**fields)))


def test_words_of_one_class_begin_alike_and_the_contrast_tells_them_apart(paired_base):
    """Two directions in which pictures lie: each word goes to its own."""
    with paired_base.borrowed():
        rows = copied_tokens(paired_base, {"luna": "cat", "rex": "cat"}, 2)
        (clip,), (luna, rex) = clips_of(paired_base), rows.tensors.values()
        torch.testing.assert_close(luna, rex)
        clip = dataclasses.replace(clip, scale=10.0)
        images, names = torch.eye(8)[:2], ("<luna>", "<rex>")
        batch = Matched(images=images, captions=names, phrases=names)
        optimiser = torch.optim.Adam(rows.tensors.values(), lr=0.1)
        for _ in range(60):
            method().contrasted(clip, batch).backward()
            optimiser.step()
            optimiser.zero_grad()
        near = F.normalize(clip.said(names), dim=-1) @ images.T
        assert near.argmax(1).tolist() == [0, 1]


@pytest.fixture
def matched(paired_base):
    """A pair, and four collages of which two are called the same."""
    with paired_base.borrowed():
        copied_tokens(paired_base, {"luna": "cat", "rex": "dog"}, 2)
        images = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
        said = (*PHRASES, *PHRASES)
        clip = dataclasses.replace(clips_of(paired_base)[0], scale=5.0)
        yield clip, Matched(images=images, captions=said, phrases=said)


def test_lengths_count_only_where_the_inner_product_compares(matched):
    clip, batch = matched
    longer = dataclasses.replace(batch, images=2 * batch.images)
    losses = {
        likeness: [method(likeness=likeness).contrasted(clip, b).item() for b in (batch, longer)]
        for likeness in ("cosine", "inner")
    }
    assert losses["cosine"][0] == pytest.approx(losses["cosine"][1], rel=1e-5)
    assert losses["inner"][0] != pytest.approx(losses["inner"][1], rel=1e-2)


def test_the_same_caption_of_another_collage_is_right_too_whatever_its_template(matched):
    """In the same words it makes no difference who is right, as `clif`'s card says."""
    clip, batch = matched
    apart = dataclasses.replace(batch, phrases=("a", "b", "c", "d"))
    losses = [method().contrasted(clip, each).item() for each in (batch, apart)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    said = ("a photo of {}", "a photo of {}", "a picture of {}", "a picture of {}")
    worded = tuple(t.format(p) for t, p in zip(said, batch.phrases, strict=True))
    batch, apart = (dataclasses.replace(each, captions=worded) for each in (batch, apart))
    losses = [method().contrasted(clip, each).item() for each in (batch, apart)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_summed_up_at_the_highest_number_the_rest_of_a_caption_does_not_count(matched):
    clip, batch = matched
    other = dataclasses.replace(batch, captions=tuple(f"{c} and a hat" for c in batch.captions))
    losses = {
        pooling: [method(pooling=pooling).contrasted(clip, b).item() for b in (batch, other)]
        for pooling in ("end", "highest")
    }
    assert losses["highest"][0] == pytest.approx(losses["highest"][1], rel=1e-5)
    assert losses["end"][0] != pytest.approx(losses["end"][1], rel=1e-3)
    assert isinstance(clip, Clip)


def clips(folder, base, extra=0):
    """The CLIP of each of a base's text encoders, saved."""
    each = enumerate(base.encoders)
    return tuple(str(whole(folder / f"clip-{i}", encoder, extra)) for i, encoder in each)


def test_two_text_encoders_are_contrasted_each_with_its_own_clip(large_base, two_cats, tmp_path):
    sources = clips(tmp_path, large_base)
    both, first = (
        Run(two_cats, base=large_base, method=method(clip=names), out=tmp_path / str(len(names)))
        for names in (sources, sources[:1])
    )
    assert set(next(iter(both)).losses) == {"contrast", "contrast-2"}
    assert set(next(iter(first)).losses) == {"contrast"}


def test_the_contrast_reaches_no_text_encoder_that_lacks_layers(second_base, two_cats, tmp_path):
    sources = clips(tmp_path, second_base, extra=1)
    rows = method(clip=sources)
    assert stages(Run(two_cats, base=second_base, method=rows, out=tmp_path / "rows"))
    more = dataclasses.replace(rows, learns="text-encoder")
    with pytest.raises(UserError, match="lacks layers of its CLIP's.*leave learns"):
        next(iter(Run(two_cats, base=second_base, method=more, out=tmp_path / "more")))
    assert not (tmp_path / "more").exists()


def test_a_base_in_half_precision_is_contrasted(large_base, two_cats, tmp_path):
    half = Base.load(large_base.source, device="cpu", precision="bf16")
    this = method(clip=clips(tmp_path, large_base))
    assert stages(Run(two_cats, base=half, method=this, out=tmp_path / "run"))[0] == "contrast"
