"""Whether a step's batch is taken whole, in pieces or by several processes: the same is learned."""

import json
import os
import signal
import time
import weakref

import pytest
import torch
from launched import ended, launch
from safetensors import safe_open
from test_methods import quick
from test_run import Staged, assert_equal, learned, left_at

from groupshot.base.shares import dealt
from groupshot.cli import main
from groupshot.errors import UserError
from groupshot.files import load_tensors
from groupshot.methods import METHODS
from groupshot.run import Run
from groupshot.stage import Stage
from groupshot.team import Team, gathered, present

pytestmark = [
    pytest.mark.usefixtures("middle"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]


@pytest.fixture(autouse=True)
def one_thread():
    """Threads do not survive a fork."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def training(paired_base, two_cats, tmp_path):
    """Makes a run of a method into a folder, so many samples at a time."""

    def made(name, out, most=None, **options) -> Run:
        paired_base.microbatch = most
        method = options.pop("method", None) or quick(name, crf=False)
        return Run(two_cats, base=paired_base, method=method, out=tmp_path / out, **options)

    yield made
    paired_base.microbatch = None


def together(work):
    """Work that all processes do as a team."""

    def worked() -> None:
        with gathered():
            work()

    return worked


# the same is learned


@pytest.fixture
def unfinished(monkeypatch):
    """Runs that leave their last checkpoint, with moments of gradients that are not clipped.

    AdamW and clipping would hide it if all gradients were too large alike.
    """
    monkeypatch.setattr("groupshot.run.LONGEST", 1e9)
    monkeypatch.setattr(Run, "_finish", lambda self, _: self.team.agree())


def assert_alike(one, other):
    """Two checkpoints agree: weights to a small part of what a step moves them, and moments."""
    assert one.keys() == other.keys()
    size = max(t.norm() for key, t in one.items() if key.endswith("/exp_avg"))
    for key, tensor in one.items():
        if key.endswith("/exp_avg"):
            assert (tensor - other[key]).norm() < 1e-3 * tensor.norm() + 1e-6 * size, key
        elif not key.endswith("/exp_avg_sq"):
            torch.testing.assert_close(tensor, other[key], rtol=0, atol=1e-4)


@pytest.mark.parametrize("way", ["in pieces", "by two processes"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_the_same(training, unfinished, tmp_path, name, way):
    most = 1 if way == "in pieces" else None
    losses = [step.losses for step in training(name, "whole")]
    shared: list = []

    def work() -> None:
        shared.extend(step.losses for step in training(name, "shared", most))

    if most is None:
        assert ended(launch(together(work))) == [0, 0]
        record = json.loads((tmp_path / "shared/run.json").read_text())
        assert record["processes"] == 2
    else:
        work()
        assert len(shared) == len(losses)
        for ours, theirs in zip(shared, losses, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)
    one, other = (
        load_tensors(tmp_path / folder / "checkpoint.safetensors")[0]
        for folder in ("whole", "shared")
    )
    assert any(key.endswith("/exp_avg") for key in one)
    assert_alike(one, other)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("most", [None, 1, 2])
def test_every_sample_is_dealt_once_and_no_piece_is_too_large(size, processes, most):
    deals = [dealt(size, Team(rank=rank, size=processes), most) for rank in range(processes)]
    if size < processes:
        assert all(deal.own == slice(0, size) and deal.team.size == 1 for deal in deals)
        deals = deals[:1]
    seen = [i for deal in deals for piece in deal.pieces for i in range(size)[piece]]
    assert seen == list(range(size))
    assert all(deal.widest <= (most or size) for deal in deals)
    assert {deal.own.stop - deal.own.start for deal in deals} <= {
        size // len(deals),
        -(-size // len(deals)),
    }


def test_a_pass_without_gradients_is_whole(paired_base):
    noisy, times = torch.zeros(3, *paired_base.shape), torch.zeros(3).long()
    text = paired_base.text(["a cat"] * 3).detach()
    with paired_base.shares.taken(Team(), 1):
        with torch.no_grad():
            paired_base.predicted(noisy, times, text)
        assert len(paired_base.shares.deal.pieces) == 1
        paired_base.predicted(noisy, times, text)
        assert len(paired_base.shares.deal.pieces) == 3


class Counted(Staged):
    """A method that looks at the denoiser with a hook of its own, and says so or does not."""

    name = "counted"

    def plan(self, base, cast, keep):
        for stage in Staged.plan(self, base, cast, keep):
            yield Stage(
                name=stage.name,
                train=stage.train,
                samples=stage.samples,
                loss=lambda x, g, inner=stage.loss: self.hooked(base, inner, x, g),
                steps=stage.steps,
                whole=True,
            )

    def hooked(self, base, inner, x, g):
        seen: list[int] = []
        hook = base.unet.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
        terms = inner(x, g)
        hook.remove()
        assert seen == [len(x)]
        return terms


def test_a_stage_that_says_so_is_not_split(training, tmp_path):
    list(training("", "one", method=Staged()))
    list(training("", "other", 1, method=Counted()))
    assert_equal(learned(tmp_path / "one"), learned(tmp_path / "other"))


# little memory


def short(monkeypatch, base, room: int, backward: bool = False):
    """Let there be memory for the activations of only `room` samples; gives all sizes tried.

    What failed must be gone when it is tried again.
    """
    passed, tried, failed = base._passed, [], []

    def full(_):
        raise torch.OutOfMemoryError

    def tight(noisy, times, text):
        assert all(there() is None for there in failed)
        guess = passed(noisy, times, text)
        if torch.is_grad_enabled():
            tried.append(len(noisy))
            if len(noisy) > room:
                failed.append(weakref.ref(guess))
            if len(noisy) > room and not backward:
                full(None)
            if len(noisy) > room:
                text.register_hook(full)  # LoRA and U-Net have gradients by then
        return guess

    monkeypatch.setattr(base, "_passed", tight)
    return tried


@pytest.mark.parametrize("backward", [False, True])
def test_a_step_that_does_not_fit_is_made_again_in_halves(
    training, tmp_path, monkeypatch, paired_base, backward
):
    list(training("dreambooth", "asked", 2))
    tried = short(monkeypatch, paired_base, 2, backward)
    steps = list(training("dreambooth", "short", "auto"))
    assert [bool(step.note) for step in steps] == [True] + [False] * (len(steps) - 1)
    assert "2 pictures at a time" in steps[0].note
    assert tried[0] == 4
    assert set(tried[1:]) == {2}
    assert_equal(learned(tmp_path / "asked"), learned(tmp_path / "short"))


def test_where_nothing_fits_that_is_said(training, monkeypatch, paired_base):
    short(monkeypatch, paired_base, 0)
    with pytest.raises(UserError, match="try --microbatch auto"):
        list(training("dreambooth", "unasked"))
    with pytest.raises(UserError, match="even bit by bit"):
        list(training("dreambooth", "asked", "auto"))


def test_one_process_that_is_short_of_memory_makes_all_try_again(
    training, tmp_path, monkeypatch, paired_base, unfinished
):
    list(training("dreambooth", "whole"))

    def work() -> None:
        if not present().leads:
            short(monkeypatch, paired_base, 1)
        run = training("dreambooth", "shared", "auto")
        assert [bool(step.note) for step in run] == [True, False]
        assert paired_base.shares.widest == 1

    assert ended(launch(together(work))) == [0, 0]
    one, other = (
        load_tensors(tmp_path / folder / "checkpoint.safetensors")[0]
        for folder in ("whole", "shared")
    )
    assert_alike(one, other)


def test_a_run_goes_on_with_its_microbatch_or_another(training, tmp_path):
    left_at(training("dreambooth", "run", 2), 1)
    assert training("dreambooth", "run", resume=True)._most == 2
    run = training("dreambooth", "run", 1, resume=True)
    list(run)
    assert json.loads((tmp_path / "run/run.json").read_text())["microbatch"] == 1


# processes


def test_a_team_goes_on_where_it_was_left(training, tmp_path):
    def begun() -> None:
        left_at(training("dreambooth", "parted"), 1)

    def whole() -> None:
        list(training("dreambooth", "whole"))

    def rest() -> None:
        assert len(list(training("dreambooth", "parted", resume=True))) == 1

    for work in (whole, begun, rest):
        assert ended(launch(together(work))) == [0, 0]
    assert_equal(learned(tmp_path / "whole"), learned(tmp_path / "parted"))


def test_only_the_leader_writes(training, tmp_path, monkeypatch):
    def work() -> None:
        if not present().leads:
            monkeypatch.setattr("os.replace", None)
            monkeypatch.setattr("os.open", None)
        list(training("dreambooth", "run"))

    assert ended(launch(together(work))) == [0, 0]
    assert (tmp_path / "run/learned.safetensors").is_file()


@pytest.fixture
def typed(paired_base, two_cats, tmp_path, monkeypatch):
    """Does what somebody types, in two processes; gives how they end, and what each says."""
    monkeypatch.setattr("groupshot.commands.Base.load", lambda *_, **__: paired_base)
    monkeypatch.setattr("groupshot.commands.chosen", lambda name, _: lambda _: quick(name))

    def run(*options, change=lambda rank: None):
        words = ["train", two_cats.folder, "--method", "break-a-scene", "--out", tmp_path / "run"]

        def work() -> int:
            change(int(os.environ["RANK"]))
            return main([str(word) for word in (*words, *options)])

        codes = ended(launch(work, says=tmp_path / "says"))
        return codes, [(tmp_path / "says" / rank).read_text() for rank in "01"]

    return run


def test_typed_once_it_is_said_once(typed, tmp_path):
    codes, (leader, other) = typed()
    assert codes == [0, 0]
    assert "has learned <luna> and <rex>" in leader
    assert "2/2" in leader
    assert not other
    codes, (leader, other) = typed()
    assert codes == [2, 2]
    assert leader.count("is not empty") == 1
    assert not other


def failing(monkeypatch, where: str, ranks: tuple[int, ...]):
    """Let something fail in some of the processes."""

    def fail(*_, **__):
        raise UserError("the sky has fallen")

    return lambda rank: rank in ranks and monkeypatch.setattr(where, fail)


@pytest.mark.parametrize(
    ("where", "ranks"),
    [
        ("groupshot.commands.Cast.load", (0, 1)),
        ("groupshot.commands.Cast.load", (1,)),
        ("groupshot.methods.break_a_scene.priors", (0,)),
        ("groupshot.methods.break_a_scene.masked", (1,)),
        ("groupshot.run.checkpoint.save", (0,)),
    ],
)
def test_what_ends_one_ends_all_in_one_sentence(typed, monkeypatch, where, ranks):
    codes, (leader, other) = typed(change=failing(monkeypatch, where, ranks))
    assert codes == [2, 2]
    assert leader.count("the sky has fallen") == 1
    assert not other


def test_the_leader_takes_nothing_away_that_another_still_reads(typed, monkeypatch):
    fails = failing(monkeypatch, "groupshot.methods.break_a_scene.priors", (0,))

    def slowly(*given):
        time.sleep(1)
        return safe_open(*given)

    def change(rank):
        fails(rank)
        if rank == 1:
            monkeypatch.setattr("groupshot.files.safe_open", slowly)

    codes, (leader, other) = typed(change=change)
    assert codes == [2, 2]
    assert "the sky has fallen" in leader
    assert not other


def test_a_process_that_is_killed_ends_the_others(training, tmp_path):
    (tmp_path / "says").mkdir()

    def work() -> int:
        def waiting() -> None:
            for _ in training("textual-inversion", "run"):
                time.sleep(0.2)

        try:
            together(waiting)()
        except UserError as mistake:
            (tmp_path / "says/leader").write_text(str(mistake))
            return 2
        return 0

    members = launch(work)
    while not (tmp_path / "run/kept").is_dir():
        time.sleep(0.02)
    members[1].kill()
    assert ended(members) == [2, -signal.SIGKILL]
    assert "go on with --resume" in (tmp_path / "says/leader").read_text()
