"""Killed at any moment, a run goes on, and ends bit for bit where it would have ended."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import quick
from test_run import assert_equal, learned

from groupshot.errors import UserError
from groupshot.files import save_tensors, sweep
from groupshot.methods import METHODS
from groupshot.run import Run

KILLS = 2
"""How often a run is killed at a random time."""

pytestmark = [
    pytest.mark.usefixtures("middle"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Threads do not survive a fork; a checkpoint after every step."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("groupshot.run.EVERY", 1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def training(request, two_cats, tmp_path):
    """Trains a method in a folder, to the end; on a miniature of 1.x where none is named."""
    base = request.getfixturevalue(getattr(request, "param", "paired_base"))

    def trained(name: str, folder: str) -> None:
        out = tmp_path / folder
        list(Run(two_cats, base=base, method=quick(name), out=out, resume=True))

    return trained


def started(work: Callable[[], Any]) -> Any:
    """Another process that does some work: it is forked, and need not load anything."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def ended(process: Any) -> int:
    process.join(120)
    return process.exitcode


def dying(work: Callable[[], Any], write: int) -> Callable[[], Any]:
    """Work that is killed when its file of that number is whole, but has not got its name yet."""
    replace, left = os.replace, iter(range(write - 1, -1, -1))

    def killing(draft: Path, file: Path) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(draft, file)

    def worked() -> None:
        os.replace = killing
        work()

    return worked


@pytest.mark.parametrize("training", ["paired_base", "second_base", "large_base"], indirect=True)
@pytest.mark.parametrize("name", METHODS)
def test_killed_at_random_times_it_ends_where_it_would_have(training, tmp_path, name):
    began = time.monotonic()
    training(name, "whole")
    seconds, chance = time.monotonic() - began, random.Random(name)
    for _ in range(KILLS):
        process = started(lambda: training(name, "killed"))
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        assert ended(process) in (-signal.SIGKILL, 0)
    training(name, "killed")
    assert_equal(learned(tmp_path / "whole"), learned(tmp_path / "killed"))
    assert not [file for file in (tmp_path / "killed").rglob(".*") if file.is_file()]


def test_killed_at_every_write_it_ends_where_it_would_have(training, tmp_path):
    training("dreambooth", "whole")
    endings: list[int] = []
    while 0 not in endings:
        work = dying(lambda: training("dreambooth", "killed"), len(endings) + 1)
        endings.append(ended(started(work)))
    assert set(endings[:-1]) == {-signal.SIGKILL}
    assert len(endings) > 3
    assert_equal(learned(tmp_path / "whole"), learned(tmp_path / "killed"))


def test_what_a_killed_writer_left_is_swept(tmp_path):
    large = {"rows": torch.zeros(50_000_000)}
    process = started(lambda: save_tensors(tmp_path / "rows.safetensors", large))
    while not (left := list(tmp_path.iterdir())):
        pass
    process.kill()
    assert ended(process) == -signal.SIGKILL
    assert left != [tmp_path / "rows.safetensors"]
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_which_another_process_trains_is_refused(
    paired_base, two_cats, tmp_path, training
):
    method, out = quick("textual-inversion"), tmp_path / "run"

    def waiting() -> None:
        for _ in Run(two_cats, base=paired_base, method=method, out=out):
            time.sleep(60)

    process = started(waiting)
    while not (out / "checkpoint.safetensors").is_file():
        time.sleep(0.05)
    with pytest.raises(UserError, match="Another process is training"):
        training("textual-inversion", "run")
    process.kill()
    ended(process)
    training("textual-inversion", "run")
    assert (out / "learned.safetensors").is_file()
