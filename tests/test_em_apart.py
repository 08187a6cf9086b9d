"""How alike attention is at first, in words of casts from seeds."""

import pytest
from conftest import loaded

from groupshot.benchmarks.em_apart import measure
from groupshot.methods import ConceptDrivenEM


@pytest.mark.parametrize(("seed", "photos"), [(0, 2), (1, 2), (5, 2)])
def test_words_begin_as_their_nouns_and_as_one(world_base_folder, seed, photos):
    method = ConceptDrivenEM(timesteps=1, resolutions=(4,))
    found = measure(loaded(world_base_folder), method, seed, 2)
    assert len(found["own"]) == len(found["one"]) == photos
    assert all(-1 <= each <= 1 for shares in found.values() for each in shares)
    assert (found["own"] == found["one"]) == (seed == 1)  # two of one class
