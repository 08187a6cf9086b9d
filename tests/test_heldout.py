"""How far bases are off on scenes that none was trained on."""

import shutil
import sys
from dataclasses import replace

import torch

from groupshot.benchmarks import heldout
from groupshot.toybox.training import parts
from groupshot.toybox.training.parts import SHIPPED
from groupshot.toybox.training.recipe import RECIPE


def test_what_is_disturbed_is_told_from_an_equal(tmp_path, monkeypatch, capsys):
    equal, worse, deaf = tmp_path / "equal", tmp_path / "worse", tmp_path / "deaf"
    for folder in (equal, worse, deaf):
        for part in (parts.UNET, parts.TEXT):
            shutil.copytree(SHIPPED / part, folder / part)
    unet, text = parts.unet_in(SHIPPED), parts.text_in(SHIPPED)
    with torch.no_grad():
        unet.conv_in.weight.mul_(1.2)
        text.final_layer_norm.weight.zero_()
    parts.save_unet(worse, unet)
    text.save_pretrained(deaf / parts.TEXT)
    folders = map(str, (SHIPPED, equal, worse, deaf))
    small = replace(RECIPE, unet=replace(RECIPE.unet, batch=4))
    monkeypatch.setattr(heldout, "RECIPE", small)
    monkeypatch.setattr(sys, "argv", ["heldout", "-n", "16", *folders])
    heldout.main()
    lines = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    shipped, same, *others = lines
    assert float(same[5]) == 0 and same[:5] == shipped[:5]
    for off in others:
        assert float(off[5]) > 3 * float(off[7])
    clearest, noisiest = float(shipped[0]), float(shipped[3])
    assert 0.05 < clearest < noisiest < 1
