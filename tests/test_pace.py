"""Our steps beside plain ones: both run, and the plain ones learn what they should."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from groupshot.base import Base
from groupshot.benchmarks import pace
from groupshot.benchmarks.meter import MIB
from groupshot.benchmarks.pace import WARM, Asked, alone, measured, rows, size
from groupshot.benchmarks.pace_table import SIDES
from groupshot.benchmarks.plain import NEW, begun
from groupshot.methods import METHODS
from groupshot.weights import ATTENTION


@pytest.fixture
def asked(world_base_folder, tmp_path):
    return Asked(
        base=str(world_base_folder),
        device="cpu",
        precision="fp32",
        recompute=False,
        method="dreambooth",
        steps=1,
        cast=Path(),
        out=tmp_path,
    )


def test_each_side_takes_turns_and_a_row_compares_them(asked):
    (row,) = rows(asked)
    assert row.stage == "joint"
    assert set(row.seconds) == set(SIDES)
    assert min(row.seconds.values()) > 0
    assert "dreambooth" in str(row)


def test_where_memory_is_counted_on_a_cpu_nothing_is_timed(asked, monkeypatch):
    monkeypatch.setattr(pace, "apart", lambda work, *of: work(*of))  # here, which is faster
    (row,) = rows(replace(asked, memory=True))
    assert not row.seconds
    assert min(row.prepared, row.peak, row.plain_peak) > 0
    assert "–" in str(row)


def test_the_memory_of_a_side_is_that_of_its_base_and_of_what_it_does(asked, monkeypatch):
    taken = alone(asked, "ours")
    assert len(taken.steps) == 1 + WARM
    weights = size(Base.load(asked.base, device="cpu"))
    assert weights > MIB / 10
    assert min(taken.prepared, taken.peak) * MIB > weights
    monkeypatch.setattr(pace, "size", lambda base: weights + 100 * MIB)
    again = alone(replace(asked, out=asked.out / "again"), "ours")
    assert again.prepared == pytest.approx(taken.prepared + 100, abs=2)


@pytest.mark.parametrize("name", METHODS)
def test_neither_side_has_priors_and_both_have_a_lora_where_there_can_be_one(base, name):
    fields = measured(name, base, 3)
    assert fields.get("priors", 0) == 0
    assert fields.get("weights", "lora") == "lora"
    assert fields.get("learns", "lora") == ("tokens" if name == "clif" else "lora")
    counts = {"steps", "token_steps", "weight_steps"} & fields.keys()
    assert {fields[each] for each in counts} == {3}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("words", [False, True])
def test_a_plain_step_moves_the_lora_and_with_words_the_newest_rows(base_folder, words, precision):
    base = Base.load(str(base_folder), device="cpu", precision=precision)
    before = copy.deepcopy(base.table.weight)
    plain = begun(base, 2, ATTENTION, 1, words)
    start = [weight.detach().clone() for weight in plain.learning]
    plain.step()
    plain.step()  # in the first the LoRA's B is zero, and its A does not move
    moved = [not torch.equal(*each) for each in zip(start, plain.learning, strict=True)]
    assert all(moved)
    assert torch.equal(base.table.weight[:-NEW], before[:-NEW])
    assert torch.equal(base.table.weight, before) != words
