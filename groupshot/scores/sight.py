"""Sight: what can be told of people who stand as they were asked to."""

from collections import Counter
from collections.abc import Sequence

from groupshot.scores import scenes
from groupshot.scores.asks import Ask
from groupshot.scores.likeness import Hidden, Judge, Looks, Truth, likeness
from groupshot.scores.scenes import People

GLANCES, SURE = 20, 0.95
"""So many drawings of an ask the judge reads first, and is asked only for what it tells right in
so large a share of them: a rider's belly is out of sight, and its mount's boots look like its own.
"""


def hidden(ask: Ask, people: People, truth: Truth, judge: Judge) -> Hidden:
    """Which attributes of each member a judge can't tell in an ask, though they are drawn right."""
    readings = judge.read(scenes.pictures(ask, people, GLANCES))
    likes = [likeness(reading, ask.names, truth) for reading in readings]
    return {
        name: frozenset(misread([like.faults[i] for like in likes]))
        for i, name in enumerate(ask.names)
    }


def misread(faults: Sequence[Looks | None]) -> list[str]:
    """Attributes that are wrong too often where somebody was found; the class always counts."""
    found = [each for each in faults if each is not None]
    wrong = Counter(key for each in found for key in each if key != "kind")
    return [key for key, often in wrong.items() if often > (1 - SURE) * len(found)]
