import dataclasses
from typing import Any
from unittest.mock import Mock

import pytest
from test_methods import quick

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.methods import METHODS, Clif, ConceptDrivenEM, DreamBooth
from groupshot.presets import KINDS, Count, checked, fitted, kinds, per_base
from groupshot.run import Run
from groupshot.weights import ATTENTION


def like(side: int, encoders: int = 1, lexicon: tuple[str, ...] = ()) -> Any:
    """What is looked at of a base."""
    return Mock(spec=Base, lexicon=lexicon, shape=(4, side, side), encoders=("",) * encoders)


BASES = {
    "toybox": like(32, lexicon=("cat",)),
    "sd15": like(64),
    "sd21": like(96),
    "sdxl": like(128, encoders=2),
}


def test_kinds_go_from_the_general_to_the_special():
    found = {name: list(kinds(base)) for name, base in BASES.items()}
    assert found == {"toybox": [], "sd15": ["sd"], "sd21": ["sd", "sd768"], "sdxl": ["sd", "xl"]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    steps: int = per_base(1, sd=2, xl=3)
    rate: float = per_base(0.1, sd768=0.2)
    rank: int = 16


def test_the_special_goes_before_the_general_and_what_is_said_before_both():
    assert Example() == Example(steps=1, rate=0.1, rank=16)
    found = {name: fitted(Example, base) for name, base in BASES.items()}
    assert found["toybox"] == Example()
    assert found["sd15"] == Example(steps=2)
    assert found["sd21"] == Example(steps=2, rate=0.2)
    assert found["sdxl"] == Example(steps=3)
    assert fitted(Example, BASES["sdxl"], steps=1, rank=4) == Example(rank=4)


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_presets_are_of_known_kinds_and_of_the_fields_type(name):
    for field in dataclasses.fields(METHODS[name]):  # type: ignore[arg-type]
        assert set(field.metadata) <= set(KINDS), field.name
        assert {type(each) for each in field.metadata.values()} <= {type(field.default)}


@pytest.mark.parametrize("base", [name for name in BASES if name != "toybox"])
@pytest.mark.parametrize("name", METHODS)
def test_attention_is_looked_at_where_the_base_has_some(name, base):
    """Stable Diffusion has cross-attention at 1, 2, 4 and 8 places of a latent; XL at 2 and 4."""
    there = [
        BASES[base].shape[-1] // shrink for shrink in ((2, 4) if base == "sdxl" else (1, 2, 4))
    ]
    made: Any = dataclasses.asdict(fitted(METHODS[name], BASES[base]))  # type: ignore[call-overload]
    asked = made.get("resolutions", ()) or (made.get("resolution", there[0]),)
    assert set(asked) <= set(there)


def test_published_values():
    """As papers.md has them: CLIF's scripts, Break-A-Scene's two phases, MuDI's run."""
    clif = fitted(Clif, BASES["sdxl"])
    assert (clif.contrast_rate, clif.token_rate, clif.lora_rate) == (1e-4, 2e-4, 2e-4)
    assert (clif.contrast_batch, clif.rank, clif.vectors) == (128, 16, 2)
    em = fitted(ConceptDrivenEM, BASES["sd15"])
    assert (em.steps, em.token_rate, em.weight_rate, em.batch) == (400, 5e-4, 2e-6, 1)
    mudi = fitted(DreamBooth, BASES["sdxl"])
    assert (mudi.rank, mudi.lora_rate, mudi.steps, mudi.batch, mudi.priors) == (
        32,
        1e-4,
        2010,
        1,
        50,
    )


def test_on_xl_nothing_but_a_lora_and_words_learns_unless_it_is_asked_for():
    large = {"everything", "unet", "keys-values"}
    for method in METHODS.values():
        made: Any = dataclasses.asdict(fitted(method, BASES["sdxl"]))  # type: ignore[call-overload]
        assert not large & set(map(str, made.values()))


def test_fields_of_anyone_s_own_may_be_anything_but_what_is_out_of_a_range_that_they_have():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Own:
        count: Count = 1
        later: "Nowhere" = -1  # noqa: F821 # type: ignore[name-defined]
        perhaps: Count | None = None

    assert checked(Own())
    with pytest.raises(UserError, match="count=0: count is at least 1"):
        checked(Own(count=0))


def test_a_class_stands_for_what_is_usual_on_the_base_and_it_is_recorded(
    base, two_cats, tmp_path, monkeypatch
):
    monkeypatch.setattr("groupshot.presets.kinds", lambda base: ["sd"])
    usual = Run(two_cats, base=base, method=DreamBooth, out=tmp_path / "run")
    published = DreamBooth(
        steps=1000,
        batch=2,
        vectors=2,
        token_rate=1e-3,
        lora_rate=1e-4,
        weight_rate=5e-6,
        schedule="constant",
        modules=ATTENTION,
        priors=200,
        prior_batch=1,
        prior_weight=1.0,
    )
    assert usual.method == published
    assert usual.record["fields"]["steps"] == 1000
    said = Run(two_cats, base=base, method=DreamBooth(), out=tmp_path / "run")
    assert said.record["fields"]["steps"] == DreamBooth().steps


def said(name: str) -> set[str]:
    return {field.name for field in dataclasses.fields(METHODS[name])}  # type: ignore[arg-type]


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize("name", [each for each in METHODS if "priors" in said(each)])
def test_without_priors_none_are_drawn_and_none_count(paired_base, two_cats, tmp_path, name):
    run = Run(two_cats, base=paired_base, method=quick(name, priors=0), out=tmp_path / "run")
    for step in run:
        assert step.losses.get("prior", 0.0) == 0.0


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize("name", ["break-a-scene", "concept-driven"])
def test_a_lora_may_learn_in_place_of_everything(paired_base, two_cats, tmp_path, name):
    run = Run(two_cats, base=paired_base, method=quick(name, weights="lora"), out=tmp_path / "run")
    parts = [{part.name for part in run._learners} for _ in run]
    assert parts[-1] == {"tokens", "lora"}
