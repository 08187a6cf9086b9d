import copy
import json
import shutil
import time
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from miniature import MINIATURES
from transformers import CLIPTokenizer

from groupshot.base import Base, faster
from groupshot.basefolder import TOYBOX, Card
from groupshot.errors import UserError
from groupshot.weights import ATTENTION, lora, tokens

ALONE: dict[str, Any] = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
PROMPTS = ["a photo of a cat", "", "the dog's hat, with a zebra;  and  more"]


@pytest.fixture
def broken(base_folder, tmp_path):
    """A copy of the base, to be spoilt."""
    return shutil.copytree(base_folder, tmp_path / "broken")


def state(base):
    """Every tensor of every network, and the networks' outlines."""
    return {name: (repr(net), net.state_dict()) for name, net in base.models.items()}


def copied(base):
    return {
        name: (outline, {k: t.clone() for k, t in tensors.items()})
        for name, (outline, tensors) in state(base).items()
    }


def assert_same(base, before):
    for name, (outline, tensors) in state(base).items():
        assert outline == before[name][0]
        assert tensors.keys() == before[name][1].keys()
        assert all(torch.equal(t, before[name][1][k]) for k, t in tensors.items())


@pytest.fixture(params=MINIATURES)
def any_base(request):
    """Every kind of base that there is."""
    return request.getfixturevalue(request.param)


def test_the_base_that_ships_is_small_and_knows_its_own_end():
    sizes = [file.stat().st_size for file in TOYBOX.rglob("*") if file.is_file()]
    assert sum(sizes) <= 40 * 2**20
    assert max(sizes) <= 15 * 2**20
    tokenizer = CLIPTokenizer.from_pretrained(TOYBOX / "tokenizer")
    text = json.loads((TOYBOX / "text_encoder" / "config.json").read_text())
    assert (text["eos_token_id"], text["vocab_size"]) == (tokenizer.eos_token_id, len(tokenizer))
    assert text["max_position_embeddings"] == 77
    for part in ("text_encoder", "image_encoder"):
        assert json.loads((TOYBOX / part / "config.json").read_text())["dtype"] == "float32"


def test_plain_prompts_have_the_tokenizer_s_own_numbers(any_base):
    for encoder in any_base.encoders:
        theirs = encoder.tokenizer(PROMPTS, padding="max_length", return_tensors="pt").input_ids
        numbers = [encoder.numbers(prompt) for prompt in PROMPTS]
        torch.testing.assert_close(encoder.ids(numbers), theirs)


def test_plain_prompts_read_as_in_the_pipeline(any_base):
    words, _, *summary = any_base.pipe.encode_prompt(PROMPTS, device="cpu", **ALONE)
    told = any_base.reader.told(any_base.text(PROMPTS), any_base.size)
    torch.testing.assert_close(told["encoder_hidden_states"], words)
    if summary:
        torch.testing.assert_close(told["added_cond_kwargs"]["text_embeds"], summary[0])


def test_a_large_base_is_told_of_whole_pictures_of_its_size(large_base):
    told = large_base.reader.told(large_base.text(["a cat", "a dog"]), large_base.size)
    theirs = large_base.pipe._get_add_time_ids((16, 16), (0, 0), (16, 16), torch.float32, 24)
    torch.testing.assert_close(told["added_cond_kwargs"]["time_ids"], theirs.expand(2, -1))


def test_a_large_base_sums_up_at_the_end_of_text_also_behind_new_words(large_base):
    prompt = "a photo of <luna> with a hat"
    with large_base.borrowed():
        rows = tokens(large_base, {"luna": "cat"}, 2, torch.Generator().manual_seed(0)).tensors
        ours = large_base.reader.told(large_base.text([prompt]), 16)
        tables = [t.detach() for t in rows["luna"].split(large_base.widths, dim=1)]
    pipe = copy.deepcopy(large_base.pipe)
    for i, table in enumerate(tables):
        tokenizer, encoder = pipe.tokenizer, pipe.text_encoder
        if i == 1:
            tokenizer, encoder = pipe.tokenizer_2, pipe.text_encoder_2
        pipe.load_textual_inversion(
            table, token="<luna>", tokenizer=tokenizer, text_encoder=encoder
        )
    misled = pipe.encode_prompt(prompt, device="cpu", **ALONE)[2]
    pipe.text_encoder_2.text_model.eos_token_id = pipe.tokenizer_2.eos_token_id
    words, _, summary, _ = pipe.encode_prompt(prompt, device="cpu", **ALONE)
    torch.testing.assert_close(ours["encoder_hidden_states"], words)
    torch.testing.assert_close(ours["added_cond_kwargs"]["text_embeds"], summary)
    assert not torch.allclose(misled, summary), "what is published pools at the new word"


def test_an_unknown_concept_is_refused_and_the_known_ones_named(base):
    with pytest.raises(UserError, match="<Luna> is not a concept here; known: none"):
        base.text(["a photo of <Luna>"])


def test_a_prompt_that_does_not_fit_is_refused(base):
    with pytest.raises(UserError, match="shorten"):
        base.text(["a cat " * 50])


def test_the_noise_is_what_a_perfect_denoiser_would_say(base, velocity_base):
    x, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    t = torch.tensor([10, 900])
    torch.testing.assert_close(base.target(x, noise, t), noise)
    scheduler: Any = DDIMScheduler.from_config(velocity_base.pipe.scheduler.config)
    a = scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    velocity = a.sqrt() * noise - (1 - a).sqrt() * x
    torch.testing.assert_close(velocity_base.target(x, noise, t), velocity)
    noisy = velocity_base.schedule.add_noise(x, noise, t)
    torch.testing.assert_close(noisy, scheduler.add_noise(x, noise, t))


