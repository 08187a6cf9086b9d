"""The bench: what is compared, what it costs to go on, and what people see of it."""

import json
import re
from dataclasses import replace

import pytest
from benching import DB, TERMS, TI, cell, line

from groupshot.bench import results
from groupshot.bench.cells import Line, Plan, cell_of, is_of
from groupshot.bench.chart import chart
from groupshot.bench.contenders import CEILINGS, Contender, contenders
from groupshot.bench.figures import Figure, difference, figure
from groupshot.bench.markdown import document, written
from groupshot.bench.sections import sections
from groupshot.bench.suites import suites
from groupshot.bench.work import TABLE, show
from groupshot.errors import UserError
from groupshot.methods import DreamBooth
from groupshot.scores.evaluation import Amount

# what is compared


def test_contenders_may_carry_fields():
    found = contenders("dreambooth, dreambooth[steps=2,rank=4] ,textual-inversion[rate=1e-4]")
    assert [each.label for each in found] == [
        "dreambooth",
        "dreambooth[steps=2,rank=4]",
        "textual-inversion[rate=0.0001]",
    ]
    assert found[1].fields == {"steps": 2, "rank": 4}
    assert found[1].built() == DreamBooth(steps=2, rank=4)
    assert contenders("dreambooth,dreambooth") == [DB]


def test_a_field_of_several_values_keeps_its_commas():
    (found,) = contenders("dreambooth[modules=to_k,to_v,steps=2]")
    assert found.fields == {"modules": ["to_k", "to_v"], "steps": 2}
    assert found.built() == DreamBooth(modules=("to_k", "to_v"), steps=2)
    assert contenders(found.label) == [found]
    assert json.loads(json.dumps(found.fields)) == found.fields


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("dreamboth", "try dreambooth"),
        ("dreambooth[step=2]", "try steps"),
        ("dreambooth[steps=two]", "steps takes a whole number"),
        ("dreambooth[batch=0]", "batch is at least 1"),
        ("dreambooth[steps=2", "names no methods"),
        ("", "names nobody"),
        ("world", "there is no method 'world'"),
    ],
)
def test_mistakes_in_methods(typed, words):
    with pytest.raises(UserError, match=re.escape(words)):
        contenders(typed)


def test_suites_are_known_by_name():
    assert suites("trios, pairs,trios") == ["trios", "pairs"]
    with pytest.raises(UserError, match="there is no suite 'pair'"):
        suites("pair")


def test_a_plan_is_every_cast_with_every_contender():
    plan = Plan(suites=["pairs"], contenders=[TI, *CEILINGS], casts=range(5, 7), seeds=2)
    told = [(each.contender.label, each.cast, each.seed) for each in plan.cells()]
    for cast in (5, 6):
        assert [(label, seed) for label, one, seed in told if one == cast] == [
            ("textual-inversion", 0),
            ("textual-inversion", 1),
            ("world", 0),
            ("words", 0),
        ]


def test_a_crowd_is_a_cell_for_each_size():
    plan = Plan(suites=["crowd"], contenders=[TI], casts=range(1), seeds=1)
    assert [each.concepts for each in plan.cells()] == [2, 4, 6, 8, 10]
    assert len({each.folder for each in plan.cells()}) == 5


def test_a_field_with_a_path_makes_no_folders():
    mine = cell(Contender(method="dreambooth", fields={"modules": ["a/b"]}))
    assert mine.folder.parent.parent == cell(DB).folder.parent.parent


def test_a_line_counts_only_for_its_own_cell_on_the_same_terms():
    mine = cell(Contender(method="dreambooth", fields={"rank": 4}))
    assert is_of(line(mine), mine, TERMS)
    assert cell_of(json.loads(json.dumps(line(mine)))) == mine
    for other in (
        cell(DB),
        replace(mine, cast=1),
        replace(mine, seed=1),
        replace(mine, suite="trios"),
    ):
        assert not is_of(line(mine), other, TERMS)
    assert not is_of(line(mine), mine, replace(TERMS, weights="def"))
    assert not is_of(line(mine), mine, replace(TERMS, amount=Amount()))


def test_a_line_of_other_defaults_counts_no_more_and_leaves_the_tables(tmp_path):
    now, stale = line(cell()), line(cell(cast=1))
    stale["settings"] = {**stale["settings"], "steps": 3}
    assert not is_of(stale, cell(cast=1), TERMS)
    for each in (stale, now, line(cell(DB))):
        results.append(tmp_path / results.FILE, each)
    show(TERMS, tmp_path)
    text = (tmp_path / TABLE).read_text()
    assert "1 cast × 1 seed" in text
    assert "dreambooth" in text


# results.jsonl


def test_a_line_that_was_cut_short_is_not_there_and_the_next_is_whole(tmp_path):
    file = tmp_path / "out" / results.FILE
    assert results.read(file) == []
    one, two = line(cell()), line(cell(DB))
    results.append(file, one)
    with file.open("a") as opened:
        opened.write(json.dumps(two)[:90])
    assert results.read(file) == [one]
    results.append(file, two)
    assert results.read(file) == [one, two]
    assert file.read_text().count("\n") == 3


def test_lines_of_another_making_are_passed_over(tmp_path):
    file = tmp_path / results.FILE
    file.write_text('[1]\n{"suite": "pairs"}\nnull\n')
    assert results.read(file) == []


# figures


def test_means_and_spreads_are_of_what_is_known():
    known = figure([0.25, None, 0.75])
    assert known is not None
    assert (known.mean, known.spread) == (0.5, pytest.approx(0.125**0.5))
    assert figure([0.2]) == Figure(mean=0.2, spread=None)
    assert figure([None]) is None


def lines(contender: Contender, values: list[float]) -> list[Line]:
    return [line(cell(contender, cast=i), value) for i, value in enumerate(values)]


