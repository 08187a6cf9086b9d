"""The first E-step on casts from seeds: as the method looks."""

import sys
from dataclasses import replace

import pytest
import torch
from conftest import loaded

from groupshot.base import Base
from groupshot.benchmarks import em_start
from groupshot.benchmarks.em_start import WAYS, Found, measure
from groupshot.crf import POTENTIALS
from groupshot.methods import ConceptDrivenEM
from groupshot.presets import fitted
from groupshot.toybox.troupes import entangled


def begun(base: Base, **fields) -> Found:
    """What is found in one photo of a cast of two of one class."""
    found = Found()
    method = ConceptDrivenEM(timesteps=1, resolutions=(4,), **fields)
    measure(base, method, entangled(1), 1, 1, found)
    return found


@pytest.fixture
def begun_only(monkeypatch):
    """No way is tried on what is seen first."""
    monkeypatch.setattr(em_start, "WAYS", ())
    monkeypatch.setattr(em_start, "POTENTIALS", {})


def test_every_way_is_tried_on_everyone(world_base_folder):
    found = begun(loaded(world_base_folder))
    assert set(found.overlaps) == set(WAYS) and len(found.seconds) == 1
    assert list(found.potentials) == list(POTENTIALS)
    for shares in (*found.overlaps.values(), *found.potentials.values()):
        assert len(shares) == 2


def test_hints_are_taken_as_the_method_takes_them(begun_only, world_base_folder, monkeypatch):
    said = []

    def sided(maps, scene):
        said.append(set(scene.where))
        return maps

    monkeypatch.setattr(em_start, "sided", sided)
    for hints in (True, False):
        begun(loaded(world_base_folder), hints=hints)
    assert said == [{"luna", "milo"}, set()]


def test_words_learn_whole_photos_before_masks_are_first_asked_for(
    begun_only, world_base_folder, monkeypatch
):
    read, looked = [], em_start.averaged

    def averaged(base, *rest):
        read.append(base.text(["a photo of <luna>"]))
        return looked(base, *rest)

    monkeypatch.setattr(em_start, "averaged", averaged)
    for steps in (0, 0, 2):
        begun(loaded(world_base_folder), warm_up=steps, batch=1)
    asleep, again, warm = read
    assert torch.equal(asleep, again) and not torch.allclose(asleep, warm, atol=1e-4)


def test_fields_are_those_of_the_base_or_those_that_are_set(second_base, monkeypatch, capsys):
    used = []

    def measured(base, method, troupe, seed, most, found):
        used.append(method)
        found.seconds.append(1.0)
        found.overlaps.update({way: [0.5] for way in WAYS})
        found.potentials.update({"deeplab": [0.5], "dss": [0.4]})

    monkeypatch.setattr(em_start, "measure", measured)
    monkeypatch.setattr(em_start, "faster", lambda base: "fp32")
    for said in ([], ["--set", "potentials=dss", "rule=li"]):
        asked = ["em_start", "--casts", "1", "--base", second_base.source, *said]
        monkeypatch.setattr(sys, "argv", asked)
        em_start.main()
    assert used[0] == fitted(ConceptDrivenEM, second_base)
    assert used[1] == replace(used[0], potentials="dss", rule="li")
    table = capsys.readouterr().out
    assert "CRF of li, balanced, with the parameters of\ndeeplab      0.500\ndss" in table
