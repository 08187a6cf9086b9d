"""Concept-driven EM: words and masks in turn, and what is said where that cannot work."""

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import save_picture
from PIL import Image
from test_methods import QUICK
from test_run import assert_equal, learned, left_at

from groupshot import estep
from groupshot.cast import Cast
from groupshot.crf import POTENTIALS
from groupshot.errors import UserError
from groupshot.fields import card, overrides
from groupshot.files import load_tensors
from groupshot.keep import Keep
from groupshot.masks import refined, segmenters
from groupshot.masks import toybox as toybox_module
from groupshot.methods import ConceptDrivenEM
from groupshot.run import Run
from groupshot.scores.masks import last_masks

FIELDS = (
    "steps",
    "weight_steps",
    "batch",
    "crops",
    "priors",
    "recalled",
    "resolutions",
    "timesteps",
    "refresh",
)


def quick(**more) -> ConceptDrivenEM:
    few: dict[str, Any] = {name: QUICK[name] for name in FIELDS}
    fields: dict[str, Any] = few | {"weights": "none"} | more
    return ConceptDrivenEM(**fields)


@pytest.fixture
def halves(tmp_path) -> Cast:
    """Two who are only seen together, in front of a beach, with masks by hand beside them."""
    folder = tmp_path / "cast"
    for number in (1, 2):
        photo = save_picture(folder / f"both/{number}.png", colour="orange")
        picture = Image.open(photo)
        picture.paste("blue", (32, 0, 64, 64))
        picture.save(photo)
        for name, box in (("luna", (0, 0, 20, 40)), ("rex", (40, 0, 64, 40))):
            mask = Image.new("L", (64, 64))
            mask.paste(255, box)
            mask.save(folder / f"both/{number}.{name}.mask.png")
    shows = "shows: [luna, rex, bay], where: {luna: left, rex: right}"
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat}, rex: {class: dog}, bay: {class: beach, kind: background}}\n"
        f"together: [{', '.join(f'{{image: both/{n}.png, {shows}}}' for n in (1, 2))}]"
    )
    return Cast.load(folder)


def unmasked(cast, folder) -> Cast:
    """The same cast in another folder, with no masks by hand."""
    shutil.copytree(cast.folder, folder, ignore=shutil.ignore_patterns("*.mask.png"))
    return Cast.load(folder)


@pytest.fixture
def shifting(monkeypatch):
    """E-steps that find other masks each time, each a third of the photo: how often they ran."""
    times: list[int] = []

    def estimated(base, some, look, generator):
        times.append(look.timesteps)
        found = {}
        for scene in some:
            for k, name in enumerate(sorted(scene.shows)):
                mask = torch.zeros(64, 64, dtype=torch.bool)
                mask[min(len(times), 20) * 2 :, 20 * k : 20 * k + 20] = True
                found[f"{scene.photo}:{name}"] = mask
        return found

    monkeypatch.setattr("groupshot.methods.concept_driven.estimated", estimated)
    return times


def trained(base, cast, out, **fields) -> Run:
    run = Run(cast, base=base, method=quick(**fields), out=out)
    for _ in run:
        pass
    return run


def kept(run) -> list[str]:
    return sorted(file.stem for file in (run.out / "kept").glob("masks*"))


def test_masks_are_found_anew_before_each_stage(base, halves, tmp_path, shifting):
    method = quick(steps=4, weight_steps=4, refresh=2, weights="keys-values")
    run = Run(halves, base=base, method=method, out=tmp_path / "run")
    order = [(step.stage, len(shifting)) for step in run]
    assert order == [
        *[("tokens-0", 1)] * 2,
        *[("tokens-1", 2)] * 2,
        *[("weights-0", 3)] * 2,
        *[("weights-1", 4)] * 2,
    ]
    assert kept(run) == ["masks-0", "masks-1", "masks-2", "masks-3"]
    last = last_masks(run.out / "kept")
    assert set(last) == {f"both/{n}.png:{name}" for n in (1, 2) for name in halves.names}


def test_words_may_be_warmed_up_on_whole_photos_before_the_first_masks(
    base, halves, tmp_path, shifting
):
    run = Run(halves, base=base, method=quick(warm_up=1, steps=1), out=tmp_path / "run")
    steps = list(run)
    assert [step.stage for step in steps] == ["warm-up", "tokens-0"]
    assert steps[0].losses.keys() == {"denoising"}
    assert steps[1].losses.keys() == {"masked", "attention"}


