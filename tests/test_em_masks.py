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

from groupshot.bench import rows, work
from groupshot.bench.cells import Cell, Terms
from groupshot.bench.contenders import contenders, overridden
from groupshot.bench.suites import SUITES, cast_in
from groupshot.bench.work import settled
from groupshot.benchmarks import em_masks, em_runs
from groupshot.benchmarks.curves import noted
from groupshot.benchmarks.em_figure import CURVES, drawn
from groupshot.benchmarks.em_masks import VARIANTS, again, curves, fields, gain, summary, whole
from groupshot.benchmarks.em_runs import Job, faults, learned, offsets, shares
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import load_json
from groupshot.methods import ConceptDrivenEM, concept_driven
from groupshot.presets import fitted
from groupshot.scores.evaluation import Amount

FEW: dict[str, Any] = {
    "steps": 2,
    "refresh": 1,
    "timesteps": 2,
    "resolutions": (4,),
    "weights": "none",
    "batch": 2,
    "crops": 1,
}
NOTHING = Amount(each=0, prior=0)


def job_of(out: Path, variant: str, suite: str = "entangled", cast: int = 0, **more: Any) -> Job:
    """A job of few steps."""
    own = FEW | more | VARIANTS[variant]
    cell = Cell(
        suite=suite,
        contender=overridden("concept-driven", own),
        cast=cast,
        seed=0,
        concepts=SUITES[suite].sizes[0],
    )
    return Job(out=out, cell=cell, method=ConceptDrivenEM(**own), every=1)


def learn(job: Job, base) -> None:
    """Learn a job here."""
    troupe = SUITES[job.cell.suite].troupe(job.cell.cast, job.cell.concepts)
    hands = job.cell.contender.hand_masks
    learned(job, cast_in(job.out / job.cell.cast_folder, troupe, hands), base)


def here(cells, terms, out, jobs, make):
    """Cells made in this process."""
    for cell in cells:
        try:
            yield cell, make(cell, terms, out, jobs)
        except UserError as mistake:
            yield cell, mistake


@pytest.fixture
def jobs(tmp_path):
    return [job_of(tmp_path, variant) for variant in VARIANTS]


@pytest.fixture
def terms(world_base_folder):
    return Terms(base=str(world_base_folder), weights="abc", amount=NOTHING, precision="fp32")


@pytest.fixture
def asked(base_folder, tmp_path, monkeypatch):
    """The command with these words, that learns nothing: the jobs that it comes to."""
    come: list[list[Job]] = []

    def command(*words: str) -> list[Job]:
        monkeypatch.setattr(em_masks, "settled", lambda terms, out: terms)
        monkeypatch.setattr(em_masks, "faults", lambda jobs, *_: come.append(jobs) or iter(()))
        monkeypatch.setattr(em_masks, "curves", lambda jobs: {})
        monkeypatch.setattr(Job, "lacking", [])
        line = ["em_masks", str(tmp_path), "--base", str(base_folder), *words]
        monkeypatch.setattr(sys, "argv", line)
        em_masks.main()
        return come[-1]

    return command


def halved(masks, images, potentials):
    """One on the left, one on the right, in place of a CRF."""
    left = torch.arange(images.shape[-1]) < images.shape[-1] // 2
    return torch.stack([left, ~left]).float()[None, :, None].expand(1, 2, *images.shape[2:])


def test_each_way_gives_a_curve_that_is_gone_on_with(jobs, world_base_folder, monkeypatch):
    monkeypatch.setattr(concept_driven, "refined", halved)
    base = loaded(world_base_folder)
    for job in jobs:
        learn(job, base)
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
    learn(jobs[0], base)
    assert jobs[0].curve.read_text() == before


def test_masks_are_looked_for_as_the_method_looks(tmp_path, world_base_folder, monkeypatch):
    said = []

    def estimated(base, some, look, generator):
        said.append({name for scene in some for name in scene.where})
        return {}

    monkeypatch.setattr(em_runs, "estimated", estimated)
    monkeypatch.setattr(concept_driven, "refined", halved)
    for hints in (True, False):
        job = job_of(tmp_path / str(hints), CURVES[0], cast=1, steps=1, hints=hints)
        learn(job, loaded(world_base_folder))
        assert job.curve.is_file()
    assert said == [{"luna", "milo"}, set()]


def test_after_a_warm_up_masks_begin_where_it_ends(tmp_path, world_base_folder, monkeypatch):
    monkeypatch.setattr(concept_driven, "refined", halved)
    jobs = [job_of(tmp_path, variant, warm_up=3) for variant in VARIANTS]
    for job in jobs:
        learn(job, loaded(world_base_folder))
    for variants in curves(jobs).values():
        assert [sorted(steps) for steps in variants.values()] == [[3, 4, 5]] * 3


def test_the_second_phase_begins_after_the_warm_up_too(asked, monkeypatch):
    turns = []
    monkeypatch.setattr(em_masks, "drawn", lambda told, turn: turns.append(turn) or "")
    asked("--set", "warm_up=7", "steps=20")
    assert turns == [27]


