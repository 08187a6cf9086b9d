import errno
import json
import re
import shlex
import shutil
from pathlib import Path

import httpx2
import pytest
import torch
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from huggingface_hub.cli.hf import app
from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError
from miniature import MINIATURES
from onefile import save_onefile
from safetensors.torch import load_file, save_file

from groupshot.base import Base
from groupshot.base.known import KNOWN, WEIGHTS
from groupshot.errors import UserError


def one_file(base: Base, place: Path) -> Path:
    """The weights of a base in one file, and beside it the folder that says what they are."""
    without = shutil.ignore_patterns("*.safetensors")
    index = shutil.copytree(base.source, place / "mine", ignore=without) / "model_index.json"
    parts = json.loads(index.read_text()) | {"image_encoder": [None, None]}  # as published ones
    index.write_text(json.dumps(parts))
    return save_onefile(base.pipe, place / "mine.safetensors")


@pytest.fixture
def file(base: Base, tmp_path: Path) -> Path:
    return one_file(base, tmp_path)


def drawn(base: Base) -> torch.Tensor:
    return base.sampled(["a photo of a cat"], [torch.Generator().manual_seed(0)])


@pytest.mark.parametrize("kind", MINIATURES)
def test_one_file_draws_as_its_folder(request, tmp_path, kind):
    base = request.getfixturevalue(kind)
    loaded = Base.load(str(one_file(base, tmp_path)), device="cpu")
    assert loaded.card == base.card
    torch.testing.assert_close(drawn(loaded), drawn(base))
    pictures = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loaded.encoded(pictures), base.encoded(pictures))


