import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from conftest import save_picture
from test_base import assert_same, copied

import groupshot as gs
from groupshot.cast import Cast
from groupshot.checkpoint import Checkpoint
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.keep import Keep, seeded
from groupshot.run import Run, train
from groupshot.runfolder import CHECKPOINT, Trained
from groupshot.stage import Stage
from groupshot.weights import ATTENTION, lora, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Three stages, with values between them that read what was learned before."""

    name: ClassVar[str] = "staged"
    steps: int = 4
    fresh: bool = False

    def plan(self, base, cast, keep: Keep) -> Iterator[Stage]:
        rows = tokens(base, {c.name: c.noun for c in cast.concepts}, 2, keep.seeded("rows"))
        noise = keep("noise", lambda g: {"x": torch.randn(2, 4, 8, 8, generator=g)})["x"]

        def loss(latents, generator):
            text = base.text(["<luna>", "<rex>"])
            guess, target = base.guessed(latents, text, generator)
            return {"error": (guess - target).square().mean()}

        def stage(name, learners):
            return Stage(
                name=name, train=learners, samples=lambda k, g: x, loss=loss, steps=self.steps
            )

        x = noise
        yield stage("words", {rows: 1e-2})
        x = keep("shifted", lambda _: {"x": noise + rows.tensors["luna"].mean().detach()})["x"]
        adapter = lora(base, 2, ATTENTION, keep.seeded("lora"))
        yield stage("adapter", {adapter: 1e-3})
        yield replace(stage("both", {rows: 1e-3, adapter: 1e-3}), fresh=self.fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """Two stages; what the second trains is there, at rest, in the first."""

    name: ClassVar[str] = "early"

    def plan(self, base, cast, keep: Keep) -> Iterator[Stage]:
        rows = tokens(base, {c.name: c.noun for c in cast.concepts}, 2, keep.seeded("rows"))
        adapter = lora(base, 2, ATTENTION, keep.seeded("lora"))
        noise = torch.randn(2, 4, 8, 8, generator=keep.seeded("noise"))

        def loss(latents, generator):
            guess, target = base.guessed(latents, base.text(["<luna>", "<rex>"]), generator)
            return {"error": (guess - target).square().mean()}

        for part in (rows, adapter):
            yield Stage(
                name=part.name, train={part: 0.1}, samples=lambda k, g: noise, loss=loss, steps=2
            )


@pytest.fixture
def run(base, two_cats, tmp_path):
    """Makes a run; all go into the same folder unless told otherwise."""

    def made(out="run", **options) -> Run:
        method = options.pop("method", Staged())
        return Run(two_cats, base=base, method=method, out=tmp_path / out, **options)

    return made


def learned(folder):
    return load_tensors(folder / "learned.safetensors")[0]


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=0, atol=0)


def left_at(run, number):
    """Make `number` steps of a run, then leave it."""
    for made, _ in enumerate(run, 1):
        if made == number:
            break


def test_a_finished_run_holds_its_record_and_what_it_learned(run):
    steps = list(run())
    assert [(s.stage, s.number) for s in steps[:5]] == [
        *(("words", i) for i in (1, 2, 3, 4)),
        ("adapter", 1),
    ]
    assert len(steps) == 12
    folder = run("other").out.parent / "run"
    assert {each.name for each in folder.iterdir()} == {"run.json", "learned.safetensors", "kept"}
    record = json.loads((folder / "run.json").read_text())
    assert record["method"] == "staged"
    assert record["fields"] == {"steps": 4, "fresh": False}
    assert record.keys() >= {"base", "seed", "threads", "precision", "versions", "cast"}


@pytest.mark.parametrize("number", [1, 3, 4, 5, 8, 11, 12])
def test_an_interrupted_run_ends_bit_for_bit_where_the_other_did(run, number):
    whole, parted = run("whole"), run("parted")
    losses = [step.losses for step in whole]
    left_at(parted, number)
    rest = [step.losses for step in run("parted", resume=True)]
    assert rest == losses[number:]
    assert_equal(learned(whole.out), learned(parted.out))


@pytest.mark.parametrize(("fresh", "counted"), [(False, 5), (True, 1)])
def test_a_fresh_stage_begins_with_new_moments(run, fresh, counted):
    this = run(method=Staged(fresh=fresh))
    left_at(this, 9)
    moments = load_tensors(this.out / CHECKPOINT)[0]
    assert moments["tokens/luna/step"] == counted


@pytest.mark.parametrize("number", [7, 8, 9, 12])
def test_a_fresh_stage_begins_so_once_however_often_it_is_interrupted(run, number):
    method = Staged(fresh=True)
    whole, parted = run("whole", method=method), run("parted", method=method)
    losses = [step.losses for step in whole]
    left_at(parted, number)
    rest = [step.losses for step in run("parted", method=method, resume=True)]
    assert rest == losses[number:]
    assert_equal(learned(whole.out), learned(parted.out))


def test_what_a_part_gathered_before_its_stage_does_not_count(run):
    whole, parted = run("whole", method=Early()), run("parted", method=Early())
    losses = [step.losses for step in whole]
    left_at(parted, 2)
    assert [step.losses for step in run("parted", method=Early(), resume=True)] == losses[2:]
    assert_equal(learned(whole.out), learned(parted.out))


def test_a_run_that_dies_goes_on_from_its_last_checkpoint(run, monkeypatch):
    monkeypatch.setattr("groupshot.run.EVERY", 3)
    losses = [step.losses for step in run("whole")]

    def dying(*_):
        raise KeyboardInterrupt

    parted = run("parted")
    steps = iter(parted)
    for _ in range(8):  # the last checkpoint is the one that ends stage 2, at step 8
        next(steps)
    monkeypatch.setattr(parted, "_step", dying)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    rest = [step.losses for step in run("parted", resume=True)]
    assert rest == losses[8:]
    assert_equal(learned(parted.out.parent / "whole"), learned(parted.out))


FORGETFUL = """
import sys
import groupshot as gs
from groupshot.methods import DreamBooth

