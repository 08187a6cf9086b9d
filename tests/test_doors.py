import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import save_huge_png, save_picture
from safetensors import SafetensorError

from groupshot.base import Base
from groupshot.base.known import KNOWN
from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.commands import COMMANDS
from groupshot.demo import PARTS, check_ours, examples
from groupshot.doctor import photos
from groupshot.errors import UserError
from groupshot.export import FORMATS
from groupshot.fields import fields_of
from groupshot.methods import METHODS, DreamBooth, FaR
from groupshot.stage import Method
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.network import Network

QUICK = ["steps=2", "batch=1", "crops=1"]


@pytest.fixture
def groupshot(capsys):
    """Type a command; gives its exit code, stdout and stderr."""

    def typed(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:  # --help
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def mistaken(groupshot):
    """Type a mistake: exit code 2, nothing on stdout, one line on stderr, which is given."""

    def typed(*words: object) -> str:
        code, out, err = groupshot(*words)
        assert (code, out) == (2, "")
        assert err.startswith("groupshot: ")
        assert err.count("\n") == 1
        return err

    return typed


@pytest.fixture
def training(folder, base_folder, tmp_path) -> list[object]:
    """A command that trains for two steps into `run`."""
    words = ["--base", base_folder, "--method", "textual-inversion", "--out", tmp_path / "run"]
    return ["train", folder, *words, "--set", *QUICK]


def test_help_lists_every_command(groupshot):
    code, out, _ = groupshot("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)


def test_help_lists_every_method_and_field(groupshot):
    code, out, _ = groupshot("train", "--help")
    assert code == 0
    for name, method in METHODS.items():
        assert name in out
        for field in fields_of(method):
            assert f"{field.name}=" in out
            assert " ".join(field.meaning.split()) in out


def test_methods(groupshot):
    assert all(name in groupshot("methods")[1] for name in METHODS)
    listed = json.loads(groupshot("methods", "--json")[1])
    assert [each["name"] for each in listed] == list(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_method_card(groupshot, name):
    _, out, _ = groupshot("methods", name)
    assert "arXiv" in out
    document = json.loads(groupshot("methods", name, "--json")[1])
    assert document["card"] in out
    for field in document["fields"]:
        assert f"{field['name']}=" in out
        assert field["meaning"]


def test_train_and_generate(groupshot, training, tmp_path):
    code, out, err = groupshot(*training, "--json")
    *steps, done = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [step["number"] for step in steps] == [1, 2]
    assert done == {"run": str(tmp_path / "run"), "names": ["luna", "rex"]}
    assert "2/2" in err

    drawing = ["generate", tmp_path / "run", "<luna> and <rex>", "-n", "2", "--seed", "5"]
    code, out, _ = groupshot(*drawing, "--out", tmp_path / "pictures", "--json")
    assert code == 0
    pictures = json.loads(out)["pictures"]
    assert [each["seed"] for each in pictures] == [5, 6]
    assert all(Path(each["file"]).is_file() for each in pictures)


def test_export(groupshot, mistaken, training, tmp_path):
    groupshot(*training)
    words = ["export", tmp_path / "run", "--out", tmp_path / "out", "--format"]
    code, out, _ = groupshot(*words, "comfyui", "--json")
    assert code == 0
    assert {Path(file).name for file in json.loads(out)["files"]} >= {
        "README.md",
        "luna.safetensors",
        "rex.safetensors",
    }
    assert "is not empty" in mistaken(*words, "kohya")
    assert "invalid choice: 'exe'" in mistaken(*words, "exe")


def test_every_format_can_be_asked_for(groupshot):
    _, out, _ = groupshot("export", "--help")
    assert f"{{{','.join(FORMATS)}}}" in out


def test_people_are_told_what_to_do_next(groupshot, training):
    _, out, _ = groupshot(*training)
    assert "groupshot generate" in out
    assert '"<luna> and <rex>"' in out


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


def test_who_interrupts_a_training_loses_no_step(groupshot, training, tmp_path, monkeypatch):
    made: list[object] = []

    def advance(_: object, step: object) -> None:
        made.append(step)
        if len(made) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("groupshot.progress.advance", advance)
    before = signal.getsignal(signal.SIGINT)
    code, _, err = groupshot(*training)
    assert code == 130
    assert "--resume" in err
    assert len(made) == 1
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
    assert signal.getsignal(signal.SIGINT) is before
    assert groupshot(*training, "--resume")[0] == 0
    assert len(made) == 2


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


def test_drawings_of_one_run_serve_the_next(groupshot, folder, base_folder, tmp_path, monkeypatch):
    words = ["train", folder, "--method", "dreambooth", "--base", base_folder]
    kept = ["--precision", "fp32", "--drawings", tmp_path / "all", "--set", *QUICK]
    assert groupshot(*words, "--out", tmp_path / "one", *kept)[0] == 0
    monkeypatch.setattr(Base, "sampled", None)
    assert groupshot(*words, "--out", tmp_path / "two", *kept)[0] == 0


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


def test_doctor(groupshot):
    code, out, _ = groupshot("doctor", "--json")
    findings = json.loads(out)
    assert {"python", "libraries", "device", "memory", "base", "disk", "cache"} <= set(findings)
    assert code == (0 if all(each["ok"] for each in findings.values()) else 1)


def test_before_training_people_are_told_who_is_likely_to_be_confused(groupshot, training):
    _, _, err = groupshot(*training)
    assert "<luna> and <rex> (both a cat" in err
    assert err.index("likely to be confused") < err.index("2/2")


def test_masks_that_a_method_does_not_look_at_are_told(groupshot, training, folder):
    save_picture(folder / "luna.cat" / "1.mask.png", colour="white")
    _, _, err = groupshot(*training)
    assert "textual-inversion looks at no masks, so 1 by hand are not used" in err


def test_doctor_tells_a_class_word_that_the_base_does_not_know(
    groupshot, folder, world_base_folder
):
    (folder / "rex.cat").rename(folder / "rex.kat")
    code, out, _ = groupshot("doctor", folder, "--base", world_base_folder)
    assert code == 1
    assert "!!  classes: the base does not know the class word 'kat' of rex" in out


def test_doctor_tells_who_in_a_cast_is_likely_to_be_confused(groupshot, folder, base_folder):
    _, out, _ = groupshot("doctor", folder, "--base", base_folder)
    assert "??  confusion: likely to be confused: <luna> and <rex> (both a cat" in out
    assert "clif" in out


def test_doctor_tells_photos_that_are_smaller_than_the_base_draws(folder, base):
    cast = Cast.load(folder)
    side = min(cast.concepts[0].photos[0].image().size)
    assert photos(cast, side).mark == "ok"
    told = photos(cast, side + 1)
    assert told.mark == "??"
    assert f"4 of 4 are smaller than the {side + 1} pixels" in told.says
    assert photos(cast, base.size).name == "photos"


def test_bases(groupshot):
    toybox, *known = json.loads(groupshot("bases", "--json")[1])
    assert (toybox["name"], toybox["present"]) == ("toybox", True)
    listed = groupshot("bases")[1]
    assert all(f"{base['name']} " in listed and base["from"] in listed for base in known)
    assert all(f", {round(base['memory'] / 1024)} GiB, " in listed for base in known)
    assert all(base["memory"] > 2000 for base in known)
    assert "without pictures of classes and without a safety checker, counted on a CPU" in listed
    assert [base["from"] for base in known] == [each.source for each in KNOWN.values()]


def test_help_needs_no_torch():
    asks = "import sys, groupshot.cli as c; c.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asks], check=False).returncode == 0


def test_examples_are_found():
    assert (examples() / "two-cats" / "cast.json").is_file()


def test_demo_replaces_only_a_demo(tmp_path):
    check_ours(tmp_path / "new")
    for name in PARTS:
        (tmp_path / name).touch()
    check_ours(tmp_path)
    save_picture(tmp_path / "mine.png")
    with pytest.raises(UserError, match="other things than a demo"):
        check_ours(tmp_path)


def test_demo_twice(groupshot, tmp_path, monkeypatch, base_folder):
    monkeypatch.setattr("groupshot.base.loading.TOYBOX", base_folder)
    monkeypatch.setattr(Reader, "load", lambda: Reader(Network()))
    for _ in range(2):
        code, out, _ = groupshot("demo", "--out", tmp_path / "demo", "--json", "--set", *QUICK)
        assert code == 0
        scores = json.loads((tmp_path / "demo" / "scores.json").read_text())
        assert set(scores) == {"present", "identity", "mixed", "all_right"}
        assert json.loads(out)["scores"] == scores
        assert {each.name for each in (tmp_path / "demo").iterdir()} == set(PARTS)


def test_demo_by_another_method(groupshot, mistaken, tmp_path, monkeypatch):
    asked: list[Method] = []
    toybox = Base.load("toybox")

    def demonstrated(method: Callable[[Base], Method], out: Path) -> dict[str, float]:
        asked.append(method(toybox))
        return {"present": 1.0}

    monkeypatch.setattr("groupshot.commands.demonstrated", demonstrated)
    groupshot("demo", "--out", tmp_path)
    groupshot("demo", "--method", "far", "--set", "steps=7", "--out", tmp_path)
    assert asked == [DreamBooth(), FaR(steps=7)]
    assert "no method 'fat'" in mistaken("demo", "--method", "fat", "--out", tmp_path)


def test_demo_without_the_built_in_base(mistaken, tmp_path, monkeypatch):
    monkeypatch.setattr("groupshot.base.loading.TOYBOX", tmp_path / "toybox")
    assert "not in this installation" in mistaken("demo", "--out", tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
