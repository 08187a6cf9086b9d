"""A base whose weights lie in memory in half precision."""

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from test_methods import quick
from test_run import left_at

from groupshot.base import Base, folder
from groupshot.base.loading import pipeline
from groupshot.base.memory import HALVED, attending
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.run import Run
from groupshot.runfolder import Trained

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PROMPT = "a photo of <luna> and <rex>"


@pytest.fixture(params=HALVES)
def half(request):
    return request.param


def processors(base: Base) -> set[type]:
    return {type(each) for each in base.unet.attn_processors.values()}


def halved(base: Base, half: str) -> Base:
    return Base.load(base.source, device="cpu", precision=half)


@pytest.mark.parametrize("kind", ["base", "large_base"])
def test_it_rests_and_computes_in_it_but_for_pictures(request, kind, half):
    base = halved(request.getfixturevalue(kind), half)
    assert {net.dtype for net in (base.unet, *(e.model for e in base.encoders))} == {HALVES[half]}
    assert base.pipe.vae.dtype == torch.float32
    assert (base.stored, base.precision) == (half, half)


@pytest.mark.parametrize("kind", ["base", "large_base"])
def test_it_is_never_whole_in_memory(request, kind, half):
    pipe = pipeline(folder(request.getfixturevalue(kind).source), half)
    kinds = {name: pipe.components[name].dtype for name in HALVED if name in pipe.components}
    assert set(kinds.values()) == {HALVES[half]}
    assert pipe.vae.dtype == torch.float32


@pytest.mark.parametrize("kind", ["base", "large_base"])
def test_it_draws_about_the_same(request, kind, half):
    whole = request.getfixturevalue(kind)
    drawn = [
        base.sampled(["a cat"], [torch.Generator().manual_seed(0)])
        for base in (whole, halved(whole, half))
    ]
    torch.testing.assert_close(*drawn, rtol=0.1, atol=0.1)
    assert not torch.equal(*drawn)


def test_pictures_come_out_in_bf16_but_never_in_fp16(base):
    latents = torch.randn(1, *base.shape, generator=torch.Generator().manual_seed(0))
    whole, bf16, fp16 = (
        place.decoded(latents) for place in (base, halved(base, "bf16"), halved(base, "fp16"))
    )
    assert torch.equal(whole, fp16)
    with base.computing("bf16"):
        assert torch.equal(whole, base.decoded(latents))
    assert not torch.equal(whole, bf16)
    torch.testing.assert_close(whole, bf16, rtol=0, atol=0.05)


def test_a_cpu_writes_out_small_maps_in_bf16_alone(base):
    with base.computing("bf16"):
        assert processors(base) == {AttnProcessor}
    assert processors(base) == {AttnProcessor2_0}
    assert isinstance(attending("bf16", 64), AttnProcessor2_0)


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize(
    ("kind", "name"), [("base", "break-a-scene"), ("large_base", "dreambooth")]
)
def test_it_is_learned_on_in_full_precision(request, two_cats, tmp_path, kind, name, half):
    base = halved(request.getfixturevalue(kind), half)
    run = Run(two_cats, base=base, method=quick(name), out=tmp_path / "run")
    list(run)
    learned = load_tensors(run.out / "learned.safetensors")[0]
    assert {tensor.dtype for tensor in learned.values()} == {torch.float32}
    assert all(tensor.isfinite().all() for tensor in learned.values())
    ours, theirs = (t.generate(PROMPT, seed=1)[0] for t in (run.trained(), Trained.load(run.out)))
    assert ours.tobytes() == theirs.tobytes()


def test_small_gradients_do_not_vanish_in_fp16(base, two_cats, tmp_path):
    """What one step moves is what it moves in full precision, but for rounding."""
    moved = []
    for place in (base, halved(base, "fp16")):
        run = Run(two_cats, base=place, method=quick("dreambooth"), out=tmp_path / place.stored)
        left_at(run, 1)
        moved.append(load_tensors(run.out / "checkpoint.safetensors")[0])
    names = [name for name in moved[0] if name.endswith("lora_B.weight/exp_avg")]
    one, other = (torch.cat([each[name].flatten() for name in names]) for each in moved)
    assert torch.cosine_similarity(one, other, dim=0) > 0.99


def test_gradients_too_large_for_fp16_are_made_again_smaller(base, two_cats, tmp_path, monkeypatch):
    """With a scale that overflows at first, steps move what they move with a fitting one."""
    moved, passes = [], []
    felt = Run._felt
    monkeypatch.setattr(Run, "_felt", lambda *given: passes.append(given[-1]) or felt(*given))
    for exponent in (12, 40):
        monkeypatch.setattr(Base, "scale", 2.0**exponent)
        run = Run(
            two_cats,
            base=halved(base, "fp16"),
            method=quick("dreambooth"),
            out=tmp_path / str(exponent),
        )
        left_at(run, 2)
        moved.append(load_tensors(run.out / "checkpoint.safetensors")[0])
    assert passes.count(2.0**12) == 2
    assert passes.count(2.0**40) == 2 < passes.count(2.0**39) + passes.count(2.0**38)
    for name in (name for name in moved[0] if name.endswith("/exp_avg")):
        close = torch.cosine_similarity(*(each[name].flatten() for each in moved), dim=0)
        assert close > 0.99 or not moved[0][name].any(), name


def test_a_run_goes_on_as_it_was_begun(base, two_cats, tmp_path):
    def run(place: Base, resume: bool) -> Run:
        return Run(
            two_cats, base=place, method=quick("dreambooth"), out=tmp_path / "run", resume=resume
        )

    left_at(run(halved(base, "bf16"), False), 1)
    with pytest.raises(UserError, match="begun with weights bf16, not fp32"):
        run(base, True)
    list(run(halved(base, "bf16"), True))
