"""The page: the tables, and below them the pictures behind every number."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader

from groupshot.bench.cells import Line
from groupshot.bench.chart import chart
from groupshot.bench.gallery import exhibits
from groupshot.bench.markdown import DUELS, NOTE, compared, written
from groupshot.bench.sections import Section, judge_says


def page(sections: Sequence[Section], lines: Sequence[Line], out: Path) -> str:
    """HTML for a file in `out`, whose pictures it names; nothing is fetched from elsewhere."""
    templates = Environment(
        loader=PackageLoader("groupshot.bench", "."), autoescape=True, trim_blocks=True
    )
    shown = {s.suite: [line for line in lines if line["suite"] == s.suite] for s in sections}
    return templates.get_template("page.html").render(
        sections=sections,
        exhibits={suite: list(exhibits(own, out)) for suite, own in shown.items()},
        charts={s.suite: chart(list(s.curves.values())) for s in sections if s.curves},
        judge=judge_says(),
        note=NOTE,
        duels=DUELS,
        written=written,
        compared=compared,
    )