cast, base, out = sys.argv[1:]
method = DreamBooth(steps=9, vectors=1, rank=1, priors=0, crops=1)
steps = iter(gs.Run(gs.Cast.load(cast), method=method, base=base, out=out))
next(steps)
"""


def test_a_run_that_python_ends_with_is_left_as_any_other(base_folder, two_cats, tmp_path):
    """It used to wait for ever for a thread of a progress bar's."""
    told = (two_cats.folder, base_folder, tmp_path / "run")
    command = [sys.executable, "-c", FORGETFUL, *map(str, told)]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert Checkpoint.load(tmp_path / "run" / CHECKPOINT).place.step == 1


def test_interrupted_again_and_again(run):
    whole = run("whole")
    list(whole)
    for _ in range(12):
        left_at(run("parted", resume=True), 1)
    assert list(run("parted", resume=True)) == []
    assert_equal(learned(whole.out), learned(whole.out.parent / "parted"))


def test_the_same_run_object_may_go_on_too(run):
    whole, parted = run("whole"), run("parted")
    list(whole)
    left_at(parted, 5)
    assert len(list(parted)) == 7
    assert_equal(learned(whole.out), learned(parted.out))


def test_the_same_seed_gives_the_same_and_another_another(run):
    one, same, other = run("one"), run("same"), run("other", seed=1)
    for each in (one, same, other):
        torch.randn(1)  # the global generator plays no part
        list(each)
    assert_equal(learned(one.out), learned(same.out))
    assert not torch.equal(learned(one.out)["tokens/luna"], learned(other.out)["tokens/luna"])


def test_only_the_stage_s_parts_move(run):
    this = run()
    left_at(this, 4)
    words = load_tensors(this.out / "checkpoint.safetensors")[0]["tokens/luna"]
    left_at(this, 4)
    tensors = load_tensors(this.out / "checkpoint.safetensors")[0]
    torch.testing.assert_close(tensors["tokens/luna"], words, rtol=0, atol=0)
    assert any(t.abs().sum() > 0 for name, t in tensors.items() if name.endswith("lora_B.weight"))


@pytest.mark.parametrize("ending", ["end", "break", "exception"])
def test_the_base_is_given_back_as_it_was(run, base, ending):
    before, threads, precision = copied(base), torch.get_num_threads(), base.precision
    if ending == "end":
        list(run())
    elif ending == "break":
        left_at(run(), 7)
    else:
        with pytest.raises(ZeroDivisionError):
            for step in run():
                _ = 1 / (7 - step.number - 4 * (step.stage == "adapter"))
    assert_same(base, before)
    assert base.words == {}
    assert (torch.get_num_threads(), base.precision) == (threads, precision)
    assert all(not t.requires_grad for net in base.models.values() for t in net.parameters())


def test_previews_show_what_is_learned_by_now_and_disturb_nothing(run):
    whole, watched = run("whole"), run("watched")
    list(whole)
    previews = [watched.generate("<luna>", steps=1)[0].tobytes() for _ in watched]
    assert len(set(previews)) > 1
    assert_equal(learned(whole.out), learned(watched.out))


def test_a_trained_run_draws_the_same_wherever_it_is_loaded(run, base):
    this = run()
    list(this)
    here = this.generate("<luna> and <rex>", n=2, seed=5)
    there = Trained.load(this.out).generate("<luna> and <rex>", n=2, seed=5)
    assert [p.tobytes() for p in here] == [p.tobytes() for p in there]


