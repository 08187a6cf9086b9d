"""The contract: what every method in METHODS keeps to, whatever paper it is."""

import ast
import dataclasses
import inspect
import math
import re
import sys
from functools import partial
from typing import Any

import pytest
import torch
from miniature import MINIATURES
from test_base import assert_same, copied
from test_run import assert_equal, learned, left_at

from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.methods import METHODS
from groupshot.run import Run
from groupshot.stage import SCHEDULES, Method

QUICK = {
    "vectors": 2,
    "steps": 2,
    "weight_steps": 2,
    "batch": 2,
    "crops": 1,
    "views": 1,
    "priors": 2,
    "recalled": 2,
    "resolution": 4,
    "resolutions": (4,),
    "timesteps": 3,
    "refresh": 1,
    "contrast_steps": 2,
    "token_steps": 2,
    "collages": 6,
    "contrast_batch": 4,
    "segmenter": "middle",
    "weights": "everything",
}
"""Fields for a smoke test, as far as a method has them."""

pytestmark = [pytest.mark.parametrize("name", METHODS), pytest.mark.usefixtures("middle")]


def quick(name: str, **more: object) -> Method:
    method: Any = METHODS[name]
    fields = {field.name for field in dataclasses.fields(method)}
    return method(**{k: v for k, v in {**QUICK, **more}.items() if k in fields})


@pytest.fixture
def base(paired_base):
    """A base with a CLIP pair, which some methods need."""
    return paired_base


@pytest.fixture
def run(base, two_cats, tmp_path):
    """Makes a quick run of a method into a folder."""

    def made(name, out="run", **options):
        method = options.pop("method", None) or quick(name)
        place = options.pop("base", base)
        return Run(two_cats, base=place, method=method, out=tmp_path / out, **options)

    return made


def test_its_losses_are_finite(run, name):
    steps = list(run(name))
    assert steps
    assert all(math.isfinite(loss) for step in steps for loss in step.losses.values())


@pytest.mark.parametrize("kind", MINIATURES)
def test_all_that_it_declares_learns_and_nothing_else(request, two_cats, tmp_path, name, kind):
    base = request.getfixturevalue(kind)
    before, this = copied(base), Run(two_cats, base=base, method=quick(name), out=tmp_path / "run")
    first: dict[str, torch.Tensor] = {}
    for step in this:
        assert all(map(math.isfinite, step.losses.values()))
        for part in this._learners:
            for key, tensor in part.tensors.items():
                first.setdefault(f"{part.name}/{key}", tensor.detach().clone())
        if step.number == 1:
            assert not any(t.requires_grad for t in resting(base, this))
    last = learned(this.out)
    assert last.keys() == first.keys()
    assert not any(torch.equal(tensor, first[key]) for key, tensor in last.items())
    assert_same(base, before)
    drawn = [this.trained().generate("a photo of <luna> and <rex>") for _ in "ab"]
    assert drawn[0][0].tobytes() == drawn[1][0].tobytes()


def resting(base, run):
    """The weights in the base that are not among the run's parts."""
    learning = {id(t) for part in run._learners for t in part.tensors.values()}
    for net in base.models.values():
        yield from (weight for weight in net.parameters() if id(weight) not in learning)


def test_its_rates_go_as_its_schedule_says(run, name):
    if not hasattr(METHODS[name], "schedule"):
        pytest.skip("its rates are constant")
    ends = []
    for kind in SCHEDULES:
        this = run(name, out=kind, method=quick(name, schedule=kind))
        list(this)
        ends.append(learned(this.out))
    assert any(not torch.equal(tensor, ends[1][key]) for key, tensor in ends[0].items())


@pytest.mark.parametrize("ending", ["end", "break", "exception"])
def test_the_base_is_bit_for_bit_as_before(run, base, name, ending):
    before = copied(base)
    if ending == "end":
        list(run(name))
    elif ending == "break":
        left_at(run(name), 1)
    else:
        with pytest.raises(ZeroDivisionError):
            for _ in run(name):
                _ = 1 / 0
    assert_same(base, before)
    assert base.words == {}


def test_saved_and_loaded_it_draws_the_same_picture(run, name):
    this = run(name)
    list(this)
    prompt = "a photo of <luna> and <rex>"
    with this.trained().learned.applied_to(this.base) as base:
        again = base.pictures(base.sampled([prompt], [torch.Generator().manual_seed(7)]))
    assert this.generate(prompt, seed=7)[0].tobytes() == again[0].tobytes()


def test_the_same_seed_gives_the_same_losses(run, name):
    one, same, other = (
        [step.losses for step in run(name, out, seed=seed)]
        for out, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("kind", ["paired_base", "second_base", "large_base"])
def test_interrupted_it_ends_where_it_would_have(request, run, name, kind):
    run = partial(run, base=request.getfixturevalue(kind))
    whole, parted = run(name, "whole"), run(name, "parted")
    list(whole)
    left_at(parted, 1)
    list(run(name, "parted", resume=True))
    assert_equal(learned(whole.out), learned(parted.out))


def test_what_it_leaves_is_safetensors(run, name):
    this = run(name)
    list(this)
    for file in this.out.rglob("*.*"):
        assert file.suffix in {".safetensors", ".json"}
        if file.suffix == ".safetensors":
            load_tensors(file)


def test_it_is_a_frozen_record_of_fields_with_defaults_and_meanings(name):
    method = METHODS[name]
    assert dataclasses.is_dataclass(method)
    assert method.name == name
    assert isinstance(method(), Method)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(method(), dataclasses.fields(method)[0].name, 0)
    for field in dataclasses.fields(method):
        assert field.kw_only
        assert field.default is not dataclasses.MISSING
        assert field.name in explained(method), f"{field.name} has no docstring"


def explained(method: type) -> set[str]:
    """The fields that have a docstring below them."""
    (body,) = (
        node.body
        for node in ast.walk(ast.parse(inspect.getsource(method)))
        if isinstance(node, ast.ClassDef)
    )
    return {
        node.target.id
        for node, below in zip(body, body[1:], strict=False)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


def test_its_module_is_its_card(name):
    card = sys.modules[METHODS[name].__module__].__doc__ or ""
    assert re.search(r"arXiv \d{4}\.\d{5}", card)
    assert "differ" in card


def test_a_concept_without_a_class_word_is_learned_or_refused_in_a_sentence(
    base, two_cats, tmp_path, name
):
    nameless = [dataclasses.replace(c, noun=None) for c in two_cats.concepts]
    cast = dataclasses.replace(two_cats, concepts=tuple(nameless))
    try:
        list(Run(cast, base=base, method=quick(name), out=tmp_path / "run"))
    except UserError as mistake:
        assert "class: cat" in str(mistake)
        assert not (tmp_path / "run").exists()
