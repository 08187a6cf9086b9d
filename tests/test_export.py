import copy
import dataclasses
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from miniature import MINIATURES
from PIL import Image
from safetensors.torch import load_file
from test_methods import QUICK

from groupshot.base import Base
from groupshot.errors import UserError
from groupshot.export import FORMATS, exported
from groupshot.export.factors import factors
from groupshot.learned import Learned
from groupshot.methods import METHODS
from groupshot.presets import fitted
from groupshot.run import train
from groupshot.runfolder import Trained
from groupshot.weights import (
    ATTENTION,
    EVERYWHERE,
    TEXT_ATTENTION,
    Part,
    keys_values,
    lora,
    text_encoder,
    text_lora,
    text_matrices,
    tokens,
    unet,
)

PROMPT = "a photo of <luna> and <rex>"


@pytest.fixture(params=MINIATURES)
def any_base(request) -> Base:
    return request.getfixturevalue(request.param)


def moved(parts: list[Part]) -> Learned:
    """What was learned if every weight had moved at random."""
    g = torch.Generator().manual_seed(0)
    for part in parts:
        for tensor in part.tensors.values():
            tensor.data.add_(torch.randn(tensor.shape, generator=g) * 0.2)
    return Learned.of(parts)


def trained(base: Base, folder: Path, *kinds: Any) -> Trained:
    """A finished run that has learned two concepts, and with them all `kinds` of weights."""
    g = torch.Generator().manual_seed(0)
    with base.borrowed():
        learned = moved(
            [tokens(base, {"luna": "cat", "rex": "dog"}, 2, g), *(k(base) for k in kinds)]
        )
    record = {"method": "mine", "fields": {"steps": 2}, "seed": 0, "precision": "fp32"}
    return Trained(folder=folder / "cats", record=record, base=base, learned=learned)


def unet_lora(base: Base) -> Part:
    return lora(base, 2, ATTENTION, torch.Generator())


def everywhere_lora(base: Base) -> Part:
    return lora(base, 2, EVERYWHERE, torch.Generator())


def reading_lora(base: Base) -> Part:
    return text_lora(base, 3, TEXT_ATTENTION, torch.Generator())


def assert_alike(one: Image.Image, other: Image.Image) -> None:
    """The same picture, but for rounding."""
    np.testing.assert_allclose(np.asarray(one, int), np.asarray(other, int), atol=1)


def script(folder: Path, base: Base) -> str:
    """The model card's Python, word for word but for the place of the base."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return code.replace(f'"{Path(base.source).name}"', f'"{base.source}"')


@pytest.mark.parametrize(
    ("form", "kinds"),
    [
        ("diffusers", (unet_lora, keys_values, reading_lora)),
        ("diffusers", (everywhere_lora, text_matrices)),
        ("pipeline", (unet_lora, keys_values, reading_lora)),
    ],
)
def test_the_card_s_script_draws_the_same_picture(any_base, tmp_path, monkeypatch, form, kinds):
    run = trained(any_base, tmp_path, *kinds)
    exported(run, form, tmp_path)
    ours = run.generate(PROMPT, seed=0)[0]
    monkeypatch.chdir(tmp_path)
    exec(script(tmp_path, any_base), {})  # noqa: S102
    assert_alike(Image.open(tmp_path / "picture.png"), ours)
    assert_alike(Image.open(tmp_path / "examples" / "2.png"), ours)
    plain = any_base.pictures(any_base.sampled(["a photo of a cat"], [torch.Generator()]))[0]
    assert np.abs(np.asarray(plain, int) - np.asarray(ours, int)).max() > 10


def test_the_script_needs_no_groupshot(base, tmp_path):
    run = trained(base, tmp_path, unet_lora)
    exported(run, "diffusers", tmp_path)
    code = script(tmp_path, base) + "import sys; assert 'groupshot' not in sys.modules"
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)
    assert_alike(Image.open(tmp_path / "picture.png"), run.generate(PROMPT, seed=0)[0])


@pytest.mark.parametrize("reads", [reading_lora, text_matrices])
def test_kohya_s_names_are_read_by_diffusers_own_converter(any_base, tmp_path, reads):
    assert_converted(trained(any_base, tmp_path, unet_lora, keys_values, reads), tmp_path)


def test_so_are_those_of_convolutions(base, tmp_path):
    run = trained(base, tmp_path, everywhere_lora)
    assert any("conv1" in name for name in factors(run))
    assert_converted(run, tmp_path)


def assert_converted(run: Trained, folder: Path) -> None:
    """What kohya's file changes in a plain pipeline is what the run has changed."""
    FORMATS["kohya"](run, folder)
    pipe = copy.deepcopy(run.base.pipe)
    pipe.load_lora_weights(folder, weight_name=f"{run.folder.name}.safetensors")
    for layer, own in factors(run).items():
        net, _, name = layer.partition(".")
        module = getattr(pipe, net).get_submodule(shortened(getattr(pipe, net), name))
        change = own.up.flatten(1) @ own.down.flatten(1)
        torch.testing.assert_close(module.get_delta_weight("default_0").flatten(1), change)


