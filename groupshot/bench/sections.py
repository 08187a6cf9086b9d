"""Sections: all that is to be told about each suite, as tables, whoever prints them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from groupshot.bench.cells import Line, cell_of
from groupshot.bench.figures import Difference, Figure, difference, figure
from groupshot.bench.suites import ENTANGLED, SUITES
from groupshot.files import load_json
from groupshot.scores.asks import ALONE
from groupshot.toybox.reader.reading import HERE

MASKS = "mask IoU"

COLUMNS = {
    "all right": "all_right",
    "present": "present",
    "identity": "identity",
    "mixed ↓": "mixed",
    "missing ↓": "missing",
    "prompt": "prompt",
    "prior": "prior",
    "diversity": "diversity",
    MASKS: "mask_iou",
    "CLIP-T": "clip_t",
    "CLIP-I": "clip_i",
    "steps": "steps",
    "seconds": "seconds",
    "MiB": "peak_mb",
}
"""The scores by what they are called in a table; the arrow marks those that should be small."""
WHOLE = ("steps", "seconds", "MiB")
"""Columns of whole numbers."""
APART = {
    "all right": "all_right",
    "present": "present",
    "identity": "identity",
    "mixed ↓": "mixed",
}
"""What is also told for every degree and every kind of cast."""
PLOTTED = ("all right", "identity")
"""Of these, what a crowd's chart shows: how many are wholly right, and how much of each is."""

