import pytest
from conftest import save_picture
from test_methods import quick

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.methods.textual_inversion import TextualInversion
from groupshot.run import Run

NAMES = [f"cat-{letter}" for letter in "abcdefghijklmnopqrst"]


def crowd(folder, count: int) -> Cast:
    """A photo of so many cats, who have no others."""
    save_picture(folder / "all" / "1.jpg")
    lines = [f"  {name}: {{class: cat}}" for name in NAMES[:count]]
    shows = ", ".join(NAMES[:count])
    sheet = ["concepts:", *lines, f"together: [{{image: all/1.jpg, shows: [{shows}]}}]"]
    (folder / "cast.yaml").write_text("\n".join(sheet))
    return Cast.load(folder)


def first_step(cast: Cast, base, out, vectors: int) -> None:
    method = TextualInversion(steps=1, batch=1, crops=1, vectors=vectors)
    next(iter(Run(cast, method=method, base=base, out=out)))


def test_more_concepts_than_a_caption_has_room_for(tmp_path, base):
    cast = crowd(tmp_path / "cast", 20)
    with pytest.raises(UserError, match=r"all/1.jpg takes 80 tokens \(cat-a, .* fewer vectors"):
        first_step(cast, base, tmp_path / "run", vectors=4)
    assert not (tmp_path / "run").exists()
    assert base.words == {}


def test_a_concept_that_a_caption_has_no_room_for(tmp_path, base):
    with pytest.raises(UserError, match="<cat-a> takes 100 tokens"):
        first_step(crowd(tmp_path / "cast", 1), base, tmp_path / "run", vectors=100)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("middle")
def test_a_composite_that_a_caption_has_no_room_for(two_cats, tmp_path, base):
    far = quick("far", vectors=40)
    with pytest.raises(UserError, match=r"a composite of 2 takes 80 tokens.*\(most\)"):
        next(iter(Run(two_cats, method=far, base=base, out=tmp_path / "run")))
    assert not (tmp_path / "run").exists()
    alone = quick("far", vectors=40, most=1)
    assert next(iter(Run(two_cats, method=alone, base=base, out=tmp_path / "run")))


def test_as_many_as_a_caption_has_room_for(tmp_path, base):
    first_step(crowd(tmp_path / "cast", 4), base, tmp_path / "run", vectors=2)
