import json
import re
from dataclasses import replace

import pytest
import torch
from test_scores import LUNA, MILO, reading

from groupshot.benchmarks import confusion
from groupshot.benchmarks.confusion import (
    TOLD,
    WITH,
    WITHOUT,
    Asked,
    Settings,
    correlations,
    measured,
    unmarked,
)
from groupshot.benchmarks.confusion_plots import Point, figure, scattered
from groupshot.errors import UserError
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.network import Network

FIELDS = {
    "contrast_steps": 1,
    "token_steps": 1,
    "steps": 1,
    "batch": 1,
    "crops": 1,
    "collages": 4,
    "contrast_batch": 4,
    "common_each": 1,
    "common": ("dog",),
    "segmenter": "middle",
}


def point(distance: float, mixed: float, way: str = WITH, alike: bool = False) -> Point:
    names = ("luna", "milo")
    return Point(way=way, names=names, distance=distance, mixed=mixed, missing=0, alike=alike)


@pytest.fixture
def settings(world_base_folder) -> Settings:
    about = {"casts": 1, "concepts": 2, "pictures": 1, "seed": 0}
    return Settings(base=str(world_base_folder), fields=FIELDS, **about)


@pytest.mark.usefixtures("middle")
def test_it_is_measured_once_and_goes_on_where_it_was(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(Reader, "load", lambda: Reader(Network()))
    measured(settings, tmp_path)
    files = sorted((tmp_path / "points").rglob("*.json"))
    assert [file.parent.name for file in files] == [TOLD, WITH, WITHOUT]
    assert json.loads(files[0].read_text())["alike"] is True
    assert len(re.findall("<circle", (tmp_path / "figure.svg").read_text())) == 3
    assert len(re.findall("<circle", (tmp_path / "map-0.svg").read_text())) == 8
    files[0].unlink()
    kept = files[1].stat().st_mtime_ns
    measured(settings, tmp_path)
    assert files[0].is_file()
    assert files[1].stat().st_mtime_ns == kept
    with pytest.raises(UserError, match="was begun with"):
        confusion.begun(replace(settings, pictures=3), tmp_path)


def test_only_the_other_of_the_two_can_be_mixed_with(base, monkeypatch):
    truth = {"luna": LUNA, "milo": MILO, "rex": LUNA | {"colour": "green"}}

    class Seeing:
        """Sees luna in some colour, and milo."""

        def __init__(self, colour: str):
            self.colour = colour

        def read(self, images):
            return [reading(LUNA | {"colour": self.colour}, MILO) for _ in images]

        def features(self, images):
            raise AssertionError("nobody asks how far apart pictures are")

    monkeypatch.setattr(confusion, "generate", lambda base, prompt, n: [None] * n)
    asked = Asked(said=dict.fromkeys(truth, "a cat"), truth=truth, pictures=1)
    mixed = {
        colour: confusion.point(base, Seeing(colour), asked, ("luna", "milo"))["mixed"]
        for colour in (MILO["colour"], "green")
    }
    assert mixed[MILO["colour"]] > 0
    assert mixed["green"] == 0, "green is rex's, who is not asked for"


def test_marks_have_no_words():
    assert unmarked({"luna": {"kind": "cat", "mark": "scar"}}) == {"luna": {"kind": "cat"}}


def test_correlations_by_hand():
    points = [
        *(point(0.1, 1.0), point(0.2, 0.5), point(0.3, 0.0), point(0.4, 0.0)),
        *(point(0.1, 0.5, WITHOUT), point(0.3, 0.5, WITHOUT, alike=True)),
    ]
    found = correlations(points)
    assert found[TOLD] == {}
    assert found[WITHOUT]["one class"] == {"pairs": 1, "distance": 0.3, "mixed": 0.5, "missing": 0}
    assert found[WITHOUT]["all"].keys() == found[WITHOUT]["one class"].keys(), "no correlation"
    assert found[WITH].keys() == {"all", "two classes"}
    own = found[WITH]["all"]
    assert own["pearson"] == pytest.approx(-0.9439, abs=1e-4)
    assert own["low"] < own["pearson"] < own["high"]
    assert own["spearman"] == pytest.approx(-0.9487, abs=1e-4)


def test_who_is_missing_is_confused_too():
    both = Point(way=WITH, names=("a", "b"), distance=1, mixed=0.5, missing=0.25, alike=False)
    assert both.confusion == 0.75


def test_in_the_figure_the_near_stand_on_the_left_and_the_confused_on_top():
    drawn = figure([point(0.1, 1.0, alike=True), point(0.4, 0.0)], {WITH: "r = -1.00"})
    assert f"{WITH}, r = -1.00" in drawn
    (near, far) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4.5" fill="(.*?)"', drawn)
    assert float(near[0]) < float(far[0])
    assert float(near[1]) < float(far[1])
    assert far[2] == "white"


def test_maps_are_seen_from_one_side():
    places = torch.eye(3)
    classes = {"luna": "cat", "milo": "cat", "rex": "dog"}
    drawn = scattered({"one": places, "same": places}, classes)
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4.5" fill="(.*?)"', drawn)
    assert [y for _, y, _ in found[:3]] == [y for _, y, _ in found[3:]]
    assert len({colour for *_, colour in found}) == 2
