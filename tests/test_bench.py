"""The bench: what is compared, what it costs to go on, and what people see of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
from benching import DB, TERMS, TI, TINY, WORDS, cell, line, stay_here
from PIL import Image
from PIL.Image import Image as Picture

from groupshot.base import Base
from groupshot.bench import results, rows
from groupshot.bench.cells import Line, Plan, Terms, cell_of, is_of
from groupshot.bench.chart import chart
from groupshot.bench.contenders import BASELINES, CEILINGS, Contender, contenders
from groupshot.bench.figures import Figure, difference, figure
from groupshot.bench.markdown import document, written
from groupshot.bench.sections import sections
from groupshot.bench.suites import cast_in, suites
from groupshot.bench.work import TABLE, show
from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.errors import UserError
from groupshot.keep import Keep
from groupshot.methods import METHODS, DreamBooth
from groupshot.runfolder import Trained
from groupshot.scores import scenes
from groupshot.scores.asks import Drawn, asks
from groupshot.scores.evaluation import Amount, Evaluation, Panel
from groupshot.stage import Stage
from groupshot.toybox.troupes import ACROSS, entangled

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


def test_figures_are_written_shortly():
    assert written(None, "prior") == "–"
    assert written(Figure(mean=0.123, spread=None), "prior") == "0.12"
    assert written(Figure(mean=299.6, spread=4), "seconds") == "300"


def crowd(contender: Contender, size: int, share: float) -> Line:
    marks = {key: share for key in ("present", "identity", "mixed", "all_right", "prompt")}
    who = ("two",) if size < 4 else ("two", "three") if size > 6 else ("two", "three", "all")
    asked = dict.fromkeys(who, marks)
    return line(cell(contender, suite="crowd", concepts=size), share, asked=asked)


def test_the_collapse_is_plotted():
    every = [crowd(TI, size, 1 / size) for size in (2, 4, 10)] + [crowd(CEILINGS[0], 2, 1.0)]
    (section,) = sections(every)
    assert list(section.curves) == ["two", "three", "all"]
    assert section.curves["two"].rows["textual-inversion"][2] == Figure(mean=0.1, spread=None)
    assert section.curves["three"].rows["textual-inversion"][0] is None
    of_all = section.curves["all"].rows["textual-inversion"]
    assert [each and each.mean for each in of_all] == [0.5, 0.25, None], "two are all of two"
    drawn = chart(list(section.curves.values()))
    assert drawn.count("<polyline") == 3, "a point is no line"
    assert drawn.count("<circle") == 2 + 4 + 2 + 3, "two labels, and every point"
    assert "asked for three, by how many are learned at once" in document([section])
    assert "present, by degree" in document([section])


# the whole


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures, few drawings of the world, and no other process."""
    stay_here(monkeypatch)
    monkeypatch.setattr("groupshot.commands.QUICK", TINY)
    monkeypatch.setattr("groupshot.scores.scenes.TRIES", 1)
    monkeypatch.setattr("groupshot.scores.diversity.DRAWINGS", 2)


TYPED = "textual-inversion[steps=2,batch=1,crops=1],dreambooth[steps=2,batch=1,crops=1,priors=1]"


def test_quick(small, world_base_folder, tmp_path, capsys):
    typed = ["bench", "--quick", "--methods", TYPED, "--base", world_base_folder]
    typed += ["--cast-seed", "3", "--out", tmp_path / "out", "--json"]
    assert main([str(word) for word in typed]) == 0
    document = json.loads(capsys.readouterr().out)
    every = [json.loads(row) for row in (tmp_path / "out" / results.FILE).read_text().splitlines()]
    assert document["cells"] == every
    told = {each["method"]: each for each in every}
    assert list(told) == ["textual-inversion", "dreambooth", "world", "words"]
    assert all(tuple(each)[: len(results.KEYS)] == results.KEYS for each in every)
    assert {each["cast"] for each in every} == {3}
    assert {each["variant"] for each in every} == {ACROSS}
    assert told["dreambooth"]["fields"] == {"steps": 2, "batch": 1, "crops": 1, "priors": 1}
    assert told["dreambooth"]["steps"] == 2
    assert told["dreambooth"]["prior"] is not None
    assert told["words"]["prior"] is not None
    assert told["world"]["prior"] is None
    assert told["world"]["present"] > 0.7
    assert told["world"]["steps"] == told["words"]["steps"] == 0
    check_page(Path(document["page"]))


def check_page(page: Path) -> None:
    """Every picture that the page names is there, and nothing is fetched from elsewhere."""
    text = page.read_text(encoding="utf-8")
    sources = re.findall(r'<img[^>]* src="([^"]+)"', text)
    assert len(sources) == 10 + 4 * 12
    for source in sources:
        with Image.open(page.parent / unquote(source)) as picture:
            picture.load()
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert text.count('class="column"') == 4 * 12
    labels = re.findall(r"<h4>([^<]+)</h4>", text)
    assert [label.split("[")[0] for label in labels] == [*BASELINES, "world", "words"]
    assert "&lt;luna&gt; hugging" in text or "&lt;milo&gt; hugging" in text


