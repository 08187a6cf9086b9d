"""Cells made, judged and shown: the bench as a whole."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
from benching import TI, TINY, WORDS, cell, stay_here
from PIL import Image
from PIL.Image import Image as Picture

from groupshot.base import Base
from groupshot.bench import results, rows
from groupshot.bench.cells import Terms, is_of
from groupshot.bench.contenders import BASELINES, contenders
from groupshot.bench.suites import cast_in
from groupshot.bench.work import PAGE, TABLE
from groupshot.cast import Cast
from groupshot.cli import main
from groupshot.keep import Keep
from groupshot.methods import METHODS
from groupshot.runfolder import Trained
from groupshot.scores import scenes
from groupshot.scores.asks import Drawn, asks
from groupshot.scores.evaluation import Amount, Evaluation, Panel
from groupshot.stage import Stage
from groupshot.toybox.troupes import ACROSS, entangled


@pytest.fixture
def small(few_drawings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures, few drawings of the world, and no other process."""
    stay_here(monkeypatch)
    monkeypatch.setattr("groupshot.commands.QUICK", TINY)


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


def test_where_nothing_is_drawn_masks_alone_are_judged(
    small, world_base_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("groupshot.pictures.drawn", None)  # would be called, were a picture drawn
    few = "segmenter=hand,resolution=4,steps=1,batch=1,crops=1,priors=0"
    typed = ["bench", "--undrawn", "--suite", "entangled", "--casts", "1"]
    typed += ["--methods", f"break-a-scene[{few}]", "--base", world_base_folder, "--out", tmp_path]
    assert main([str(word) for word in (*typed, "--json")]) == 0
    (line,) = json.loads(capsys.readouterr().out)["cells"]
    assert line["mask_iou"] == 1 and line["pictures"] == 0 and line["present"] is None
    table = (tmp_path / TABLE).read_text()
    assert "|  | mask IoU | steps | seconds | MiB |" in table and "###" not in table
    assert "break-a-scene" in (tmp_path / PAGE).read_text()
    assert not list(tmp_path.glob("*.webp"))


def test_where_no_prior_is_asked_for_class_words_are_not_drawn(
    small, world_base_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("groupshot.commands.NO_PRIOR", replace(TINY, prior=0))
    monkeypatch.setattr("groupshot.scores.prior.drawn", None)  # would be called, were one drawn
    typed = ["bench", "--no-prior", "--suite", "single", "--casts", "1", "--methods", TYPED]
    typed += ["--base", world_base_folder, "--out", tmp_path, "--json"]
    assert main([str(word) for word in typed]) == 0
    lines = json.loads(capsys.readouterr().out)["cells"]
    assert [line["prior"] for line in lines] == [None] * 4
    assert all(line["pictures"] == 12 and line["present"] is not None for line in lines)
    table = (tmp_path / TABLE).read_text()
    assert "dreambooth" in table and "nan" not in table


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