def test_train_is_the_whole_run(base, two_cats, tmp_path):
    trained = gs.train(two_cats, base=base, method=Staged(steps=1), out=tmp_path / "run")
    assert trained.learned.recipes.keys() == {"tokens", "lora"}
    assert gs.train is train


def test_a_folder_with_something_in_it_is_refused(run, tmp_path):
    save_picture(tmp_path / "run" / "mine.png")
    with pytest.raises(UserError, match="--resume"):
        run()
    with pytest.raises(UserError, match="no run"):
        run(resume=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [({"seed": 1}, "seed 0, not 1:"), ({"method": Staged(steps=5)}, "steps 4, not 5:")],
)
def test_another_run_cannot_go_on_in_the_folder(run, change, key):
    left_at(run(), 1)
    with pytest.raises(UserError, match=f"begun with {key}"):
        run(resume=True, **change)


def test_who_has_seen_enough_keeps_what_is_learned_by_then(run, tmp_path):
    whole, early = run("whole"), run("early")
    made = [early.stop() or step for step in early if step.number == 1]
    assert len(made) == 1
    assert early.finished
    assert not (tmp_path / "early" / "checkpoint.safetensors").exists()
    left_at(whole, 1)
    kept = load_tensors(tmp_path / "whole" / "checkpoint.safetensors")[0]
    for name, tensor in learned(tmp_path / "early").items():
        assert any(torch.equal(tensor, other) for other in kept.values()), name


def test_another_cast_cannot_go_on_in_the_folder(run, base, two_cats, tmp_path):
    left_at(run(), 1)
    save_picture(tmp_path / "cats/rex.cat/3.png", colour="green")
    cast = Cast.load(two_cats.folder)
    with pytest.raises(UserError, match="begun with photos 4, not 5, other photos:"):
        Run(cast, base=base, method=Staged(), out=tmp_path / "run", resume=True)


def test_a_mistake_found_by_the_plan_leaves_no_folder(run, base, tmp_path):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Picky:
        name: ClassVar[str] = "picky"

        def plan(self, base, cast, keep):
            keep("costly", lambda _: {"x": torch.zeros(1)})
            raise UserError("not these photos")
            yield

    with pytest.raises(UserError, match="not these photos"):
        list(run(method=Picky()))
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_before_the_first_step(run, tmp_path):
    run()
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence(run):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Divided:
        name: ClassVar[str] = "divided"

        def plan(self, base, cast, keep):
            rows = tokens(base, {"luna": None}, 1, keep.seeded("rows"))
            yield Stage(
                name="only",
                train={rows: 1.0},
                samples=lambda k, g: 0,
                loss=lambda _, g: {"bad": rows.tensors["luna"].sum() / 0},
                steps=2,
            )

    with pytest.raises(UserError, match="Step 1 of only .*: learn slower"):
        list(run(method=Divided()))


def test_gradients_are_clipped_to_a_norm_of_one(run):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Steep:
        name: ClassVar[str] = "steep"

        def plan(self, base, cast, keep):
            rows = tokens(base, {"luna": None}, 1, keep.seeded("rows"))
            yield Stage(
                name="only",
                train={rows: 1e-3},
                samples=lambda k, g: 0,
                loss=lambda _, g: {"steep": 1000 * rows.tensors["luna"].sum()},
                steps=1,
            )

    this = run(method=Steep())
    left_at(this, 1)
    moments = load_tensors(this.out / "checkpoint.safetensors")[0]
    norm = moments["tokens/luna/exp_avg"].norm() / (1 - 0.9)  # AdamW's first moment
    torch.testing.assert_close(norm, torch.tensor(1.0), atol=1e-4, rtol=0)


def test_an_unfinished_run_does_not_load(run):
    this = run()
    left_at(this, 2)
    with pytest.raises(UserError, match="not finished"):
        Trained.load(this.out)


def test_what_is_kept_is_made_once_and_drawn_from_its_own_generator(tmp_path):
    first = Keep(tmp_path, 0)
    a = first("a", lambda g: {"x": torch.randn(3, generator=g)})["x"]
    b = first("b", lambda g: {"x": torch.randn(3, generator=g)})["x"]
    second = Keep(tmp_path, 0)
    (tmp_path / "b.safetensors").unlink()
    torch.testing.assert_close(second("a", lambda g: {})["x"], a, rtol=0, atol=0)
    again = second("b", lambda g: {"x": torch.randn(3, generator=g)})["x"]
    torch.testing.assert_close(again, b, rtol=0, atol=0)
    assert not torch.equal(a, b)
    with pytest.raises(ValueError, match="twice"):
        second("b", lambda g: {})


def test_seeds_differ_by_every_name():
    generators = [seeded(0), seeded(1), seeded(0, "a"), seeded(0, "a", 1)]
    assert len({torch.rand(1, generator=g).item() for g in generators}) == 4