def test_a_hint_is_left_out_if_it_is_not_wanted(base, halves, tmp_path, monkeypatch):
    said = []

    def estimated(base, some, look, generator):
        said.append([scene.where for scene in some])
        raise ZeroDivisionError

    monkeypatch.setattr("groupshot.methods.concept_driven.estimated", estimated)
    for hints in (True, False):
        with pytest.raises(ZeroDivisionError):
            trained(base, halves, tmp_path / str(hints), hints=hints)
    assert said == [[{"luna": "left", "rex": "right"}] * 2, [{}] * 2]


def test_they_stay_once_they_have_settled(base, halves, tmp_path, shifting):
    run = trained(base, halves, tmp_path / "run", steps=3, settled=0.5)
    assert kept(run) == ["masks-0", "masks-1"]


def test_they_may_be_found_only_once(base, halves, tmp_path, shifting):
    run = trained(base, halves, tmp_path / "run", steps=3, update_masks=False)
    assert kept(run) == ["masks-0"]


def test_they_may_be_given_by_hand_and_nothing_is_looked_for(base, halves, tmp_path, shifting):
    run = trained(base, halves, tmp_path / "run", hand_masks=True)
    assert kept(run) == ["masks"] and not shifting
    masks = last_masks(run.out / "kept")
    luna, rex, bay = (masks[f"both/2.png:{name}"] for name in ("luna", "rex", "bay"))
    assert luna.sum() == 20 * 40 and rex.sum() == 24 * 40
    assert torch.equal(bay, ~(luna | rex))
    halves.together[1].mask_paths["rex"].unlink()
    with pytest.raises(UserError, match="paint .*2.rex.mask.png, white on rex, or leave hand_mask"):
        trained(base, Cast.load(halves.folder), tmp_path / "other", hand_masks=True)
    assert not (tmp_path / "other").exists()


def test_what_is_learned_is_inside_the_masks(base, halves, tmp_path, shifting):
    method = quick(crops=1, least=1.0, batch=16)
    with base.borrowed():
        plan = method.plan(base, halves, keeping(tmp_path / "plan"))
        batch = next(plan).samples(0, torch.Generator().manual_seed(0))
    for caption, masks in zip(batch.captions, batch.masks, strict=True):
        for name, mask in zip(batch.names, masks, strict=True):
            assert mask.any() == (f"<{name}>" in caption)
            assert mask.mean() < 0.4


def keeping(folder) -> Keep:
    return Keep(folder, 0)


def test_an_interrupted_e_step_is_made_again_alike(base, halves, tmp_path, monkeypatch):
    whole = trained(base, halves, tmp_path / "whole", settled=1.0)
    parted = Run(halves, base=base, method=quick(settled=1.0), out=tmp_path / "parted")
    left_at(parted, 1)  # the first stage is done, the next masks are not found yet
    assert kept(parted) == ["masks-0"]
    for _ in Run(halves, base=base, method=quick(settled=1.0), out=parted.out, resume=True):
        pass
    assert_equal(learned(whole.out), learned(parted.out))
    assert kept(whole) == kept(parted)
    for name in kept(whole):
        one, other = (load_tensors(r.out / f"kept/{name}.safetensors")[0] for r in (whole, parted))
        assert all(torch.equal(mask, other[key]) for key, mask in one.items())


def test_no_segmenter_is_ever_called(base, halves, tmp_path, monkeypatch):
    def called(*_):
        raise AssertionError("a segmenter is called")

    for name in ("segmenter", "finder", "masks_of"):
        monkeypatch.setattr(segmenters, name, called)
    monkeypatch.setattr(segmenters.Waiting, "found", called)
    monkeypatch.setattr(toybox_module.Toybox, "load", called)
    monkeypatch.setattr(toybox_module.Toybox, "found", called)
    bare = unmasked(halves, tmp_path / "bare")
    assert not any(each.mask_paths for each in bare.together)
    for weights in ("none", "everything"):
        trained(base, bare, tmp_path / weights, weights=weights)
        trained(base, halves, tmp_path / f"hand-{weights}", weights=weights, hand_masks=True)


def test_hand_masks_change_nothing_unless_they_are_asked_for(base, halves, tmp_path):
    bare = unmasked(halves, tmp_path / "bare")
    runs = [trained(base, cast, tmp_path / f"{i}") for i, cast in enumerate((halves, bare))]
    assert_equal(*(learned(run.out) for run in runs))
    assert kept(runs[0]) == kept(runs[1]) != ["masks"]
    first, other = (last_masks(run.out / "kept") for run in runs)
    assert all(torch.equal(mask, other[key]) for key, mask in first.items())