def test_a_cell_is_reproducible(small, world_base_folder, tmp_path):
    terms = Terms(base=str(world_base_folder), weights="abc", amount=TINY, precision="fp32")
    slow = contenders("textual-inversion[steps=2,batch=1,crops=1,rate=1.2e-5]")[0]
    mine = cell(slow, suite="single", concepts=1)
    one, same = (rows.finished(mine, terms, tmp_path / name) for name in ("one", "same"))
    assert is_of(one, mine, terms)
    for moving in ("seconds", "peak_mb", "all_seconds"):
        one[moving] = same[moving] = 0
    assert one == same


def test_to_draw_more_nothing_is_learned_again(small, world_base_folder, tmp_path, monkeypatch):
    few = Terms(base=str(world_base_folder), weights="abc", amount=TINY, precision="fp32")
    more = replace(few, amount=Amount(each=2, prior=2))
    (mine,) = contenders("textual-inversion[steps=2,batch=1,crops=1]")
    mine = cell(mine, suite="single", concepts=1)
    first = rows.finished(mine, few, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "Run", None)  # would be called, were it learned
        then = rows.finished(mine, more, tmp_path)
        assert is_of(then, mine, more)
        assert then["pictures"] == 2 * first["pictures"]
        assert all(then[key] == first[key] for key in ("steps", "seconds", "peak_mb"))
        assert Trained.load(tmp_path / mine.folder / rows.RUN).learned
        for other in (replace(more, weights="def"), replace(more, precision="bf16")):
            with pytest.raises(TypeError):
                rows.finished(mine, other, tmp_path)
    assert rows.finished(mine, few, tmp_path)["present"] == first["present"]


def test_words_are_judged_without_marks(small, world_base_folder, tmp_path, monkeypatch):
    def spoken_for(base: Base, panel: Panel, each: int) -> Drawn:
        unmarked = {name: replace(who, mark="none") for name, who in panel.people.items()}
        return {ask: scenes.clear_pictures(ask, unmarked, each) for ask in asks(panel.cast)}

    monkeypatch.setattr(rows, "told", spoken_for)
    terms = Terms(base=str(world_base_folder), weights="abc", amount=TINY, precision="fp32")
    told = rows.finished(cell(WORDS, suite="single", concepts=1), terms, tmp_path)
    assert told["all_right"] >= 0.7, "of each picture, six attributes and no mark"


def test_words_have_the_prior_of_other_noise(small, world_base_folder, tmp_path, monkeypatch):
    seeds: list[int] = []

    def drawn(*_: object, n: int, seed: int) -> Iterator[Picture]:
        seeds.append(seed)
        return repeat(Image.new("RGB", (128, 128), "white"), n)

    monkeypatch.setattr("groupshot.scores.prior.drawn", drawn)
    terms = Terms(base=str(world_base_folder), weights="abc", amount=TINY, precision="fp32")
    told = rows.finished(cell(WORDS, suite="single", concepts=1), terms, tmp_path)
    assert set(seeds) == {0, rows.OTHER_NOISE}
    assert told["prior"] == 1, "nobody was there, and nobody is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A method that may be given masks."""

    name: ClassVar[str] = "masked"

    hand_masks: bool = False
    """Whether it is."""

    def plan(self, base: Base, cast: Cast, keep: Keep) -> Iterator[Stage[Any]]:
        raise NotImplementedError


def test_methods_that_are_given_masks_get_a_cast_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, Masked.name, Masked)
    plain, given = (cell(each, suite="entangled") for each in contenders(f"masked,{GIVEN}"))
    by_hand, found = contenders("break-a-scene[segmenter=hand],break-a-scene")
    assert by_hand.hand_masks
    assert not found.hand_masks
    assert plain.cast_folder == cell(TI, suite="entangled").cast_folder
    assert not any(
        each.masks for each in cast_in(tmp_path / plain.cast_folder, entangled(0), False).together
    )
    own = cast_in(tmp_path / given.cast_folder, entangled(0), given.contender.hand_masks)
    assert all(each.masks.keys() == {"luna", "milo"} for each in own.together)


GIVEN = "masked[hand_masks=true]"


def test_evaluate_prints_the_scores_of_a_run(
    small, world_base_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("groupshot.commands.FULL", TINY)
    terms = Terms(base=str(world_base_folder), weights="abc", amount=TINY, precision="fp32")
    mine = cell(contenders(TYPED)[0], suite="single", concepts=1)
    told = rows.finished(mine, terms, tmp_path)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / mine.folder / "run"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {k: pytest.approx(scores[k], abs=1e-4) for k in ("identity", "prompt", "clip_t")} == {
        k: told[k] for k in ("identity", "prompt", "clip_t")
    }


def test_evaluate_tells_what_is_right_of_those_found(capsys, monkeypatch):
    shares = {"mark": 0.5, "accessory_colour": 1.0}
    scored = Evaluation(present=0.75, attributes=shares)
    monkeypatch.setattr("groupshot.commands.evaluated", lambda *_: scored)
    assert main(["evaluate", "runs/cats"]) == 0
    told = capsys.readouterr().out
    assert "   present  0.75" in told
    assert "right, of those found: mark 0.50, accessory colour 1.00" in told