def test_one_file_in_half_precision_is_loaded_whole_and_draws_about_the_same(base, file):
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)
    loaded = Base.load(str(file), device="cpu")
    assert {net.dtype for net in loaded.models.values()} == {torch.float32}
    torch.testing.assert_close(drawn(loaded), drawn(base), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("error", [OfflineModeIsEnabled("gone"), httpx2.ReadTimeout("gone")])
def test_one_file_without_its_configuration_says_how_to_get_it(file, monkeypatch, error):
    def offline(*_, **__):
        raise error

    monkeypatch.setattr("groupshot.base.onefile.snapshot_download", offline)
    shutil.rmtree(file.with_suffix(""))
    with pytest.raises(UserError, match=r"\(gone\).* `hf download .*`") as mistake:
        Base.load(str(file))
    assert hub_reads(str(mistake.value), monkeypatch) == {
        "repo_id": KNOWN["sd15"].source,
        "allow_patterns": ["*.json", "*.txt"],
        "local_dir": "mine",
    }


def hub_reads(sentence: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the hub's own command line would download by the command in a sentence."""
    asked: dict[str, object] = {}

    def downloading(**options: object) -> str:
        asked.update(options)
        return ""

    monkeypatch.setattr("huggingface_hub.cli.download.snapshot_download", downloading)
    (command,) = re.findall("`hf (.*?)`", sentence)
    app(shlex.split(command), standalone_mode=False)
    return {name: asked[name] for name in ("repo_id", "allow_patterns", "local_dir")}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cond_stage_model.model.ln_final.bias", "2.x, and no such file says how it is to be used"),
        ("double_blocks.0.img_attn.proj.bias", "no checkpoint of Stable Diffusion"),
    ],
)
def test_one_file_that_cannot_be_used_is_refused(tmp_path, name, says):
    save_file({name: torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=says):
        Base.load(str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize("mark", ["v_pred", "ztsnr", "edm_mean", "edm_vpred.sigma_max"])
@pytest.mark.parametrize("kind", ["base", "large_base"])
def test_one_file_that_says_it_is_used_otherwise_needs_its_own_configuration(
    request, tmp_path, kind, mark
):
    file = one_file(request.getfixturevalue(kind), tmp_path)
    save_file(load_file(file) | {mark: torch.zeros(4)}, file)
    Base.load(str(file), device="cpu")
    shutil.rmtree(file.with_suffix(""))
    with pytest.raises(UserError, match=rf"is not used as .* \({mark} is in it\): put the folder"):
        Base.load(str(file))


def test_a_base_that_is_used_as_edm_is_is_refused(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "edm")
    EDMEulerScheduler().save_pretrained(folder / "scheduler")
    index = folder / "model_index.json"
    scheduler = {"scheduler": ["diffusers", "EDMEulerScheduler"]}
    index.write_text(json.dumps(json.loads(index.read_text()) | scheduler))
    with pytest.raises(UserError, match="neither noise nor velocity"):
        Base.load(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("prefix", "part"),
    [("first_stage_model.", "AutoencoderKL"), ("model.diffusion_model.", "UNet2DConditionModel")],
)
def test_one_file_without_one_of_its_networks_is_refused(file, prefix, part):
    save_file({k: t for k, t in load_file(file).items() if not k.startswith(prefix)}, file)
    with pytest.raises(UserError, match=f"not hold a whole model: .* {part}.* Take a file") as said:
        Base.load(str(file), device="cpu")
    assert "\n" not in str(said.value)


def test_a_pickle_is_never_opened(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "old.ckpt")
    with pytest.raises(UserError, match="not a whole safetensors file"):
        Base.load(str(tmp_path / "old.ckpt"))


@pytest.mark.parametrize("short", KNOWN)
def test_a_known_name_is_the_hubs_whatever_folder_is_there(
    base_folder, monkeypatch, tmp_path, short
):
    asked: list[str] = []

    def downloading(source: str, **_: object) -> str:
        asked.append(source)
        return str(base_folder)

    monkeypatch.setattr("groupshot.base.loading.DiffusionPipeline.download", downloading)
    monkeypatch.chdir(tmp_path)
    (tmp_path / short).mkdir()
    assert Base.load(short, device="cpu").source == KNOWN[short].source
    assert asked == [KNOWN[short].source]


def test_a_known_base_is_here_once_its_weights_are(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    base = KNOWN["sdxl"]
    place = tmp_path / f"models--{base.source.replace('/', '--')}"
    snapshot = place / "snapshots" / "abc"
    for file in (place / "refs" / "main", snapshot / "model_index.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("abc")
    assert not base.present, "a configuration alone is there for one-file models"
    (snapshot / WEIGHTS).parent.mkdir()
    (snapshot / WEIGHTS).write_text("")
    assert base.present


RESPONSE = httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co/a/b"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (GatedRepoError("gated", response=RESPONSE), "accept its terms at .*a/b"),
        (RepositoryNotFoundError("none", response=RESPONSE), "no such model, or it is private"),
        (OfflineModeIsEnabled("offline"), "cannot be reached from here. .* `hf download a/b"),
        (OSError(errno.ENOSPC, "No space left on device"), "is full: free some, or set HF_HOME"),
    ],
)
def test_a_download_that_fails_says_what_to_do(monkeypatch, error, says):
    def failing(*_, **__):
        raise OSError("Cannot load model a/b") from error

    monkeypatch.setattr("groupshot.base.loading.DiffusionPipeline.download", failing)
    with pytest.raises(UserError, match=says) as mistake:
        Base.load("a/b")
    assert "\n" not in str(mistake.value)


def test_a_model_of_the_hub_in_half_precision_alone_is_found(base_folder, monkeypatch, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "half")
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))

    def downloading(source: str, variant: str | None = None, **_: object) -> str:
        if variant is None:
            raise OSError("Could not find the necessary `safetensors` weights in … (variant=None)")
        return str(folder)

    monkeypatch.setattr("groupshot.base.loading.DiffusionPipeline.download", downloading)
    assert Base.load("a/b", device="cpu").source == "a/b"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("Data processing error: No space left on device (os error 28)"), "is full"),
        (httpx2.ReadTimeout("The read operation timed out"), "timed out .*`hf download a/b"),
    ],
)
def test_whatever_a_download_raises_is_one_sentence(monkeypatch, error, says):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("groupshot.base.loading.DiffusionPipeline.download", failing)
    with pytest.raises(UserError, match=says):
        Base.load("a/b")


def test_weights_are_whole_whatever_the_configuration_of_a_part_says(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "said")
    file = folder / "text_encoder" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dtype": "float16"}))
    loaded = Base.load(str(folder), device="cpu")
    assert loaded.stored == "fp32"
    assert {p.dtype for net in (loaded.unet, loaded.text_encoder) for p in net.parameters()} == {
        torch.float32
    }


def test_weights_that_are_there_in_half_precision_only_are_loaded(base, base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "halved")
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    loaded = Base.load(str(folder), device="cpu")
    assert loaded.stored == "fp32"
    torch.testing.assert_close(drawn(loaded), drawn(base))