def shortened(net: Any, name: str) -> str:
    """Where a layer stands: transformers 5 has dropped `text_model` for one of the two encoders."""
    return name if hasattr(net, "text_model") else name.removeprefix("text_model.")


def test_kohya_s_names_are_those_of_sd_scripts(base, large_base, tmp_path):
    """As its documentation and published LoRAs have them."""
    FORMATS["kohya"](trained(base, tmp_path, unet_lora, reading_lora), tmp_path / "small")
    FORMATS["kohya"](trained(large_base, tmp_path, unet_lora, reading_lora), tmp_path / "large")
    small = load_file(tmp_path / "small" / "cats.safetensors").keys()
    large = load_file(tmp_path / "large" / "cats.safetensors").keys()
    place = "transformer_blocks_0_attn2_to_k"
    assert f"lora_unet_down_blocks_1_attentions_0_{place}.lora_down.weight" in small
    assert f"lora_unet_mid_block_attentions_0_{place}.lora_up.weight" in small
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha" in small
    assert f"lora_unet_input_blocks_3_1_{place}.lora_down.weight" in large
    assert f"lora_unet_middle_block_1_{place}.lora_up.weight" in large
    assert f"lora_unet_output_blocks_1_1_{place}.lora_up.weight" in large
    for encoder in ("te1", "te2"):
        assert f"lora_{encoder}_text_model_encoder_layers_0_self_attn_q_proj.alpha" in large


def test_words_are_what_comfyui_and_a1111_read(base, large_base, tmp_path):
    for place, widths in ((base, {"emb_params": 16}), (large_base, {"clip_l": 16, "clip_g": 24})):
        FORMATS["comfyui"](trained(place, tmp_path), tmp_path)
        for name in ("luna", "rex"):
            rows = load_file(tmp_path / "embeddings" / f"{name}.safetensors")
            assert {key: tuple(t.shape) for key, t in rows.items()} == {
                key: (2, width) for key, width in widths.items()
            }
    assert not (tmp_path / "cats.safetensors").exists()


def test_prompts_are_said_as_comfyui_and_a1111_want_them(base, tmp_path):
    said = exported(trained(base, tmp_path, unet_lora), "comfyui", tmp_path)
    assert "`a photo of embedding:luna and embedding:rex`" in said
    assert "`a photo of luna and rex <lora:cats:1>`" in said
    said = exported(trained(base, tmp_path), "comfyui", tmp_path / "words")
    assert "lora" not in said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("base", ""),
        ("second_base", " --v2 --v_parameterization"),
        ("noise_second_base", " --v2"),
        ("large_base", " --sdxl"),
    ],
)
def test_sd_scripts_are_told_what_kind_of_base_it_is(request, tmp_path, kind, said):
    run = trained(request.getfixturevalue(kind), tmp_path, unet_lora)
    assert f"gen_img.py --ckpt BASE{said} \\" in exported(run, "kohya", tmp_path / "out")


def test_what_lay_in_half_precision_is_loaded_so(base, tmp_path):
    run = trained(base, tmp_path, unet_lora)
    run.record["weights"] = "bf16"
    assert ", torch_dtype=torch.bfloat16)" in exported(run, "diffusers", tmp_path / "out")


WHOLE = {"break-a-scene", "concept-driven"}
"""Methods that tune the whole U-Net of a real base, as their papers do."""


REAL = [
    *itertools.product(("paired_base", "large_base"), METHODS),
    ("second_base", "dreambooth"),  # what is usual on 2.x is what is usual on 1.x
    ("second_base", "far"),
]
"""Bases and methods; XL has presets of its own, under which nothing but LoRA learns."""


