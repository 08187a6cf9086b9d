"""How far bases are off on scenes that none was trained on."""

import shutil
import sys

import torch

from groupshot.benchmarks import heldout
from groupshot.toybox.training import parts
from groupshot.toybox.training.parts import SHIPPED


def test_a_disturbed_unet_is_told_from_an_equal_one(tmp_path, monkeypatch, capsys):
    equal, worse = tmp_path / "equal", tmp_path / "worse"
    shutil.copytree(SHIPPED / parts.UNET, equal / parts.UNET)
    unet = parts.unet_in(SHIPPED)
    with torch.no_grad():
        unet.conv_in.weight.mul_(1.2)
    parts.save_unet(worse, unet)
    monkeypatch.setattr(sys, "argv", ["heldout", "-n", "32", *map(str, (SHIPPED, equal, worse))])
    heldout.main()
    shipped, same, off = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert float(same[5]) == 0 and same[:5] == shipped[:5]
    assert float(off[5]) > 3 * float(off[7])
    clearest, noisiest = float(shipped[0]), float(shipped[3])
    assert 0.05 < clearest < noisiest < 1
