import pytest
from conftest import save_picture

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
    with pytest.raises(UserError, match="all/1.jpg shows 20 concepts of together 80 tokens"):
        first_step(cast, base, tmp_path / "run", vectors=4)
    assert not (tmp_path / "run").exists()
    assert base.words == {}


def test_as_many_as_a_caption_has_room_for(tmp_path, base):
    first_step(crowd(tmp_path / "cast", 4), base, tmp_path / "run", vectors=2)
