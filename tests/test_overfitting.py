"""Losses on photos and on new scenes, measured on the way of runs."""

from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import loaded
from test_methods import quick

from groupshot.benchmarks.overfitting import WAYS, Job, learned, points
from groupshot.benchmarks.overfitting_plot import plotted

FEW: Any = quick("far", steps=4, segmenter="toybox")


@pytest.fixture
def jobs(tmp_path):
    return [Job(tmp_path, 100, way, FEW, 2, 1) for way in WAYS]


def test_each_way_is_measured_and_never_twice(jobs, world_base_folder, monkeypatch):
    base = loaded(world_base_folder)
    for job in jobs:
        learned(base, job)
    found = [point for job in jobs for point in points(job)]
    exams = ["photos", "new, alone", "new, together"]
    assert [(p.way, p.step, p.exam) for p in found] == [
        (way, step, exam) for way in WAYS for step in (1, 2, 4) for exam in exams
    ]
    apart = {exam: [p.loss for p in found if p.exam == exam and p.step == 4] for exam in exams}
    assert all(one != other for one, other in apart.values())
    monkeypatch.setattr("groupshot.benchmarks.overfitting.Exam.loss", None)
    for job in jobs:
        learned(base, job)
    assert [point for job in jobs for point in points(job)] == found
    page = ElementTree.fromstring(plotted(found))
    assert len(page.findall("{http://www.w3.org/2000/svg}polyline")) == len(exams) * len(WAYS)
