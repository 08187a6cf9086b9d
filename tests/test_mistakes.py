import argparse
import re

import pytest
import torch
from conftest import save_huge_png
from safetensors import SafetensorError

from groupshot.commands import COMMANDS


def test_unknown_name_in_a_prompt(groupshot, mistaken, training, tmp_path):
    groupshot(*training)
    said = mistaken("generate", tmp_path / "run", "<tom> at sea", "--out", tmp_path / "pictures")
    assert "<tom>" in said
    assert "<luna>, <rex>" in said
    assert not (tmp_path / "pictures").exists()


def test_a_taken_out_is_refused_without_resume(groupshot, mistaken, training, tmp_path):
    groupshot(*training)
    assert "go on with --resume" in mistaken(*training)
    assert groupshot(*training, "--resume")[0] == 0
    said = mistaken(*training[:-1], "--set", "crops=2", "--resume")
    assert f"{tmp_path / 'run'} was begun with crops 1, not 2:" in said


@pytest.mark.parametrize(
    "field", ["batch=0", "steps=-1", "vectors=0", "least=2.0", "rate=-0.1", "crops=0"]
)
def test_fields_have_ranges(mistaken, training, tmp_path, field):
    name, _, value = field.partition("=")
    assert f"{name}={value}: {name} is at least" in mistaken(*training, field)
    assert not (tmp_path / "run").exists()


def test_a_cast_after_set_is_told_where_to_go(mistaken, training):
    command, cast, *rest = training
    assert "it goes before --set" in mistaken(command, *rest, cast)


def test_a_prompt_for_nobody_is_drawn_and_said(groupshot, training, tmp_path):
    groupshot(*training)
    words = ["generate", tmp_path / "run", "luna at sea", "--out", tmp_path / "pictures"]
    code, _, err = groupshot(*words)
    assert code == 0
    assert "asks for nobody who was learned: write <luna> and <rex>" in err
    assert (tmp_path / "pictures" / "000.png").is_file()


def test_pictures_that_the_safety_checker_withholds_are_told(
    groupshot, training, prudish_base, tmp_path
):
    groupshot(*training[:2], "--base", prudish_base.source, *training[4:])
    words = ["generate", tmp_path / "run", "<luna>", "-n", 2, "--out", tmp_path / "pictures"]
    code, _, err = groupshot(*words)
    assert code == 0
    told = "000.png and 001.png were withheld by the base's safety checker: try another --seed"
    assert told in err.splitlines()


def test_words_that_the_base_does_not_know_are_named(groupshot, training, tmp_path):
    groupshot(*training)
    words = ["generate", tmp_path / "run", "<luna> the café's t-shirt, with a moon"]
    code, _, err = groupshot(*words, "--out", tmp_path / "pictures")
    assert code == 0
    assert "does not know: café, t-shirt, moon\n" in err


def test_a_seed_that_is_too_large(mistaken, tmp_path):
    words = ["generate", tmp_path, "<luna>", "--out", tmp_path / "out", "--seed", 10**20]
    assert "is not from 0 to" in mistaken(*words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--method", "dreamboth"], "try dreambooth"),
        (["--set", "step=2"], "try steps"),
        (["--set", "steps=two"], "steps takes a whole number"),
        (["--base", "nowhere"], "nowhere"),
        (["--seed", "two"], "two is no whole number"),
        (["--sed", "2"], "unrecognized arguments"),
    ],
)
def test_mistakes_in_training(mistaken, training, tmp_path, change, words):
    assert words in mistaken(*training, *change)
    assert not (tmp_path / "run").exists()


def test_unwritable_out(mistaken, training, tmp_path):
    (tmp_path / "run").touch()
    assert "is a file" in mistaken(*training)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device", "run.json"),
        SafetensorError("No space left on device"),
    ],
)
def test_disk_that_fills_up_on_the_way(monkeypatch, groupshot, training, error):
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("groupshot.run.save_json", full)
    code, out, err = groupshot(*training)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("groupshot: ")
    assert "No space left on device" in err.splitlines()[-1]


def test_a_gpu_that_is_too_small(monkeypatch, groupshot, training):
    def short(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("groupshot.commands.Base.load", short)
    code, _, err = groupshot(*training)
    assert code == 2
    assert "--microbatch auto" in err.splitlines()[-1]
    monkeypatch.setattr("groupshot.commands.Base.load", None)
    with pytest.raises(TypeError):  # a fault of ours stays one
        groupshot(*training)


@pytest.mark.parametrize("command", COMMANDS)
def test_where_memory_is_short_a_command_is_told_of_flags_that_it_has(
    groupshot, mistaken, monkeypatch, command
):
    def short(_: object) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory")

    options = argparse.Namespace(command=command)
    monkeypatch.setattr("groupshot.cli.Parser.parse_args", lambda *_: options)
    monkeypatch.setitem(COMMANDS, command, short)
    said = mistaken(command)
    assert "the GPU's memory is too short: " in said
    monkeypatch.undo()
    flags = set(re.findall(r" \(?(--?[a-z]+)", said))
    assert flags <= set(re.findall(r"--?[a-z]+", groupshot(command, "--help")[1]))


def test_what_is_advised_where_memory_was_short_may_be_added(
    groupshot, mistaken, training, tmp_path, monkeypatch
):
    def short(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as small:
        small.setattr("groupshot.run.step_at", short)
        assert groupshot(*training)[0] == 2
    assert "begun with weights fp32, not bf16: resume it as it was, or choose another --out" in (
        mistaken(*training, "--resume", "--precision", "bf16")
    )
    assert groupshot(*training, "--resume", "--recompute", "--microbatch", "auto")[0] == 0


def test_bad_photos(mistaken, training, folder, tmp_path):
    save_huge_png(folder / "rex.cat" / "3.png")
    assert "3.png" in mistaken(*training)
    assert not (tmp_path / "run").exists()


def test_unknown_class_word(mistaken, training, folder):
    (folder / "rex.cat").rename(folder / "rex.catt")
    assert "did you mean cat" in mistaken(*training)


def test_base_with_a_file_missing(mistaken, training, tmp_path, base_folder):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model_index.json").write_bytes((base_folder / "model_index.json").read_bytes())
    assert f"{broken}/" in mistaken(*training, "--base", broken)


def test_no_command(mistaken):
    assert "COMMAND" in mistaken()


def test_a_run_that_is_none(mistaken, tmp_path):
    assert "holds no run" in mistaken("generate", tmp_path, "<luna>", "--out", tmp_path / "out")
