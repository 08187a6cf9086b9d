"""Calls in processes of their own: their values, their mistakes, and their end."""

import atexit
import os
import subprocess
import sys
import time

import psutil
import pytest

from groupshot.bench.processes import Processes, apart, peak_mb
from groupshot.bench.suites import suites
from groupshot.errors import UserError


def test_a_cell_has_a_process_of_its_own():
    assert apart(os.getpid) != os.getpid()
    assert 1 < apart(peak_mb) < peak_mb(), "without the memory of the one that asked"


def test_what_is_raised_there_is_raised_here():
    with pytest.raises(UserError, match="no suite 'duos'"):
        apart(suites, "duos")


def test_a_mistake_in_one_of_several_is_given_and_not_raised():
    with Processes[str]() as processes:
        processes.start("mistaken", suites, "duos")
        key, mistake = processes.ended()
    assert key == "mistaken" and isinstance(mistake, UserError)


def test_a_process_that_is_ended_is_told_of():
    with pytest.raises(UserError, match="for want of memory"):
        apart(os.abort)


def test_what_was_given_is_kept_however_its_process_ends():
    assert apart(atexit.register, os._exit, 3) is os._exit


def test_several_are_at_work_until_the_block_is_left():
    with Processes[str]() as processes:
        for key, seconds in {"slow": 60, "quick": 0}.items():
            processes.start(key, time.sleep, seconds)
        assert processes.ended() == ("quick", None)
        assert processes.keys == ["slow"]
        (slow,) = psutil.Process().children()[-1:]
    assert not slow.is_running()


def test_a_process_that_fails_has_told_why(capfd):
    with pytest.raises(RuntimeError, match="stands above"):
        apart(os.listdir, "/nowhere")
    assert "FileNotFoundError" in capfd.readouterr().err


KILLED = """
import os, time
from groupshot.bench.processes import apart
if __name__ == "__main__":
    apart(os.system, "echo $PPID; sleep 60")
"""


def test_a_cell_ends_with_the_bench_that_is_killed(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    bench = subprocess.Popen([sys.executable, tmp_path / "killed.py"], stdout=subprocess.PIPE)
    with bench:
        assert bench.stdout is not None
        cell = psutil.Process(int(bench.stdout.readline()))
        assert cell.is_running()
        bench.kill()
        cell.wait(10)
    assert not cell.is_running()
