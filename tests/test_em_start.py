"""The first E-step on casts from seeds: as the method looks."""

from conftest import loaded

from groupshot.base import Base
from groupshot.benchmarks import em_start
from groupshot.benchmarks.em_start import WAYS, Found, measure
from groupshot.methods import ConceptDrivenEM


def begun(base: Base, **fields) -> Found:
    """What is found in one photo of a cast of two of one class."""
    found = Found()
    method = ConceptDrivenEM(timesteps=1, resolutions=(4,), **fields)
    measure(base, method, 1, 1, found)
    return found


def test_every_way_is_tried_on_everyone(world_base_folder):
    found = begun(loaded(world_base_folder))
    assert set(found.overlaps) == set(WAYS) and len(found.seconds) == 1
    assert all(len(shares) == 2 for shares in found.overlaps.values())


def test_hints_are_taken_as_the_method_takes_them(world_base_folder, monkeypatch):
    said = []

    def sided(maps, scene):
        said.append(set(scene.where))
        return maps

    monkeypatch.setattr(em_start, "sided", sided)
    for hints in (True, False):
        begun(loaded(world_base_folder), hints=hints)
    assert said == [{"luna", "milo"}, set()]
