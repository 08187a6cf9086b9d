import dataclasses

import pytest
import torch
from conftest import save_picture
from PIL import Image
from test_methods import quick

from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.keep import Keep
from groupshot.losses import FORMULAS
from groupshot.methods.far import FaR
from groupshot.run import Run

pytestmark = pytest.mark.usefixtures("middle")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def small(**fields) -> FaR:
    method = quick("far", **fields)
    assert isinstance(method, FaR)
    return method


@pytest.fixture
def planned(base, two_cats, tmp_path):
    """The one stage of a plan, inside a borrowed base."""
    with base.borrowed():

        def stage(**fields):
            keep = Keep(tmp_path / "kept", seed=0)
            (only,) = small(**fields).plan(base, two_cats, keep)
            return only

        yield stage


def batch(stage, step=0):
    g = seeded(step)
    return stage.samples(stage.draws(step, g), g)


def test_without_fusion_the_photos_are_all_there_is(planned, tmp_path):
    stage = planned(fusion=False)
    captions = {text for step in range(6) for text in batch(stage, step)[0].captions}
    assert {text.split(" of ")[1] for text in captions} == {"<luna>", "<rex>"}
    kept = {file.stem for file in (tmp_path / "kept").iterdir()}
    assert kept == {"priors", "masks"}


def test_composites_come_in_their_share(planned):
    both = planned(composites=1.0, most=2, strangers=1.0)
    captions = [text for step in range(6) for text in batch(both, step)[0].captions]
    assert all("a cat" in text for text in captions)
    assert any("<luna>" in text and "<rex>" in text for text in captions)


@pytest.mark.parametrize(
    "fields", [{"retention": 0.0, "learns": "keys-values"}, {"learns": "lora"}]
)
def test_only_keys_and_values_are_held_and_only_if_asked(planned, fields):
    stage = planned(**fields)
    losses = stage.loss(batch(stage), seeded())
    assert losses.keys() == {"denoising", "prior", "attention"}


def test_without_localized_attention_is_left_alone(planned, base):
    stage = planned(localized=False, learns="keys-values")
    losses = stage.loss(batch(stage), seeded())
    assert losses.keys() == {"denoising", "prior", "retention"}


def test_localized_adds_what_the_formulas_say_and_changes_nothing_else(planned, base):
    stage = planned(attention=0.5)
    pair = batch(stage)

    def losses(**fields):
        return small(**fields).loss(base, pair, seeded())

    plain = losses(localized=False)
    refined = losses(attention=0.5, formula=("relative", "outside"))
    assert {name: refined[name] for name in plain} == plain
    single = {name: losses(attention=1.0, formula=(name,))["attention"] for name in FORMULAS}
    expected = 0.5 * (single["relative"] + single["outside"])
    torch.testing.assert_close(refined["attention"], expected)
    assert len({round(value.item(), 6) for value in single.values()}) == len(FORMULAS)


@pytest.mark.parametrize("learns", ["keys-values", "lora", "unet"])
def test_classes_are_learned_as_the_untouched_base_guesses_them(planned, learns):
    def preserved(stage):
        return stage.loss(batch(stage), seeded())["prior"].item()

    stage = planned(recalled=4, learns=learns)
    assert preserved(stage) == pytest.approx(0, abs=1e-9)
    _, modules = stage.train
    with torch.no_grad():
        for tensor in modules.tensors.values():
            tensor += torch.randn(tensor.shape, generator=seeded())
    assert preserved(stage) > 1e-3, "what was learned since is not what they are held to"


def test_classes_can_be_learned_as_they_are(planned):
    stage = planned(recalled=0)
    assert stage.loss(batch(stage), seeded())["prior"] > 0.1


def test_each_word_learns_to_look_at_its_own(planned, base):
    """With the loss on attention alone, attention comes to lie where the masks are."""
    stage = planned(formula=("leaking",), attention=1.0, composites=1.0)
    pair = batch(stage)
    rows = next(iter(stage.train)).tensors.values()
    for row in rows:
        row.requires_grad_(True)
    learner = torch.optim.Adam(rows, lr=0.1)
    looks = []
    for _ in range(8):
        learner.zero_grad()
        look = stage.loss(pair, seeded())["attention"]
        look.backward()
        learner.step()
        looks.append(look.item())
    assert looks[-1] < looks[0] - 1e-3


def test_the_rest_of_a_picture_counts_as_much_as_is_said(planned, base):
    stage = planned(fusion=False)
    pair = batch(stage)
    mine, _ = pair
    guess, target = torch.randn(2, 4, *base.shape, generator=seeded())
    everywhere = mine.masks.amax(1, keepdim=True)
    elsewhere = torch.cat([guess[:2] + 9 * (everywhere == 0), guess[2:]])
    inside, whole = small(rest=0.0), small(rest=1.0)
    same = [inside.errors(mine, each, target)["denoising"] for each in (guess, elsewhere)]
    torch.testing.assert_close(*same)
    other = [whole.errors(mine, each, target)["denoising"] for each in (guess, elsewhere)]
    assert other[1] > other[0] + 1
    torch.testing.assert_close(other[0], (guess[:2] - target[:2]).square().mean())


def test_what_learns_beside_the_rows_can_be_chosen(planned):
    def rates(**fields):
        return {part.name: rate for part, rate in planned(**fields).train.items()}

    rows = {"tokens": FaR().token_rate}
    assert rates(learns="lora") == rows | {"lora": FaR().lora_rate}
    for whole in ("keys-values", "unet"):
        assert rates(learns=whole) == rows | {whole: FaR().weight_rate}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"resolutions": (16,)}, "choose from 4"),
        ({"segmenter": "nobody"}, "there is no segmenter 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_drawn(
    base, two_cats, tmp_path, monkeypatch, fields, says
):
    monkeypatch.setattr(base, "sampled", lambda *_: pytest.fail("it drew"))
    with pytest.raises(UserError, match=says):
        list(Run(two_cats, base=base, method=small(**fields), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_only_backgrounds_are_refused(base, folder, tmp_path):
    (folder / "cast.yaml").write_text("concepts: {bay: {class: beach, kind: background}}")
    save_picture(folder / "bay" / "1.jpg", colour="teal")
    with pytest.raises(UserError, match="nobody to put before them"):
        list(Run(Cast.load(folder), base=base, method=small(), out=tmp_path / "run"))


def test_photos_full_of_their_subjects_want_white_places(base, two_cats, tmp_path):
    for mask in two_cats.folder.rglob("*.mask.png"):
        full = Image.new("L", (64, 48), 255)
        full.paste(0, (0, 0, 4, 48))
        full.save(mask)
    with pytest.raises(UserError, match="backdrops=plain"):
        list(Run(two_cats, base=base, method=small(), out=tmp_path / "run"))
    white = dataclasses.replace(small(), backdrops=("plain",))
    assert list(Run(two_cats, base=base, method=white, out=tmp_path / "white"))
