"""The page: the tables, and below them the pictures behind every number."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader

from groupshot.bench.chart import chart
from groupshot.bench.gallery import exhibits
from groupshot.bench.markdown import DUELS, NOTE, compared, written
from groupshot.bench.sections import Section, judge_says


def page(sections: Sequence[Section], out: Path) -> str:
    """HTML for a file in `out`, whose pictures it names; nothing is fetched from elsewhere."""
    templates = Environment(
        loader=PackageLoader("groupshot.bench", "."), autoescape=True, trim_blocks=True
    )
    return templates.get_template("page.html").render(
        sections=sections,
        exhibits={s.suite: list(exhibits(s.lines, out)) for s in sections},
        charts={s.suite: chart(s.curves) for s in sections if s.curves},
        judge=judge_says(),
        note=NOTE,
        duels=DUELS,
        written=written,
        compared=compared,
    )