def test_a_difference_is_clear_where_its_interval_excludes_nothing():
    low = lines(TI, [0.1, 0.2, 0.3, 0.2, 0.1, 0.3])
    high = lines(DB, [0.4, 0.4, 0.7, 0.5, 0.3, 0.6])
    apart = difference(high, low, "all_right")
    assert apart is not None
    assert apart.mean == pytest.approx(1.7 / 6)
    assert 0.2 <= apart.low < apart.mean < apart.high <= 0.4
    assert apart.clear
    noisy = difference(lines(DB, [0.0, 0.5, 0.1, 0.4, 0.0, 0.5]), low, "all_right")
    assert noisy is not None
    assert not noisy.clear
    same = difference(low, low, "all_right")
    assert same is not None
    assert (same.low, same.high, same.clear) == (0, 0, False)


def test_a_difference_is_paired_by_cast_and_seed():
    one = lines(TI, [0.1, 0.5, 0.9])
    other = list(reversed(lines(DB, [0.2, 0.6, 1.0]))) + [line(cell(DB, cast=9), 0.0)]
    apart = difference(other, one, "all_right")
    assert apart is not None
    assert (apart.low, apart.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert difference(one[:2], other, "all_right") is None, "of two cells nothing can be said"
    assert difference(one, other, "mask_iou") is None


# what people see


def test_tables_tell_everything_apart():
    every = [
        *lines(CEILINGS[0], [0.9, 1.0, 1.0, 0.9]),
        *lines(TI, [0.1, 0.2, 0.1, 0.3]),
        *lines(DB, [0.4, 0.6, 0.5, 0.7]),
    ]
    text = document(sections(every))
    assert "The judge's own errors" in text
    assert "## pairs: two of one class" in text
    assert "4 casts × 1 seed, 12 pictures a cell" in text
    assert "| dreambooth | 0.55 ± 0.13 |" in text
    assert "| *world* | 0.95 ± 0.06 |" in text
    assert "### all right, by degree" in text
    assert "| dreambooth | 0.45 ± 0.07 | 0.65 ± 0.07 |" in text, "by style"
    assert "### attributes right, of those found\n\n|  | class | mark |" in text
    assert "| dreambooth | 1.00 ± 0.00 | 0.55 ± 0.13 |" in text
    assert re.search(r"\| dreambooth \| \*\*\+0\.38 \[\+0\.3\d, \+0\.4\d\]\*\* \|  \|", text)
    assert "world" not in text.split("one against another")[1], "ceilings are not compared"


def test_masks_are_compared_where_there_are_any():
    every = [*lines(TI, [0.1, 0.2, 0.1, 0.3]), *lines(DB, [0.4, 0.6, 0.5, 0.7])]
    assert "mask IoU" not in document(sections(every))
    covered = [each | {"mask_iou": 0.5 + 0.2 * (each["method"] == "dreambooth")} for each in every]
    text, apart = document(sections(covered)), "### mask IoU, one against another"
    assert "| diversity | mask IoU | CLIP-T |" in text and apart not in text
    found = document(sections([each | {"suite": "entangled"} for each in covered]))
    assert "**+0.20 [+0.20, +0.20]**" in found.split(apart)[1]


def test_where_nothing_was_drawn_no_table_is_empty():
    nothing = dict.fromkeys(results.KEYS[5:], None) | {"degrees": {}, "attributes": {}, "asked": {}}
    every = [each | nothing | {"steps": 9} for each in lines(TI, [0.1, 0.2, 0.1])]
    text = document(sections(every))
    assert "|  | steps |\n" in text and "###" not in text


def test_a_table_says_who_has_learned_fewer_casts():
    every = [*lines(TI, [0.1, 0.2, 0.1]), *lines(DB, [0.4, 0.6]), *lines(CEILINGS[0], [1.0] * 3)]
    (section,) = sections(every)
    assert section.extent.endswith("a cell; of fewer casts: dreambooth 2")


def test_figures_are_written_shortly():
    assert written(None, "prior") == "–"
    assert written(Figure(mean=0.123, spread=None), "prior") == "0.12"
    assert written(Figure(mean=299.6, spread=4), "seconds") == "300"


def crowd(contender: Contender, size: int, share: float) -> Line:
    marks = {key: share for key in ("present", "identity", "mixed", "all_right", "prompt")}
    who = ("two",) if size < 4 else ("two", "three") if size > 6 else ("two", "three", "all")
    apart = {
        "asked": dict.fromkeys(who, marks),
        "degrees": dict.fromkeys(("occlusion", *(["listed"] if "all" in who else [])), marks),
    }
    return line(cell(contender, suite="crowd", concepts=size), share, **apart)


def test_the_collapse_is_plotted():
    every = [crowd(TI, size, 1 / size) for size in (2, 4, 10)] + [crowd(CEILINGS[0], 2, 1.0)]
    (section,) = sections(every)
    assert list(section.curves) == ["all right", "identity"]
    of_two, of_three, of_all = (
        each.rows["textual-inversion"] for each in section.curves["all right"]
    )
    assert of_two[2] == Figure(mean=0.1, spread=None)
    assert of_three[0] is None
    assert [each and each.mean for each in of_all] == [0.5, 0.25, None], "two are all of two"
    drawn = chart(section.curves)
    assert drawn.count("<polyline") == 2 * 3, "a point is no line"
    assert drawn.count("<circle") == 2 + 2 * (4 + 2 + 3), "two labels, and every point"
    assert "identity, asked for three" in drawn
    assert "asked for three, by how many are learned at once" in document([section])
    text = document([section])
    assert "### present, by degree\n\n|  | occlusion | listed |" in text
    assert "| *world* | 1.00 | – |" in text, "two are not listed"
