import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import QUICK, save_picture

from groupshot.base import Base
from groupshot.base.known import KNOWN
from groupshot.cast import Cast
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


@pytest.fixture
def interrupts():
    """SIGINT as at a terminal, also where a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
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


def test_drawings_of_one_run_serve_the_next(groupshot, folder, base_folder, tmp_path, monkeypatch):
    words = ["train", folder, "--method", "dreambooth", "--base", base_folder]
    kept = ["--precision", "fp32", "--drawings", tmp_path / "all", "--set", *QUICK]
    assert groupshot(*words, "--out", tmp_path / "one", *kept)[0] == 0
    monkeypatch.setattr(Base, "sampled", None)
    assert groupshot(*words, "--out", tmp_path / "two", *kept)[0] == 0


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
