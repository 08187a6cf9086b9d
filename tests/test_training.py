"""Training the toybox's base: every stage steps, resumes exactly, and what comes out draws."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
    StableDiffusionPipeline,
)
from safetensors.torch import load_file

from groupshot.toybox.training import checking, matching, parts, timing
from groupshot.toybox.training.assemble import CARD, assemble
from groupshot.toybox.training.autoencoder import standardise
from groupshot.toybox.training.denoiser import CLEARER, OFTEN, fresh_unet, timesteps
from groupshot.toybox.training.loop import Budget, run
from groupshot.toybox.training.recipe import TINY
from groupshot.toybox.training.tokens import LENGTH, built
from groupshot.toybox.training.workshop import Workshop, prepare, taken_up
from groupshot.toybox.world import WORDS

STAGES = ("text", "vae", "clip", "unet", "reading")
SECONDS = ("seconds.picture", "seconds.step")


def train(shop: Workshop, name: str, steps: int) -> Path:
    """Some steps of a stage; the checkpoint that they leave."""
    run(taken_up(shop, name), shop.folder, Budget(seconds=600, steps=steps))
    return shop.folder / name / "state.safetensors"


def opened(folder: Path) -> Workshop:
    """A workshop for tiny networks."""
    shop = Workshop(folder=folder, recipe=TINY, device=torch.device("cpu"))
    prepare(shop, None)
    return shop


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two steps of every stage."""
    shop = opened(tmp_path_factory.mktemp("whole"))
    for name in STAGES:
        train(shop, name, 2)
    return shop


def test_every_word_is_one_token() -> None:
    tokenizer = built()
    assert [word for word in WORDS if len(tokenizer.tokenize(word)) != 1] == []
    assert tokenizer("a red cat").input_ids[0] == tokenizer.bos_token_id
    assert tokenizer.model_max_length == LENGTH


def test_two_steps_and_two_more_are_four(trained: Workshop, tmp_path: Path) -> None:
    shop = opened(tmp_path)
    for name in STAGES:
        train(shop, name, 1)
        there = load_file(train(shop, name, 1))
        for key, tensor in load_file(trained.folder / name / "state.safetensors").items():
            torch.testing.assert_close(there[key], tensor, msg=f"{name}: {key}")


def test_the_ground_under_the_unet_stays(trained: Workshop) -> None:
    with pytest.raises(SystemExit, match="--stage decoder"):
        taken_up(trained, "vae")


def test_later_stages_leave_latents_and_texts_alone(trained: Workshop, tmp_path: Path) -> None:
    vae, text = parts.vae_in(trained.parts), parts.text_in(trained.parts)
    before = parts.weights_of(*parts.encoding(vae)), parts.weights_of(text)
    for name in ("decoder", "vision"):
        train(trained, name, 1)
    vae, text = parts.vae_in(trained.parts), parts.text_in(trained.parts)
    assert before == (parts.weights_of(*parts.encoding(vae)), parts.weights_of(text))


def test_reading_changes_the_text_encoder_and_its_ways_into_the_unet(
    trained: Workshop, tmp_path: Path
) -> None:
    shop = replace(trained, folder=tmp_path / "reading")
    shutil.copytree(trained.parts, shop.parts)
    text, unet = parts.text_in(shop.parts), parts.unet_in(shop.parts)
    train(shop, "reading", 2)
    assert all(changed(text, parts.text_in(shop.parts)).values())
    ways = {k for k in unet.state_dict() if k.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))}
    assert ways
    after = changed(unet, parts.unet_in(shop.parts))
    assert {name for name, moved in after.items() if moved} == ways
    with pytest.raises(SystemExit, match="--stage reading"):
        taken_up(shop, "unet")


def changed(before: torch.nn.Module, after: torch.nn.Module) -> dict[str, bool]:
    """Whether each weight is another one now."""
    now = after.state_dict()
    return {name: not torch.equal(old, now[name]) for name, old in before.state_dict().items()}


def test_standardised_latents_decode_to_the_same_picture(trained: Workshop) -> None:
    vae = parts.vae_in(trained.parts)
    images = torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        before = parts.decoded(vae, parts.latents_of(vae, images).mode())
        standardise(vae, images)
        latents = parts.latents_of(vae, images).mode()
        torch.testing.assert_close(parts.decoded(vae, latents), before, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(6), rtol=1e-3, atol=1e-3)


def test_a_card_is_measured_of_the_base_that_it_lies_in(
    trained: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "TRIES", 1)
    monkeypatch.setattr(timing, "PICTURES", 1)
    monkeypatch.setattr(matching, "AMONG", 8)
    folder = tmp_path / "base"
    assemble(trained, folder)
    checking.measure(folder, 3)
    card = json.loads((folder / checking.CARD).read_text())
    assert card["prompts"] == 3
    assert (card["steps"], card["guidance"]) == (CARD["steps"], CARD["guidance"])
    beside = {"prompts", "steps", "guidance", "clip.r1", "clip.sides", "clip.colours", *SECONDS}
    assert card.keys() - beside <= {*checking.KEYS}
    assert all(card[key] > 0 for key in SECONDS)
    assemble(trained, folder)
    assert not (folder / checking.CARD).exists(), "the card outlived the weights that it tells of"


def test_a_sharded_unet_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    unet = fresh_unet(TINY)
    unet.save_pretrained(tmp_path / parts.UNET, max_shard_size="100KB")
    with torch.no_grad():
        next(unet.conv_out.parameters()).add_(1)
    parts.save_unet(tmp_path, unet)
    torch.testing.assert_close(parts.unet_in(tmp_path).conv_out.weight, unet.conv_out.weight)


def test_the_assembled_folder_draws_without_a_warning(
    trained: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assemble(trained, tmp_path / "base")
    with caplog.at_level(logging.WARNING):
        pipe: Any = StableDiffusionPipeline.from_pretrained(tmp_path / "base")
        picture = pipe("a red cat", num_inference_steps=2).images[0]
    assert picture.size == (128, 128)
    assert caplog.text == ""
    text = pipe.text_encoder.config
    assert text.eos_token_id == pipe.tokenizer.eos_token_id != 2
    assert text.vocab_size == len(pipe.tokenizer)
    assert not list(tmp_path.glob("base.*"))


@pytest.mark.parametrize("often", [OFTEN, CLEARER])
def test_every_batch_sees_every_noise_and_so_much_of_it_little(often):
    for seed in range(20):
        times = timesteps(20, 1000, torch.Generator().manual_seed(seed), often).sort().values
        assert int((times < 1000 * CLEARER).sum()) == round(20 * often)
        assert times[0] < 80
        assert times[-1] > 850
        assert int(times.diff().max()) < 300