Rows = Mapping[str, Sequence[Line]]
"""The lines of every contender, by its label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures by contender (rows) and something else (columns)."""

    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Figure | None]]

    @property
    def known(self) -> bool:
        """Whether anybody has a figure."""
        return any(each for row in self.rows.values() for each in row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duels:
    """How much one contender's score is above another's: row less column."""

    title: str
    labels: Sequence[str]
    rows: Mapping[str, Sequence[Difference | None]]

    @property
    def known(self) -> bool:
        """Whether there are cells enough to tell anything."""
        return any(each for row in self.rows.values() for each in row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A suite."""

    suite: str
    shows: str
    extent: str
    """How many casts, seeds and pictures it rests on."""
    lines: Sequence[Line]
    """All that it is about."""
    main: Table
    apart: Sequence[Table]
    duels: Sequence[Duels]
    ceilings: Sequence[str]
    """Labels of those that learn nothing."""
    curves: Mapping[str, Sequence[Table]]
    """What is PLOTTED, by how many were learned at once, apart for how many were asked for."""


def sections(lines: Sequence[Line]) -> list[Section]:
    """A section for each suite that has a line."""
    found = {suite: [line for line in lines if line["suite"] == suite] for suite in SUITES}
    return [section(suite, own) for suite, own in found.items() if own]


def section(suite: str, lines: Sequence[Line]) -> Section:
    """All about one suite."""
    rows = by_label(lines)
    curves = plots(rows) if len(SUITES[suite].sizes) > 1 else {}
    learned = {k: v for k, v in rows.items() if not cell_of(v[0]).contender.ceiling}
    apart = (*degrees(rows), *(sizes(rows) if curves else variants(rows)), *attributes(rows))
    compared = (*APART, MASKS) if suite in ENTANGLED else tuple(APART)
    return Section(
        suite=suite,
        shows=SUITES[suite].shows,
        extent=extent(rows),
        lines=lines,
        main=table("all pictures", rows, scored(lines), lambda line, name: line[COLUMNS[name]]),
        apart=[each for each in apart if each.known],
        duels=[duels(name, COLUMNS[name], learned) for name in compared],
        ceilings=[label for label in rows if label not in learned],
        curves=curves,
    )


def scored(lines: Sequence[Line]) -> list[str]:
    """The columns that anybody has a score for."""
    return [name for name, key in COLUMNS.items() if any(line[key] is not None for line in lines)]


def by_label(lines: Iterable[Line]) -> Rows:
    """The lines of each contender, those that learn first, in the order of their first."""
    found: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: cell_of(line).contender.ceiling):
        found.setdefault(cell_of(line).contender.label, []).append(line)
    return found


def extent(rows: Rows) -> str:
    """How much a suite's figures rest on, and whose rest on less."""
    lines = [line for own in rows.values() for line in own]
    casts, seeds = ({line[key] for line in lines} for key in ("cast", "seed"))
    drawn = sorted({line["pictures"] for line in lines})
    each = f"{drawn[0]}" if len(drawn) == 1 else f"{drawn[0]} to {drawn[-1]}"
    told = f"{counted(len(casts), 'cast')} × {counted(len(seeds), 'seed')}, {each} pictures a cell"
    jobs = max(line["jobs"] for line in lines)
    told = f"{told}, {jobs} cells at once" if jobs > 1 else told
    learned = {k: len({(each["cast"], each["concepts"]) for each in v}) for k, v in rows.items()}
    most = max(learned.values())
    fewer = [f"{label} {n}" for label, n in learned.items() if n < most]
    return f"{told}; of fewer casts: {', '.join(fewer)}" if fewer else told


def counted(n: int, noun: str) -> str:
    """A number of things."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def table(
    title: str,
    rows: Rows,
    columns: Iterable[str],
    value: Callable[[Line, str], float | None],
) -> Table:
    """Figures of every contender for every column."""
    names = list(columns)
    figures = {
        label: [figure(value(line, column) for line in lines) for column in names]
        for label, lines in rows.items()
    }
    return Table(title=title, columns=names, rows=figures)


def degrees(rows: Rows) -> list[Table]:
    """Scores by degree of difficulty, where there is more than one."""
    names = dict.fromkeys(d for lines in rows.values() for line in lines for d in line["degrees"])
    if list(names) == [ALONE]:
        return []
    return [
        table(f"{title}, by degree", rows, names, of_degree(key)) for title, key in APART.items()
    ]


def of_degree(key: str) -> Callable[[Line, str], float | None]:
    """A score of the pictures of a degree; a crowd of two has none of everyone listed."""
    return lambda line, degree: line["degrees"].get(degree, {}).get(key)


def variants(rows: Rows) -> list[Table]:
    """Scores by kind of cast, where there is more than one."""
    kinds = dict.fromkeys(line["variant"] for lines in rows.values() for line in lines)
    return [
        table(f"{title}, by kind of cast", rows, kinds, of_variant(key))
        for title, key in APART.items()
        if len(kinds) > 1
    ]


def of_variant(key: str) -> Callable[[Line, str], float | None]:
    """A score of those lines whose cast is of a kind."""
    return lambda line, kind: line[key] if line["variant"] == kind else None


def sizes(rows: Rows) -> list[Table]:
    """Scores by how many were learned at once, apart for how many were asked for."""
    return [
        replace(each, title=f"{title}, asked for {name}, by how many are learned at once")
        for title, key in APART.items()
        for name, each in crowded(rows, key).items()
    ]


def plots(rows: Rows) -> dict[str, list[Table]]:
    """What is PLOTTED of a crowd."""
    return {title: list(crowded(rows, APART[title]).values()) for title in PLOTTED}


def crowded(rows: Rows, key: str) -> dict[str, Table]:
    """One score by how many were learned at once, for one, two, three and all asked for."""
    every = [line for lines in rows.values() for line in lines]
    learned = [str(size) for size in sorted({line["concepts"] for line in every})]
    asked = dict.fromkeys(name for line in every for name in line["asked"])
    return {name: table(f"asked for {name}", rows, learned, of_size(name, key)) for name in asked}


def of_size(name: str, key: str) -> Callable[[Line, str], float | None]:
    """A score of the pictures of so many, in the lines that learned so many; two are all of two."""

    def value(line: Line, size: str) -> float | None:
        asked = line["asked"].get("two" if name == "all" and line["concepts"] == 2 else name)
        return asked[key] if asked and str(line["concepts"]) == size else None

    return value


def duels(title: str, key: str, rows: Rows) -> Duels:
    """Everyone against everyone."""
    return Duels(
        title=title,
        labels=list(rows),
        rows={
            label: [
                difference(mine, theirs, key) if mine is not theirs else None
                for theirs in rows.values()
            ]
            for label, mine in rows.items()
        },
    )


ERRORS = {
    "class": "clear.kind",
    "colour": "clear.colour",
    "second colour": "clear.second",
    "pattern": "clear.pattern",
    "accessory": "clear.accessory",
    "its colour": "clear.accessory_colour",
    "mark": "clear.mark",
    "count": "count",
    "relation": "relation",
    "background": "background",
}
"""What the judge may misread, and its shares right on its card."""


def attributes(rows: Rows) -> list[Table]:
    """Of those who were found, the share of whom each attribute is right."""
    known = {key for lines in rows.values() for line in lines for key in line["attributes"]}
    names = {n: key for n, row in ERRORS.items() if (key := row.removeprefix("clear.")) in known}
    title = "attributes right, of those found"
    return [table(title, rows, names, lambda line, n: line["attributes"].get(names[n]))]


def judge_says() -> str:
    """How often the judge itself is wrong, by its card."""
    card = load_json(HERE / "reader.json")
    right, garbage = card["1-4 characters"], card["garbage read as known"]
    wrong = ", ".join(f"{name} {1 - right[key]:.1%}" for name, key in ERRORS.items())
    return (
        f"The judge's own errors, on {card['scenes']} held-out drawings of one to four characters: "
        f"{wrong}; attributes are those of characters that nothing hides. It takes "
        f"{garbage['blend']:.0%} of blends of two characters for someone, and "
        f"{garbage['chimera']:.0%} of chimeras."
    )
