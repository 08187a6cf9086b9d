"""The bench at work: it makes what is missing, says how long, and goes on."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benching import DB, TERMS, TI, cell, line, stay_here

from groupshot.bench import results, rows, work
from groupshot.bench.cells import Cell, Line, Plan, Terms
from groupshot.bench.contenders import CEILINGS
from groupshot.errors import UserError
from groupshot.scores.evaluation import Amount


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """The cells that are made, without making them: each has a line, and a file in its folder."""
    stay_here(monkeypatch)
    done: list[Cell] = []

    def pretended(of: Cell, terms: Terms, out: Path, jobs: int) -> Line:
        done.append(of)
        told = line(of, **terms.line, precision=terms.precision, jobs=jobs)
        rows.save_json(out / of.folder / rows.LINE, told)
        return told

    monkeypatch.setattr(rows, "finished", pretended)
    monkeypatch.setattr(rows, "faster", lambda base: "bf16")
    return done


PLAN = Plan(suites=["pairs"], contenders=[TI, DB], casts=range(2), seeds=1)


def test_a_second_run_makes_only_what_is_missing(made, tmp_path, capsys):
    work.benched(PLAN, TERMS, tmp_path)
    assert len(made) == 4
    assert "once the first is" in capsys.readouterr().err
    more = replace(PLAN, contenders=[*PLAN.contenders, *CEILINGS])
    told = work.benched(more, TERMS, tmp_path)
    assert [str(each) for each in made[4:]] == [
        f"pairs · {label} · cast {cast} · seed 0" for cast in (0, 1) for label in ("world", "words")
    ]
    assert len(told) == 8
    assert "4 of 8 cells are finished; the others take about 4 min" in capsys.readouterr().err
    work.benched(more, TERMS, tmp_path)
    assert len(made) == 8


def test_other_weights_or_amounts_are_other_cells(made, tmp_path):
    work.benched(PLAN, TERMS, tmp_path)
    work.benched(PLAN, replace(TERMS, weights="def"), tmp_path)
    work.benched(PLAN, replace(TERMS, amount=Amount()), tmp_path)
    assert len(made) == 12
    assert "2 casts × 1 seed" in (tmp_path / work.TABLE).read_text()


def test_a_bench_that_is_ended_goes_on(made, tmp_path, monkeypatch):
    finished = rows.finished

    def ended(of: Cell, *args: Any) -> Line:
        if made:
            (tmp_path / of.folder.parent / f".{of.folder.name}.x1").mkdir(parents=True)
            raise KeyboardInterrupt
        return finished(of, *args)

    with monkeypatch.context() as patch:
        patch.setattr(rows, "finished", ended)
        with pytest.raises(KeyboardInterrupt):
            work.benched(PLAN, TERMS, tmp_path)
    assert len(results.read(tmp_path / results.FILE)) == 1
    work.benched(PLAN, TERMS, tmp_path)
    assert len(made) == 4
    assert not list((tmp_path / "cells").rglob(".*")), "its leavings are gone"


def test_a_cell_that_cannot_be_made_keeps_no_other_from_it(made, tmp_path, monkeypatch, capsys):
    finished = rows.finished

    def refused(of: Cell, *args: Any) -> Line:
        if of.cast == 0 and of.contender == TI:
            raise UserError("1.png shows nobody")
        return finished(of, *args)

    with monkeypatch.context() as patch:
        patch.setattr(rows, "finished", refused)
        with pytest.raises(UserError, match=r"1 of 4 cells cannot be made: .* shows nobody"):
            work.benched(PLAN, TERMS, tmp_path)
    assert "textual-inversion · cast 0 · seed 0: 1.png shows nobody" in capsys.readouterr().err
    assert len(results.read(tmp_path / results.FILE)) == len(made) == 3
    assert len(work.benched(PLAN, TERMS, tmp_path)) == 4


def test_a_line_that_got_lost_behind_its_cell_is_added(made, tmp_path):
    work.benched(PLAN, TERMS, tmp_path)
    (tmp_path / results.FILE).unlink()
    work.benched(PLAN, TERMS, tmp_path)
    assert len(made) == 4
    assert len(results.read(tmp_path / results.FILE)) == 4


def test_what_was_found_faster_once_all_use(made, tmp_path, monkeypatch, capsys):
    told = work.benched(PLAN, TERMS, tmp_path)
    assert {each["precision"] for each in told} == {"bf16"}
    assert work.settled(TERMS, tmp_path).precision == "bf16"
    assert "faster here" not in capsys.readouterr().err
    monkeypatch.setattr(rows, "faster", lambda base: "fp32")
    assert work.settled(TERMS, tmp_path).precision == "bf16"
    assert work.settled(replace(TERMS, amount=Amount()), tmp_path).precision == "bf16"
    assert f"in bf16, as the cells in {tmp_path}: fp32 is faster here" in capsys.readouterr().err
    assert work.settled(replace(TERMS, weights="def"), tmp_path).precision == "fp32"
    assert "faster here" not in capsys.readouterr().err


def test_several_cells_at_once_are_of_several_casts(made, tmp_path, capsys):
    plan = replace(PLAN, contenders=[TI, DB, *CEILINGS], casts=range(3))
    told = work.benched(plan, TERMS, tmp_path, jobs=2)
    assert [each["cast"] for each in told] == [cast for cast in range(3) for _ in range(4)]
    said = capsys.readouterr().err
    begun = re.findall(r"now pairs · [\w-]+ · cast (\d)", said)
    assert begun[:3] == ["0", "1", "1"], "the second ends first, and leaves its cast free"
    assert "8 of 12 cells are finished; the others take about 2 min" in said
    assert said.endswith("12 of 12 cells are finished\n")
    assert "12 pictures a cell, 2 cells at once" in (tmp_path / work.TABLE).read_text()


def test_a_cell_shares_the_cores(monkeypatch, tmp_path):
    threads: list[int] = []
    monkeypatch.setattr("torch.get_num_threads", lambda: 5)
    monkeypatch.setattr("torch.set_num_threads", threads.append)
    monkeypatch.setattr(rows, "cast_in", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for jobs in (1, 2, 9):
        with pytest.raises(KeyboardInterrupt):
            rows.finished(cell(), TERMS, tmp_path, jobs)
    assert threads == [5, 2, 1]


def test_the_time_is_that_of_the_most_alike():
    done = [
        line(cell(TI), all_seconds=60.0),
        line(cell(DB), all_seconds=600.0),
        line(cell(DB, suite="trios", concepts=3), all_seconds=1200.0),
    ]
    assert work.seconds(cell(TI, cast=1), done) == 60
    assert work.seconds(cell(DB, cast=1), done) == 600
    assert work.seconds(cell(TI, suite="trios", concepts=3), done) == 60
    assert work.seconds(cell(CEILINGS[0]), done) == 330
    assert work.in_words(20) == "1 min"
    assert work.in_words(3 * 3600) == "3.0 h"
