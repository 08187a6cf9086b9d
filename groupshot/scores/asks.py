"""Asks: the pictures that are asked of a cast: who, how they stand to each other, and where.

The words are the world's own (`toybox.world.captions`), so that the built-in base knows them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from PIL import Image

from groupshot.cast import Cast, Concept
from groupshot.errors import UserError
from groupshot.toybox.prompts import SYMMETRIC
from groupshot.toybox.world import BACKGROUNDS, PLACES, RELATIONS

SIDE, OCCLUSION, INTERACTION = "side by side", "occlusion", "interaction"
"""Degrees of difficulty, of those who are asked for together."""
ALONE, LISTED = "alone", "listed"
"""What is of no degree: one alone, and everyone in a crowd."""

BESIDE = RELATIONS[0]
LARGEST = 6
"""So many at most are asked for at once: of more, captions of the world name classes only."""
NUMBERS = ("nobody", "one", "two", "three")

Relations = Mapping[tuple[int, int], str]
"""How characters, numbered from left to right, stand to each other (`Reading.relations`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """How some characters stand to each other, in words."""

    words: str
    """{0} is the first; whoever it does not name comes after it: "… and a dog"."""
    relation: str | None = None
    """Of the first to the second, or of all to each other; None where nothing is said of it."""
    ordered: bool = False
    """Whether they stand from left to right as they are named."""

    def worded(self, names: Sequence[str]) -> str:
        """The phrase about these."""
        rest = (name for i, name in enumerate(names) if f"{{{i}}}" not in self.words)
        return self.words.format(*names) + "".join(f" and {name}" for name in rest)

    def holds(self, relations: Relations, who: Sequence[int]) -> bool:
        """Whether characters, by their numbers, stand to each other as it says."""
        if self.relation is None:
            return True
        if self.relation == BESIDE:
            pairs = combinations(sorted(who), 2)
            lined = not self.ordered or list(who) == sorted(who)
            return lined and all(relations.get(pair) == BESIDE for pair in pairs)
        first, second = who[:2]
        keys = [(first, second), *([(second, first)] if self.relation in SYMMETRIC else [])]
        return any(relations.get(key) == self.relation for key in keys)


ONESELF = Phrase(words="{0}")
SIDES = Phrase(words="{0} on the left and {1} on the right", relation=BESIDE, ordered=True)
TWO = Phrase(words="{0} and {1} side by side", relation=BESIDE)
NEXT = Phrase(words="{0} next to {1}", relation=BESIDE)
ROW = Phrase(words="{0}, {1} and {2} from left to right", relation=BESIDE, ordered=True)
THREE = Phrase(words="{0}, {1} and {2}", relation=BESIDE)
FRONT = Phrase(words="{0} in front of {1}", relation="in front of")
BEHIND = Phrase(words="{1} behind {0}", relation="in front of")
HANDS = Phrase(words="{0} and {1} holding hands", relation="holding hands")
HUG = Phrase(words="{0} hugging {1}", relation="hugging")
RIDE = Phrase(words="{0} riding {1}", relation="riding")

Table = Mapping[str, Sequence[tuple[Phrase, str]]]
"""By degree: phrases, and which of the group is the first, second and third in each."""

OF_TWO: Table = {
    SIDE: ((SIDES, "01"), (SIDES, "10"), (TWO, "01"), (NEXT, "10")),
    OCCLUSION: ((FRONT, "01"), (FRONT, "10"), (BEHIND, "01"), (BEHIND, "10")),
    INTERACTION: ((HANDS, "01"), (HUG, "10"), (RIDE, "01"), (RIDE, "10")),
}
OF_THREE: Table = {
    SIDE: ((ROW, "012"), (ROW, "201"), (THREE, "120"), (THREE, "021")),
    OCCLUSION: ((FRONT, "102"), (FRONT, "021"), (BEHIND, "210"), (BEHIND, "120")),
    INTERACTION: ((HANDS, "012"), (HUG, "201"), (RIDE, "102"), (RIDE, "210")),
}
EACH = 4
"""Phrases of a degree."""

Line = tuple[str, Phrase, tuple[str, ...]]
"""Degree, phrase, and who is meant by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One picture's prompt, in parts."""

    number: int
    """Among the asks of its cast: it decides the noise that pictures begin with."""
    degree: str
    phrase: Phrase
    names: tuple[str, ...]
    background: str
    """One of the world's."""
    place: str | None = None
    """The concept that is this background, if it is asked for by name."""

    @property
    def asked(self) -> str:
        """How many are asked for: one, two, three or all."""
        return NUMBERS[len(self.names)] if len(self.names) < len(NUMBERS) else "all"

    @property
    def seed(self) -> int:
        """Of the first picture; the next ones follow."""
        return 1000 * self.number

    def worded(self, said: Mapping[str, str]) -> str:
        """The prompt, each concept as it is `said`; a place that is not said is described."""
        where = PLACES[self.background][0]
        if self.place is not None and self.place in said:
            where = f"{where.split()[0]} {said[self.place]}"
        return f"{self.phrase.worded([said[name] for name in self.names])} {where}"

    @property
    def prompt(self) -> str:
        """The prompt with every concept by its name, as <luna>."""
        concepts = (*self.names, *([self.place] if self.place else ()))
        return self.worded({name: f"<{name}>" for name in concepts})


Drawn = Mapping[Ask, Sequence[Image.Image]]
"""The pictures of every ask."""


def asks(cast: Cast) -> tuple[Ask, ...]:
    """All that is asked of a cast; a UserError where it has nothing but backgrounds.

    Of one 12 prompts; of two or three 4 for each of three degrees; of more, the same of two and of
    three of them, and 4 of all up to six. Who was never seen alone is asked for alone too.
    """
    things = [concept for concept in cast.concepts if concept.kind == "thing"]
    places = [concept for concept in cast.concepts if concept.kind == "background"]
    if not things:
        raise UserError(f"{cast.folder} has only backgrounds: nothing in it can be scored")
    lines = list(company(things))
    if len(things) > 1 and not any(thing.photos for thing in things):
        lines += [(ALONE, ONESELF, (things[i % len(things)].name,)) for i in range(EACH)]
    return tuple(ask(i, line, places) for i, line in enumerate(lines))


def ask(number: int, line: Line, places: Sequence[Concept]) -> Ask:
    """A line in front of a background, or where there is one of its own, there every other time."""
    degree, phrase, names = line
    place = places[number // 2 % len(places)] if places and number % 2 else None
    ordinary = BACKGROUNDS[5 * number % len(BACKGROUNDS)]
    known = place.noun if place and place.noun in PLACES else ordinary
    return Ask(
        number=number,
        degree=degree,
        phrase=phrase,
        names=names,
        background=known,
        place=place.name if place else None,
    )


def company(things: Sequence[Concept]) -> Iterator[Line]:
    """Everyone together, or of more than three some and all."""
    names = tuple(thing.name for thing in things)
    if len(names) == 1:
        yield from ((ALONE, ONESELF, names) for _ in range(3 * EACH))
    elif len(names) <= 3:
        yield from phrased(OF_TWO if len(names) == 2 else OF_THREE, [names])
    else:
        couples = look_alikes(things)
        trios = [(*two, third(rotated(names, i), two)) for i, two in enumerate(couples)]
        yield from phrased(OF_TWO, couples)
        yield from phrased(OF_THREE, trios)
        if len(names) <= LARGEST:
            yield from ((LISTED, listing(len(names)), rotated(names, i)) for i in range(EACH))


def phrased(table: Table, groups: Sequence[tuple[str, ...]]) -> Iterator[Line]:
    """Every phrase of a table, about the groups in turn."""
    rows = [(degree, *row) for degree, phrases in table.items() for row in phrases]
    for i, (degree, phrase, order) in enumerate(rows):
        group = groups[i % len(groups)]
        yield degree, phrase, tuple(group[int(i)] for i in order)


def look_alikes(things: Sequence[Concept]) -> list[tuple[str, ...]]:
    """All pairs of one class, or all pairs where no class is shared."""
    pairs = list(combinations(things, 2))
    same = [(a, b) for a, b in pairs if a.noun is not None and a.noun == b.noun]
    return [(a.name, b.name) for a, b in same or pairs]


def third(names: Sequence[str], two: Sequence[str]) -> str:
    """The first who is neither of the two."""
    return next(name for name in names if name not in two)


def listing(n: int) -> Phrase:
    """So many, named one after another."""
    return Phrase(words=", ".join(f"{{{i}}}" for i in range(n - 1)) + f" and {{{n - 1}}}")


def rotated(names: tuple[str, ...], by: int) -> tuple[str, ...]:
    """The names, begun elsewhere."""
    by %= len(names)
    return names[by:] + names[:by]
