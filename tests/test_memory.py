"""What takes less memory, and changes nothing or says so."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from test_methods import quick
from test_run import assert_equal, learned, left_at
from torch.utils import checkpoint

from groupshot.base import Base
from groupshot.checkpoint import Checkpoint, Place, at_home, save
from groupshot.errors import UserError
from groupshot.optimisers import OPTIMISERS
from groupshot.recipes import Full
from groupshot.run import Run
from groupshot.weights import Part

pytestmark = pytest.mark.usefixtures("middle")


@pytest.mark.parametrize("name", ["concept-driven", "custom-diffusion"])
def test_what_is_computed_again_is_what_would_have_been_kept(
    paired_base, two_cats, tmp_path, name, monkeypatch
):
    """Bit for bit, also where attention is recorded and where hooks change it."""
    again = Base.load(paired_base.source, device="cpu", recompute=True)
    again.precision = "fp32"
    asked: list[bool] = []
    real = checkpoint.checkpoint
    monkeypatch.setattr(
        checkpoint, "checkpoint", lambda *a, **k: asked.append(True) or real(*a, **k)
    )
    for base in (paired_base, again):
        asked.clear()
        run = Run(
            two_cats, base=base, method=quick(name, priors=0), out=tmp_path / str(base is again)
        )
        list(run)
        assert bool(asked) == (base is again)
    assert_equal(learned(tmp_path / "False"), learned(tmp_path / "True"))


def test_large_pictures_pass_through_the_vae_one_at_a_time(base, monkeypatch):
    assert not base.pipe.vae.use_slicing
    monkeypatch.setattr("groupshot.base.memory.TOGETHER", 8)
    assert Base.load(base.source, device="cpu").pipe.vae.use_slicing


class Eight(torch.optim.SGD):
    """As bitsandbytes' keeps its state: a count in whole numbers, moments in bytes."""

    def __init__(self, weights: Any) -> None:
        super().__init__(weights, lr=0.1)

    def step(self, closure: Any = None) -> None:
        for weight in (w for group in self.param_groups for w in group["params"]):
            state = self.state[weight]
            before = state.get("state1", torch.zeros(weight.shape, dtype=torch.uint8))
            state["state1"] = (before.int() + 1).to(torch.uint8)
            state["step"] = state.get("step", 0) + 1
            assert type(state["step"]) is int
            weight.data -= 1e-3 * weight.grad * (1 + state["state1"].float() + state["step"])


@pytest.fixture
def eight(monkeypatch):
    """A library that is not really there."""
    library = ModuleType("bitsandbytes.optim")
    library.AdamW8bit = Eight  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bitsandbytes", ModuleType("bitsandbytes"))
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", library)


@pytest.mark.usefixtures("eight")
def test_eight_bits_are_learned_with_on_a_gpu():
    assert OPTIMISERS["adamw8bit"](torch.device("cuda")) is Eight
    with pytest.raises(UserError, match="needs a GPU"):
        OPTIMISERS["adamw8bit"](torch.device("cpu"))


def test_without_the_library_one_is_told_how_to_come_by_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(UserError, match=r"pip install 'groupshot\[8bit\]'"):
        OPTIMISERS["adamw8bit"](torch.device("cuda"))


@pytest.fixture
def in_eight(base, monkeypatch):
    """The base, learned on with eight bits as if there were a GPU."""
    monkeypatch.setattr("groupshot.run.OPTIMISERS", {"adamw8bit": lambda device: Eight})
    monkeypatch.setattr(base, "optimiser", "adamw8bit")
    return base


def test_it_goes_on_exactly_in_eight_bits(in_eight, two_cats, tmp_path):
    def run(out: str, resume: bool = False) -> Run:
        method = quick("dreambooth", steps=4)
        return Run(two_cats, base=in_eight, method=method, out=tmp_path / out, resume=resume)

    list(run("whole"))
    left_at(run("parted"), 2)
    list(run("parted", resume=True))
    assert_equal(learned(tmp_path / "whole"), learned(tmp_path / "parted"))
    assert run("whole", resume=True).record["optimiser"] == "adamw8bit"


def test_a_run_goes_on_with_what_it_was_begun_with(in_eight, two_cats, tmp_path, monkeypatch):
    left_at(Run(two_cats, base=in_eight, method=quick("dreambooth"), out=tmp_path / "run"), 1)
    monkeypatch.undo()
    with pytest.raises(UserError, match="begun with optimiser adamw8bit, not adamw"):
        Run(two_cats, base=in_eight, method=quick("dreambooth"), out=tmp_path / "run", resume=True)


def test_counts_come_back_as_they_were():
    weight = torch.zeros(1)
    assert type(at_home(torch.tensor(3), weight)) is int
    assert isinstance(at_home(torch.tensor(3.0), weight), torch.Tensor)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_moments_lie_in_memory_as_their_weight_does(tmp_path, layout):
    """Also after a checkpoint, which is written in one order; blocks of them have no layout."""
    weight = torch.rand(8, 4, 3, 3).to(memory_format=layout).requires_grad_()
    part = Part(name="unet", recipe=Full(net="unet", modules=("w",)), tensors={"w": weight})
    eight = Eight([weight])
    weight.grad = torch.ones_like(weight)
    eight.step()
    moment = torch.randint(256, weight.shape, dtype=torch.uint8).to(memory_format=layout)
    eight.state[weight] |= {"state1": moment, "absmax1": torch.rand(2)}
    save(tmp_path / "checkpoint", Place(stage="joint", step=1), {part: eight})
    again = Eight([weight])
    Checkpoint.load(tmp_path / "checkpoint").resumed(part, again)
    assert again.state[weight]["state1"].stride() == weight.stride()
    assert torch.equal(again.state[weight]["state1"], moment)
    assert torch.equal(again.state[weight]["absmax1"], eight.state[weight]["absmax1"])
