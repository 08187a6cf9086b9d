"""What the README says of several processes, typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from launched import free_port

LAUNCHERS = {
    "torchrun": "torch.distributed.run --nproc-per-node 2 --no-python --master-port",
    "accelerate": "accelerate.commands.launch --multi_gpu --num_processes 2 --no_python "
    "--main_process_port",
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers_have_a_team_train(launcher, base_folder, two_cats, tmp_path):
    start = [sys.executable, "-m", *LAUNCHERS[launcher].split(), free_port()]
    ours = [Path(sys.executable).parent / "groupshot", "train", two_cats.folder, "--json"]
    how = ["--base", base_folder, "--method", "textual-inversion", "--out", tmp_path / "run"]
    words = [*start, *ours, *how, "--set", "steps=2", "batch=2"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3, "two steps and the end, each said once"
    assert json.loads((tmp_path / "run/run.json").read_text())["processes"] == 2
