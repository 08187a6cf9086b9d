"""At which noise a base spoils what it is shown."""

import sys

from PIL import Image

from groupshot.benchmarks import spoiled
from groupshot.toybox.prompts import prompts
from groupshot.toybox.reader import Reader
from groupshot.toybox.world import draw


def test_drawings_are_kept_and_those_of_others_are_not():
    asked = prompts(12, 1)
    read = Reader.load().read([Image.fromarray(draw(prompt.scene).image) for prompt in asked])
    assert sum(map(spoiled.kept, asked, read)) >= 11
    assert not any(map(spoiled.kept, asked, [*read[3:], *read[:3]]))


def test_a_little_noise_spoils_little(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(spoiled, "STRENGTHS", (0.1,))
    monkeypatch.setattr(sys, "argv", ["spoiled", "-n", "6", "--out", str(tmp_path / "sheet.png")])
    spoiled.main()
    line = next(line.split() for line in capsys.readouterr().out.splitlines() if "0.1" in line)
    assert float(line[1]) == 1
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 128