def test_words_begin_apart_and_may_begin_as_noise(base, halves, tmp_path):
    begun = {}
    for start in ("class", "random"):
        method = quick(start=start, vectors=1)
        with base.borrowed():
            classes = dict.fromkeys(halves.names, "cat")
            part = method.rows(base, classes, keeping(tmp_path / start))
            begun[start] = {name: row.detach().clone() for name, row in part.tensors.items()}
    cat = base.embedded("cat")[-1:]
    near = [float((row - cat).norm() / cat.norm()) for row in begun["class"].values()]
    far = [float((row - cat).norm() / cat.norm()) for row in begun["random"].values()]
    assert 0 < max(near) < 0.3 < min(far)
    assert len({row.sum().item() for row in begun["class"].values()}) == 3


def test_attention_that_never_separates_is_reported_to_be_looked_at(
    base, halves, tmp_path, monkeypatch
):
    def one(base, some, look, generator):
        mask = torch.from_numpy(np.eye(64, dtype=bool))
        return {f"{scene.photo}:{name}": mask.clone() for scene in some for name in scene.shows}

    monkeypatch.setattr("groupshot.methods.concept_driven.estimated", one)
    with pytest.raises(
        UserError, match=r"tell where rex is .* see `groupshot masks .*run --out masks"
    ):
        trained(base, halves, tmp_path / "run")
    assert (tmp_path / "run" / "kept" / "masks-0.safetensors").is_file()


@pytest.mark.parametrize(("lost", "stays"), [((1,), False), ((1, 2), True)])
def test_who_is_lost_in_every_photo_later_on_keeps_the_masks_from_before(
    base, halves, tmp_path, monkeypatch, lost, stays
):
    times: list[int] = []

    def estimated(base, some, look, generator):
        times.append(1)
        found = {}
        for number, scene in enumerate(some, 1):
            for k, name in enumerate(halves.names):
                mask = torch.zeros(64, 64, dtype=torch.bool)
                gone = len(times) > 1 and name == "rex" and number in lost
                mask[len(times) :, 20 * k : 20 * k + 20] = not gone
                found[f"{scene.photo}:{name}"] = mask
        return found

    monkeypatch.setattr("groupshot.methods.concept_driven.estimated", estimated)
    with base.borrowed():
        plan = quick(crops=1, least=1.0, batch=16).plan(base, halves, keeping(tmp_path / "plan"))
        first, then = (next(plan).samples(0, torch.Generator().manual_seed(0)) for _ in "ab")
    assert len(times) == 2
    assert torch.equal(first.masks, then.masks) == stays
    assert any("<rex>" in caption for caption in then.captions)


def test_more_concepts_than_a_caption_has_room_for(base, tmp_path, shifting):
    names = [f"cat-{chr(97 + i)}" for i in range(24)]
    folder = tmp_path / "crowd"
    save_picture(folder / "both/1.png")
    concepts = ", ".join(f"{name}: {{class: cat}}" for name in names)
    (folder / "cast.yaml").write_text(
        f"concepts: {{{concepts}}}\ntogether: [{{image: both/1.png, shows: [{', '.join(names)}]}}]"
    )
    with pytest.raises(UserError, match="takes 96 tokens"):
        trained(base, Cast.load(folder), tmp_path / "run", vectors=4)
    assert not (tmp_path / "run").exists() and not shifting


def test_the_e_step_is_the_one_that_is_asked_for():
    look = quick(crf=False, rule="argmax", timesteps=7).look
    assert look.settle is estep.enlarged and look.timesteps == 7
    assert look.rule(torch.rand(1, 2, 4, 4)).sum(1).max() == 1
    assert quick().look.settle is not estep.enlarged


@pytest.mark.parametrize("name", POTENTIALS)
def test_the_crf_has_the_parameters_that_are_asked_for(name):
    said = overrides(ConceptDrivenEM, [f"potentials={name}"])
    masks = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    expected = refined(masks, image, POTENTIALS[name])
    torch.testing.assert_close(quick(**said).look.settle(masks, image), expected)


def test_the_card_owns_up_to_what_its_defaults_do():
    differ = card(ConceptDrivenEM).partition("Where we differ: ")[2]
    owned = ("rule", "peak", "balance", "leftover", "weights", "settled", "scenery", "hints")
    assert all(f"`{name}`" in differ for name in owned)


def test_things_are_drawn_where_the_base_knows_the_words_and_backgrounds_alone(base, halves):
    word = base.lexicon[0]
    method = quick(priors=3, scenery=(word, "in qqzz"))
    own = method.drawn(base, halves, torch.Generator().manual_seed(0))
    assert {phrase: len(latents) for phrase, latents in own.items()} == {
        "cat": 2,
        f"cat {word}": 2,
        "dog": 2,
        f"dog {word}": 2,
        "beach": 3,
    }
    things = replace(halves, concepts=halves.concepts[:2])
    alone = method.drawn(base, things, torch.Generator().manual_seed(0))
    assert alone.keys() == own.keys() - {"beach"}
    assert all(torch.equal(latents, own[phrase]) for phrase, latents in alone.items())
