"""The tables as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from groupshot.bench.figures import Difference, Figure
from groupshot.bench.sections import WHOLE, Duels, Section, Table, judge_says

NOTE = (
    "Means ± standard deviations over cells. `world`: drawn by the world, as clearly as it can; "
    "`words`: the base, told everything but the marks, and judged without them."
)
DUELS = (
    "Row less column, and the 95 % interval of a paired bootstrap over cells; **bold** where it "
    "excludes 0. Of fewer than six cells it is too narrow: differences of one sign are enough."
)


def document(sections: Iterable[Section]) -> str:
    """Everything, one suite after another."""
    parts = ["# groupshot bench", judge_says(), NOTE]
    return "\n\n".join([*parts, *(part for each in sections for part in told(each))]) + "\n"


def told(section: Section) -> Iterator[str]:
    """One suite's tables."""
    yield f"## {section.suite}: {section.shows}"
    yield section.extent
    yield grid(section.main, section.ceilings)
    for each in section.apart:
        yield f"### {each.title}"
        yield grid(each, section.ceilings)
    for each in section.duels:
        if each.known:
            yield f"### {each.title}, one against another"
            yield DUELS
            yield matrix(each)


def grid(table: Table, ceilings: Sequence[str]) -> str:
    """A table of figures; the ceilings in italics."""
    rows = {
        f"*{label}*" if label in ceilings else label: [
            written(each, column) for each, column in zip(row, table.columns, strict=True)
        ]
        for label, row in table.rows.items()
    }
    return lines(["", *table.columns], rows)


def matrix(duels: Duels) -> str:
    """A table of differences."""
    rows = {label: [compared(each) for each in row] for label, row in duels.rows.items()}
    return lines(["", *duels.labels], rows)


def lines(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Rows with a head, as a Markdown table."""
    ruled = ["---", *["---:"] * (len(head) - 1)]
    every = [head, ruled, *([label, *row] for label, row in rows.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def written(figure: Figure | None, column: str) -> str:
    """A figure as 0.42 ± 0.10, or as a whole number."""
    if figure is None:
        return "–"
    if column in WHOLE:
        return f"{figure.mean:.0f}"
    spread = "" if figure.spread is None else f" ± {figure.spread:.2f}"
    return f"{figure.mean:.2f}{spread}"


def compared(difference: Difference | None) -> str:
    """A difference with its interval."""
    if difference is None:
        return ""
    text = f"{difference.mean:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]"
    return f"**{text}**" if difference.clear else text