def test_fields_are_those_of_the_base(second_base, asked, monkeypatch):
    def usual(kind, base, **own):
        return fitted(kind, base, **{"batch": len(base.source), **own})

    monkeypatch.setattr(em_masks, "fitted", usual)
    jobs = asked("--base", second_base.source, "--casts", "1", "--set", "steps=3")
    methods = {job.variant: job.method for job in jobs}
    updated, fixed, hand = (methods[variant] for variant in CURVES)
    assert updated == ConceptDrivenEM(steps=3, batch=len(second_base.source))
    assert fixed == replace(updated, update_masks=False)
    assert hand == replace(updated, hand_masks=True)


def test_fixed_masks_may_have_fields_of_their_own():
    found = fields({"steps": 3, "rule": "otsu"}, {"rule": "argmax", "warm_up": 5})
    updated, fixed, hand = (found[variant] for variant in CURVES)
    assert updated == {"steps": 3, "rule": "otsu"}
    assert hand == updated | {"hand_masks": True}
    assert fixed == {"steps": 3, "rule": "argmax", "warm_up": 5, "update_masks": False}


def test_casts_begin_where_nothing_was_tuned_on_them(asked):
    jobs = asked("--casts", "2")
    assert [job.cell.cast for job in jobs] == [0, 0, 0, 1, 1, 1]
    assert [job.variant for job in jobs[:3]] == list(VARIANTS)


def test_three_in_a_photo_are_learned_beside_two(jobs, world_base_folder, monkeypatch):
    def thirds(masks, images, potentials):
        columns = torch.arange(images.shape[-1]) * 3 // images.shape[-1]
        there = torch.stack([columns == i for i in range(3)]).float()
        return there[None, :, None].expand(1, 3, *images.shape[2:])

    monkeypatch.setattr(concept_driven, "refined", thirds)
    three = job_of(jobs[0].out, jobs[0].variant, suite="entangled-trios")
    learn(three, loaded(world_base_folder))
    seen = load_json(three.curve)["2"]
    assert seen.keys() == {"luna", "milo", "rex", "all"}
    others = {job.curve for job in (*jobs, job_of(three.out, three.variant, refresh=2))}
    assert len(others - {three.curve}) == 4


def test_a_look_that_was_interrupted_is_missed(jobs, terms, world_base_folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(concept_driven, "refined", halved)
    monkeypatch.setattr(em_runs, "made", here)
    assert jobs[0].lacking == [0, 1, 2] and jobs[2].lacking == [1, 2]
    with monkeypatch.context() as patched:
        patched.setattr(em_runs, "estimated", interrupted)
        with pytest.raises(KeyboardInterrupt):
            learn(jobs[0], loaded(world_base_folder))
    told = list(faults(jobs, terms, 1))
    assert len(told) == 1
    assert told[0].startswith("cast 0, fixed masks: nobody has looked at its masks at step 1: ")
    assert told[0].endswith(f"remove {jobs[0].folder} to have it made again")
    assert [job.lacking for job in jobs] == [[1], [], []]
    assert whole(jobs) == []
    lines = [job.folder.with_name(rows.LINE).is_file() for job in jobs]
    assert lines == [False, True, True]  # nobody knows how long the first took


def test_a_bench_draws_what_was_learned_and_learns_nothing(jobs, terms, few_drawings, monkeypatch):
    monkeypatch.setattr(concept_driven, "refined", halved)
    monkeypatch.setattr(em_runs, "made", here)
    assert not list(faults(jobs[1:2], terms, 1))
    assert 0 < load_json(jobs[1].folder.with_name(rows.LINE))["mask_iou"] < 1
    monkeypatch.setattr(rows, "Run", None)
    monkeypatch.setattr(work, "apart", lambda *_: "bf16")
    assert settled(replace(terms, precision=None), jobs[1].out) == terms  # as it was learned
    more = replace(terms, amount=Amount(each=1, prior=2))
    line = rows.finished(jobs[1].cell, more, jobs[1].out)
    assert line["steps"] == 2 and line["seconds"] > 0 and line["pictures"] == 16
    assert jobs[1].curve.is_file() and jobs[1].folder.is_dir()
    assert not list(faults(jobs[1:2], terms, 1))


def test_the_bench_that_goes_on_is_told(jobs):
    said = again(jobs)
    methods = said[said.index("'") + 1 : said.rindex("'")]
    assert contenders(methods) == [job.cell.contender for job in jobs]
    assert said.endswith(f"--cast-seed 0 --casts 1 --out {jobs[0].out}")


def test_a_run_that_is_refused_stops_no_other(tmp_path, terms, monkeypatch, capsys):
    def looked_at(jobs, cell, *_):
        job = jobs[cell.folder]
        if str(job) == "cast 0, fixed masks":
            raise UserError("nobody is seen")
        job.folder.mkdir(parents=True)
        (job.folder / em_runs.LEARNED).touch()
        for step in (0, 50):
            noted(job.curve, step, {"luna": 0.5, "all": 0.5})

    monkeypatch.setattr(em_runs, "made", here)
    monkeypatch.setattr(em_runs, "looked_at", looked_at)
    monkeypatch.setattr(em_masks, "settled", lambda terms, out: terms)
    few = ["--casts", "2", "--set", "steps=50", "weights=none", "--base", terms.base]
    monkeypatch.setattr(sys, "argv", ["em_masks", str(tmp_path), *few])
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
    monkeypatch.setattr(em_runs, "true_mask", lambda folder, photo, name: np.ones((4, 4), bool))
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