def test_the_noisiest_step_has_no_signal(velocity_base):
    x, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    noisy = velocity_base.schedule.add_noise(x, noise, torch.tensor([999]))
    torch.testing.assert_close(noisy, noise, atol=1e-3, rtol=0)


SAMPLERS = [
    (DDIMScheduler, {}),
    (DDPMScheduler, {}),
    (EulerAncestralDiscreteScheduler, {}),
    (PNDMScheduler, {"skip_prk_steps": True}),
    (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
]


@pytest.mark.parametrize(("sampler", "options"), SAMPLERS)
def test_drawing_is_the_pipeline_s(any_base, monkeypatch, sampler, options):
    base = any_base
    config = base.pipe.scheduler.config
    monkeypatch.setattr(base.pipe, "scheduler", sampler.from_config(config, **options))
    monkeypatch.setattr(base, "card", Card(guidance_rescale=0.7))
    ours = base.sampled(["a cat", "a dog"], generators(3, 4), steps=3, guidance=4.0)
    base.pipe.set_progress_bar_config(disable=True)
    theirs = base.pipe(
        ["a cat", "a dog"],
        generator=generators(3, 4),
        num_inference_steps=3,
        guidance_scale=4.0,
        guidance_rescale=0.7,
        output_type="latent",
    ).images
    torch.testing.assert_close(ours, theirs)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_pictures_are_the_pipeline_s(base):
    latents = torch.randn(2, 4, 8, 8)
    theirs = base.pipe.image_processor.postprocess(base.decoded(latents))
    assert [p.tobytes() for p in base.pictures(latents)] == [p.tobytes() for p in theirs]


def test_latents_come_back_as_pictures_of_the_same_size(any_base):
    base = any_base
    images = torch.rand(2, 3, base.size, base.size) * 2 - 1
    latents = base.encoded(images)
    assert latents.shape == (2, 4, 8, 8)
    assert base.decoded(latents).shape == images.shape


def test_what_is_attached_comes_off(base):
    before = copied(base)
    chance = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), base.borrowed():
        g = torch.Generator().manual_seed(0)
        part = tokens(base, {"luna": "cat"}, 2, g)
        adapter = lora(base, 2, ATTENTION, g)
        with torch.no_grad():
            for tensor in (*part.tensors.values(), *adapter.tensors.values()):
                tensor.add_(1.0)
        base.text(["a photo of <luna>"])
        _ = 1 / 0
    assert_same(base, before)
    assert base.words == {}
    torch.testing.assert_close(torch.random.get_rng_state(), chance)


def test_a_base_is_lent_once_and_changed_only_while_lent(base):
    with base.borrowed(), pytest.raises(RuntimeError, match="borrowed already"), base.borrowed():
        pass
    with pytest.raises(RuntimeError, match="borrowed"):
        tokens(base, {"luna": "cat"}, 1, torch.Generator())


@pytest.mark.parametrize(
    "missing",
    [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_folder_with_a_file_missing_is_refused_and_the_place_named(broken, missing):
    (broken / missing).unlink()
    with pytest.raises(UserError, match=missing.split("/")[0]):
        Base.load(str(broken))


def test_a_pickle_is_no_substitute(broken):
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UserError, match="safetensors"):
        Base.load(str(broken))


def test_damaged_weights_are_one_sentence(broken):
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="does not load") as mistake:
        Base.load(str(broken))
    assert "\n" not in str(mistake.value)


def test_code_that_comes_with_a_model_is_never_run(broken):
    index = json.loads((broken / "model_index.json").read_text())
    index["unet"] = ["evil", "Evil"]
    (broken / "model_index.json").write_text(json.dumps(index))
    (broken / "unet" / "evil.py").write_text("raise SystemExit('run!')")
    with pytest.raises(UserError, match="wants code of its own"):
        Base.load(str(broken))


def test_another_pipeline_is_refused(broken):
    index = json.loads((broken / "model_index.json").read_text())
    index["_class_name"] = "FluxPipeline"
    (broken / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="FluxPipeline"):
        Base.load(str(broken))


@pytest.mark.parametrize("source", ["no-such-thing", "./nowhere", "/nowhere/at/all", ""])
def test_a_name_that_is_nothing_is_refused(source):
    with pytest.raises(UserError, match="There is no base"):
        Base.load(source)


def test_what_the_hub_does_not_give_is_one_sentence(monkeypatch):
    def refused(*_, **__):
        raise OSError("nobody/nothing is not a repository\nand many more lines")

    monkeypatch.setattr("groupshot.base.loading.DiffusionPipeline.download", refused)
    with pytest.raises(UserError, match="nobody/nothing is no folder, and the hub") as mistake:
        Base.load("nobody/nothing")
    assert "\n" not in str(mistake.value)


def test_a_card_says_how_to_sample(base, broken):
    assert (base.card.steps, base.card.guidance) == (2, 3.0)
    (broken / "groupshot.json").unlink()
    card = Base.load(str(broken)).card
    assert (card.steps, card.guidance) == (30, 7.5)


def test_the_faster_precision_is_one_of_two_and_changes_nothing(base):
    assert faster(base) in ("fp32", "bf16")
    assert base.precision == "fp32"


def test_a_pass_that_was_held_up_does_not_decide_what_is_faster(base, monkeypatch):
    lasting = {"bf16": [0.0, 0.1, 0.0], "fp32": []}

    def predicted(noisy, times, text):
        left = lasting[base.precision]
        time.sleep(left.pop(0) if left else {"bf16": 0.0, "fp32": 0.02}[base.precision])
        return noisy

    monkeypatch.setattr(base, "predicted", predicted)
    assert faster(base) == "bf16"