@pytest.mark.usefixtures("middle")
@pytest.mark.parametrize(("kind", "name"), REAL)
def test_whatever_a_method_learns_on_a_real_base_is_handed_over(
    request, two_cats, tmp_path, monkeypatch, kind, name
):
    monkeypatch.setattr(Base, "lexicon", ())  # as of a real base, whose presets are meant
    base, method = request.getfixturevalue(kind), METHODS[name]
    fields = {each.name for each in dataclasses.fields(method)} - {"weights"}  # type: ignore[arg-type]
    few = {k: v for k, v in QUICK.items() if k in fields}
    run = train(two_cats, base=base, method=fitted(method, base, **few), out=tmp_path / "run")
    whole = name in WHOLE and kind != "large_base"
    if whole:
        for form in ("diffusers", "kohya"):
            with pytest.raises(UserError, match="--format pipeline"):
                exported(run, form, tmp_path / "refused")
    elif factors(run):
        assert_converted(run, tmp_path / "kohya")
    exported(run, "pipeline" if whole else "diffusers", tmp_path / "out")
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize("kind", [unet, text_encoder])
def test_what_no_lora_can_hold_is_refused_with_the_way_out(base, tmp_path, kind):
    run = trained(base, tmp_path, kind)
    for form in ("diffusers", "kohya", "comfyui"):
        with pytest.raises(UserError, match="--format pipeline saves the whole pipeline"):
            exported(run, form, tmp_path)


def test_the_way_out_holds_everything_and_can_be_a_base(large_base, tmp_path):
    run = trained(large_base, tmp_path, unet, text_encoder)
    exported(run, "pipeline", tmp_path / "whole")
    again = Base.load(str(tmp_path / "whole"), device="cpu")
    ours = run.generate(PROMPT, seed=0)[0]
    theirs = again.pipe(PROMPT, num_inference_steps=2, guidance_scale=3.0, generator=seeded())
    assert_alike(theirs.images[0], ours)


def test_a_whole_pipeline_names_its_parts_as_its_base_does(prudish_base, tmp_path):
    """Also where there is no torchvision, and transformers has another name for one of them."""
    exported(trained(prudish_base, tmp_path, unet_lora), "pipeline", tmp_path / "out")
    before, after = (
        json.loads((folder / "model_index.json").read_text())["feature_extractor"]
        for folder in (Path(prudish_base.source), tmp_path / "out")
    )
    assert before == after == ["transformers", "CLIPImageProcessor"]
    assert Base.load(str(tmp_path / "out"), device="cpu").pipe.feature_extractor is not None


def test_examples_that_the_safety_checker_withholds_are_told(prudish_base, tmp_path, capsys):
    exported(trained(prudish_base, tmp_path, unet_lora), "diffusers", tmp_path / "out")
    files = "examples/0.png, examples/1.png, examples/2.png and examples/3.png"
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"{files} were withheld by the base's safety checker: put others in")


def test_the_card_tells_who_and_how_and_nothing_of_this_machine(base, tmp_path):
    run, gone = trained(base, tmp_path, unet_lora), tmp_path / "gone"
    run.record["fields"] |= {"segmenter": f"owlv2-sam={tmp_path},{gone}", "clip": [str(gone)]}
    exported(run, "diffusers", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert f'the path of the base in place of "{Path(base.source).name}":' in text
    assert f"segmenter=owlv2-sam={tmp_path.name},gone clip=['gone']" in text
    front = yaml.safe_load(text.split("---")[1])
    assert front["library_name"] == "diffusers"
    assert [each["text"] for each in front["widget"]][-1] == PROMPT
    assert all((tmp_path / "out" / each["output"]["url"]).is_file() for each in front["widget"])
    written = b"".join(f.read_bytes() for f in (tmp_path / "out").rglob("*") if f.is_file())
    assert str(tmp_path).encode() not in written
    assert base.source.encode() not in written
    assert b"eXIf" not in written and b"Exif" not in written
    sampling = json.loads((tmp_path / "out" / "sampling.json").read_text())
    assert sampling == {
        "scheduler": "DDIMScheduler",
        "steps": 2,
        "guidance": 3.0,
        "guidance_rescale": 0.0,
    }


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
