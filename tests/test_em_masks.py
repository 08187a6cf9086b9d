"""The figure of mask IoU against steps: made in pieces, whole in the end."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from conftest import loaded

from groupshot.benchmarks import em_masks
from groupshot.benchmarks.curves import noted
from groupshot.benchmarks.em_figure import CURVES, drawn
from groupshot.benchmarks.em_masks import (
    VARIANTS,
    Job,
    curves,
    faults,
    gain,
    learned,
    methods,
    offsets,
    shares,
    summary,
    whole,
)
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import load_json
from groupshot.methods import ConceptDrivenEM, concept_driven
from groupshot.presets import fitted

FIELDS = {"steps": 2, "refresh": 1, "timesteps": 2, "resolutions": (4,), "weights": "none"}
FEW = {"batch": 2, "crops": 1}


def quick(**more) -> ConceptDrivenEM:
    fields: dict[str, Any] = FIELDS | FEW | more
    return ConceptDrivenEM(**fields)


@pytest.fixture
def jobs(tmp_path):
    return [
        Job(out=tmp_path, seed=0, variant=variant, method=quick(**fields), every=1)
        for variant, fields in VARIANTS.items()
    ]


def halved(masks, images, potentials):
    """One on the left, one on the right, in place of a CRF."""
    left = torch.arange(images.shape[-1]) < images.shape[-1] // 2
    return torch.stack([left, ~left]).float()[None, :, None].expand(1, 2, *images.shape[2:])


def test_each_way_gives_a_curve_that_is_gone_on_with(jobs, world_base_folder, monkeypatch):
    monkeypatch.setattr(concept_driven, "refined", halved)
    base = loaded(world_base_folder)
    for job in jobs:
        learned(job, base)
    told = curves(jobs)
    assert list(told) == ["luna", "milo", "all"]
    for variants in told.values():
        assert list(variants) == ["fixed masks", "updated masks", "hand masks"]
        for steps in variants.values():
            assert sorted(steps) == [0, 1, 2]
            assert all(0 <= share <= 1 for shares in steps.values() for share in shares)
        assert variants["hand masks"][0] == variants["updated masks"][0]
    assert not (jobs[2].folder / "kept/masks-0.safetensors").exists()
    before = jobs[0].curve.read_text()
    learned(jobs[0], base)
    assert jobs[0].curve.read_text() == before


def test_masks_are_looked_for_as_the_method_looks(tmp_path, world_base_folder, monkeypatch):
    said = []

    def estimated(base, some, look, generator):
        said.append({name for scene in some for name in scene.where})
        return {}

    monkeypatch.setattr(em_masks, "estimated", estimated)
    monkeypatch.setattr(concept_driven, "refined", halved)
    for hints in (True, False):
        method, out = quick(steps=1, hints=hints), tmp_path / str(hints)
        job = Job(out=out, seed=1, variant=CURVES[0], method=method, every=1)
        learned(job, loaded(world_base_folder))
        assert job.curve.is_file()
    assert said == [{"luna", "milo"}, set()]


def test_after_a_warm_up_masks_begin_where_it_ends(jobs, world_base_folder, monkeypatch):
    monkeypatch.setattr(concept_driven, "refined", halved)
    for job in jobs:
        learned(
            replace(job, method=quick(**VARIANTS[job.variant], warm_up=3)),
            loaded(world_base_folder),
        )
    for variants in curves(jobs).values():
        assert [sorted(steps) for steps in variants.values()] == [[3, 4, 5]] * 3


def test_the_second_phase_begins_after_the_warm_up_too(base_folder, tmp_path, monkeypatch):
    turns = []
    monkeypatch.setattr(em_masks, "learned", lambda job, base: None)
    monkeypatch.setattr(Job, "lacking", [])
    monkeypatch.setattr(em_masks, "curves", lambda jobs: {})
    monkeypatch.setattr(em_masks, "drawn", lambda told, turn: turns.append(turn) or "")
    asked = [str(tmp_path), "--base", str(base_folder), "--set", "warm_up=7", "steps=20"]
    monkeypatch.setattr(sys, "argv", ["em_masks", *asked])
    em_masks.main()
    assert turns == [27]


def test_fields_are_those_of_the_base(second_base):
    found = methods(second_base, {"steps": 3}, {})
    updated, fixed, hand = (found[variant] for variant in CURVES)
    assert updated == fitted(ConceptDrivenEM, second_base, steps=3) != quick(steps=3)
    assert fixed == replace(updated, update_masks=False)
    assert hand == replace(updated, hand_masks=True)


def test_fixed_masks_may_have_fields_of_their_own(base):
    found = methods(base, {"steps": 3, "rule": "otsu"}, {"rule": "argmax", "warm_up": 5})
    updated, fixed, hand = (found[variant] for variant in CURVES)
    assert (updated.rule, updated.warm_up) == (hand.rule, hand.warm_up) == ("otsu", 0)
    assert (fixed.rule, fixed.warm_up, fixed.steps) == ("argmax", 5, 3)


def test_casts_begin_where_nothing_was_tuned_on_them(base_folder, tmp_path, monkeypatch):
    seeds = []
    monkeypatch.setattr(em_masks, "learned", lambda job, base: seeds.append(job.seed))
    monkeypatch.setattr(Job, "lacking", [])
    monkeypatch.setattr(em_masks, "curves", lambda jobs: {})
    asked = [str(tmp_path), "--casts", "2", "--base", str(base_folder)]
    monkeypatch.setattr(sys, "argv", ["em_masks", *asked])
    em_masks.main()
    assert seeds == [0, 0, 0, 1, 1, 1]


def test_three_in_a_photo_are_learned_beside_two(jobs, world_base_folder, monkeypatch):
    def thirds(masks, images, potentials):
        columns = torch.arange(images.shape[-1]) * 3 // images.shape[-1]
        there = torch.stack([columns == i for i in range(3)]).float()
        return there[None, :, None].expand(1, 3, *images.shape[2:])

    monkeypatch.setattr(concept_driven, "refined", thirds)
    three = replace(jobs[0], suite="entangled-trios")
    learned(three, loaded(world_base_folder))
    seen = load_json(three.curve)["2"]
    assert seen.keys() == {"luna", "milo", "rex", "all"}
    assert three.curve != jobs[0].curve


def test_a_look_that_was_interrupted_is_missed(jobs, world_base_folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(concept_driven, "refined", halved)
    base = loaded(world_base_folder)
    assert jobs[0].lacking == [0, 1, 2] and jobs[2].lacking == [1, 2]
    with monkeypatch.context() as patched:
        patched.setattr(em_masks, "estimated", interrupted)
        with pytest.raises(KeyboardInterrupt):
            learned(jobs[0], base)
    told = list(faults(jobs, base))
    assert len(told) == 1
    assert told[0].startswith("cast 0, fixed masks: nobody has looked at its masks at step 1: ")
    assert told[0].endswith(f"remove {jobs[0].folder} to have it made again")
    assert [job.lacking for job in jobs] == [[1], [], []]
    assert whole(jobs) == []


def test_a_run_that_is_refused_stops_no_other(base_folder, tmp_path, monkeypatch, capsys):
    def learned(job, base):
        if str(job) == "cast 0, fixed masks":
            raise UserError("nobody is seen")
        for step in (0, 50):
            noted(job.curve, step, {"luna": 0.5, "all": 0.5})

    monkeypatch.setattr(em_masks, "learned", learned)
    few = ["--casts", "2", "--set", "steps=50", "weights=none"]
    monkeypatch.setattr(sys, "argv", ["em_masks", str(tmp_path), "--base", str(base_folder), *few])
    with pytest.raises(SystemExit, match="1 of 6 runs do not count: cast 0, fixed masks: nobody"):
        em_masks.main()
    said = capsys.readouterr().out
    assert "does not count: cast 0, fixed masks: nobody is seen" in said
    assert "all: masks estimated once have IoU 0.500" in said
    assert "(1 cast)" in (tmp_path / "entangled.svg").read_text()


def test_stages_begin_where_those_before_them_end():
    method = ConceptDrivenEM(steps=50, refresh=20, warm_up=7)
    begun = offsets(method)
    assert begun["tokens-0"] == 7 and begun["tokens-2"] == 47
    assert begun["weights-0"] == 57 and begun["weights-1"] == 77


def told(last):
    begun = {0: [0.2, 0.4]}
    ways = {CURVES[0]: {40: last}, CURVES[1]: {40: [0.2, 0.3]}, CURVES[2]: {40: [0.9, 0.9]}}
    return {"luna": {way: begun | steps for way, steps in ways.items()}}


def test_the_gap_that_fixed_masks_leave_is_told():
    lines = list(summary(told([0.6, 0.7])))
    assert lines[0] == "luna: masks estimated once have IoU 0.300"
    assert "updated masks 0.650 ± 0.071 after 40 steps" in lines[1]
    assert lines[-2].endswith("masks estimated once leave, 50% is closed")
    assert lines[-1].endswith("words learned in them leave, 53% is closed")


def test_of_three_casts_it_is_told_where_the_gain_may_lie():
    assert gain([0.6, 0.7, 0.8], [0.2, 0.4, 0.6]) == "50% (50% to 50%)"
    assert gain([0.2, 0.7, 0.8], [0.2, 0.4, 0.6]) == "28% (0% to 50%)"


def test_everyone_in_every_photo_counts_alike(monkeypatch):
    monkeypatch.setattr(em_masks, "true_mask", lambda folder, photo, name: np.ones((4, 4), bool))
    empty, full = torch.zeros(4, 4, dtype=torch.bool), torch.ones(4, 4, dtype=torch.bool)
    masks = {"1.png:luna": full, "2.png:luna": full, "3.png:luna": full, "1.png:milo": empty}
    cast = Cast(folder=Path(), concepts=())
    assert shares(cast, masks) == {"luna": 1.0, "milo": 0.0, "all": 0.75}


def test_a_picture_of_it():
    page = ElementTree.fromstring(drawn(told([0.6, 0.7]), 20))
    names = "{http://www.w3.org/2000/svg}"
    assert len(page.findall(f"{names}polygon")) == 3
    means = page.findall(f"{names}polyline")[1].attrib["points"].split()
    assert means == ["46.0,220.0", "346.0,143.0"]
