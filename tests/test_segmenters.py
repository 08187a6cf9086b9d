from importlib.util import find_spec
from itertools import starmap

import httpx2
import numpy as np
import pytest
import tinies
import torch
from PIL import Image

from groupshot.cast import Cast
from groupshot.demo import examples
from groupshot.errors import UserError
from groupshot.masks import Segmenter, Toybox, sightings, toybox
from groupshot.masks.automatic import own, sam_parts
from groupshot.masks.clipseg import ClipSeg
from groupshot.masks.grounded import Dino, Grounded, Owl, Sam, Sam2, apart, overlap, wider
from groupshot.masks.segmenters import SEGMENTERS, segmenter
from groupshot.samples.strangers import alone
from groupshot.toybox import world
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.reading import Reading, Seen

CPU = torch.device("cpu")
TORCHVISION = find_spec("torchvision") is not None


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of tiny networks, each made when it is first asked for."""
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> str:
        place = root / name
        return str(place) if place.is_dir() else getattr(tinies, name)(place)

    return folder


@pytest.fixture
def picture() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (48, 80, 3))
    return Image.fromarray(noise.astype(np.uint8))


@pytest.mark.parametrize(("kind", "name"), [(Owl, "owl"), (Dino, "dino")])
def test_boxes_of_the_real_format(models, picture, monkeypatch, kind, name):
    monkeypatch.setattr(kind, "threshold", 0.0)
    boxes, scores = kind(models(name), CPU).boxes(picture, "cat")
    assert len(boxes) == len(scores) > 0
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([80, 48, 80, 48])).all()


def test_masks_of_the_real_format(models, picture):
    boxes = torch.tensor([[0.0, 0, 40, 40], [10, 10, 60, 40]])
    masks = Sam(models("sam"), CPU).masks(picture, boxes)
    assert [(mask.shape, mask.dtype) for mask in masks] == [((48, 80), np.bool_)] * 2
    assert (masks[0] != masks[1]).any()


@pytest.mark.parametrize("name", ["owlv2-sam", "dino-sam"])
def test_grounded_as_the_command_line_names_it(models, picture, monkeypatch, name):
    monkeypatch.setattr(Owl, "threshold", 0.0)
    monkeypatch.setattr(Dino, "threshold", 0.0)
    boxes = models("owl" if name == "owlv2-sam" else "dino")
    finder = segmenter(f"{name}={boxes},{models('sam')}", CPU)
    assert isinstance(finder, Segmenter)
    found = finder.found(picture, "cat")
    assert 0 < len(found) <= 8
    assert all(one.mask.shape == (48, 80) for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_clipseg_of_the_real_format(models, picture):
    finder = segmenter(f"clipseg={models('clipseg')}", CPU)
    found = finder.found(picture, "cat")
    assert all(one.mask.shape == (48, 80) and 0 < one.score <= 1 for one in found)


def test_clipseg_parts_what_does_not_touch(models, picture, monkeypatch):
    heat = torch.full((1, 32, 32), -4.0)
    heat[:, 4:12, 2:10] = 4.0
    heat[:, 4:28, 20:30] = 4.0
    heat[:, 30, 15] = 4.0  # a speck
    finder = ClipSeg(models("clipseg"), CPU)
    answer = type("Answer", (), {"logits": heat})
    monkeypatch.setattr(type(finder.model), "__call__", lambda *_, **__: answer)
    small, large = sorted(finder.found(picture, "cat"), key=lambda one: one.mask.sum())
    assert not (small.mask & large.mask).any()
    assert small.mask[:, :30].any()
    assert not small.mask[:, 40:].any()


@pytest.mark.skipif(not TORCHVISION, reason="SAM 2's preparation needs torchvision")
def test_sam_2_of_the_real_format(models, picture):
    boxes = torch.tensor([[0.0, 0, 40, 40], [10, 10, 60, 40]])
    masks = Sam2(models("sam2"), CPU).masks(picture, boxes)
    assert [(mask.shape, mask.dtype) for mask in masks] == [((48, 80), np.bool_)] * 2


@pytest.mark.skipif(not TORCHVISION, reason="transformers tells masks apart with torchvision")
def test_automatic_masks_of_the_real_format(models, picture):
    mask = np.zeros((48, 80), dtype=bool)
    mask[5:40, 10:60] = True
    for part in sam_parts(models("sam"), CPU)(picture, mask):
        assert not (part.mask & ~mask).any()


@pytest.mark.skipif(TORCHVISION, reason="torchvision is here")
def test_without_torchvision(models):
    finder = segmenter(f"owlv2-sam2={models('owl')},{models('sam')}", CPU)
    with pytest.raises(UserError, match="SAM 2 needs torchvision"):
        finder.found(Image.new("RGB", (40, 40)), "cat")
    with pytest.raises(UserError, match="need torchvision"):
        sam_parts(models("sam"), CPU)


def test_only_what_lies_inside_a_concept_and_is_not_all_of_it_is_a_part():
    mask = np.zeros((10, 10), dtype=bool)
    mask[2:8, 2:8] = True
    head, whole, outside = (np.zeros_like(mask) for _ in range(3))
    head[2:5, 2:8] = True
    whole[2:8, 2:8] = True
    outside[0:4, 0:4] = True
    (only,) = own(iter([head, whole, outside]), mask)
    assert (only == head).all()


def test_overlap_of_boxes_by_hand():
    one, other = torch.tensor([0.0, 0, 4, 4]), torch.tensor([2.0, 0, 6, 4])
    assert overlap(one, other) == pytest.approx(8 / 24)
    assert overlap(one, one + 10) == 0


def test_boxes_around_one_thing_leave_the_surest():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]])
    assert apart(boxes, torch.tensor([0.5, 0.9, 0.7])) == [1, 2]


def test_a_margin_stays_inside_the_picture():
    boxes = torch.tensor([[0.0, 10, 20, 30]])
    found = wider(boxes, 0.1, Image.new("RGB", (21, 100)))
    assert found.tolist() == [[0, 8, 21, 32]]


def test_nothing_is_cut_where_nothing_was_detected(picture):
    class Blind:
        def boxes(self, picture, noun):
            return torch.zeros(0, 4), torch.zeros(0)

        def masks(self, picture, boxes):
            raise AssertionError("asked for no box")

    assert Grounded(name="blind", detector=Blind(), cutter=Blind()).found(picture, "cat") == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("owl2-sam", "try owlv2-sam"),
        ("owlv2-sam=a", "names 1 models: write owlv2-sam=google"),
        ("toybox=a", "names 1 models: write toybox"),
    ],
)
def test_a_segmenter_that_is_none(said, words):
    with pytest.raises(UserError, match=words):
        segmenter(said, CPU)


def test_a_folder_that_holds_another_model(models):
    with pytest.raises(UserError, match="of the type sam: name one of the type owlv2"):
        Owl(models("sam"), CPU)


def test_a_folder_that_holds_nothing(tmp_path):
    with pytest.raises(UserError, match="does not load as a AutoConfig"):
        Sam(str(tmp_path), CPU)


@pytest.mark.parametrize(
    ("said", "says"), [("It timed out\nat", "It timed out"), ("", "ReadTimeout")]
)
def test_a_download_that_breaks_is_one_sentence(monkeypatch, said, says):
    def failing(*_, **__):
        raise httpx2.ReadTimeout(said)

    monkeypatch.setattr("groupshot.masks.loading.AutoConfig.from_pretrained", failing)
    with pytest.raises(UserError, match=f"a/b does not load as a AutoConfig: {says}$"):
        Sam("a/b", CPU)


def test_weights_that_would_be_unpickled_are_refused(models, tmp_path):
    config = Sam(models("sam"), CPU).model.config
    config.save_pretrained(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="does not load as a SamModel"):
        Sam(str(tmp_path), CPU)


def test_a_segmenter_is_loaded_when_it_is_first_asked(tmp_path):
    finder = segmenter(f"clipseg={tmp_path}", CPU)
    with pytest.raises(UserError, match="does not load"):
        finder.found(Image.new("RGB", (40, 40)), "cat")


def test_toybox_finds_characters_by_class():
    picture = drawn()
    finder = Toybox(Reader.load("reader"))
    kinds = [placed.identity.kind for placed in picture.scene.characters]
    photo = Image.fromarray(picture.image)
    for kind in set(kinds):
        found = finder.found(photo, kind)
        assert len(found) == kinds.count(kind)
        best = max(iou(found[0].mask, picture.owners == i + 1) for i in range(len(kinds)))
        assert best > 0.8
    assert finder.found(photo, "chair") == []


@pytest.mark.skipif(
    not (toybox.HERE / "segmenter.safetensors").is_file(), reason="it is not trained yet"
)
def test_toybox_finds_everyone_in_the_example_whatever_marks_they_have():
    cast = Cast.load(examples() / "two-cats")
    found = {seen.photo: seen.shares for seen in sightings(cast, Toybox.load())}
    assert len(found) == 10
    assert all(share > 0.1 for shares in found.values() for share in shares.values())


class Doubting(Reader):
    """A reader that sees a fox on the left, which may be a cat, and a cat on the right."""

    def __init__(self):
        """Without any network."""

    def read(self, images):
        halves = np.arange(128)[None] < np.full((128, 1), 64)
        looks = [("fox", {"fox": 0.9, "cat": 0.08}, halves), ("cat", {"cat": 1.0}, ~halves)]
        return [
            Reading(characters=tuple(starmap(seen_as, looks)), background="", style="", bonds=())
        ]


def seen_as(kind, kinds, mask):
    parts = mask.astype(np.uint8)
    box = (0.0, 0.0, 1.0, 1.0)
    return Seen(attributes={"kind": kind}, kinds=kinds, known=True, box=box, mask=mask, parts=parts)


def test_toybox_takes_who_is_likelier_of_another_class_where_the_user_says_that_one_is_there(
    folder,
):
    finder = Toybox(Doubting())
    photo = Image.new("RGB", (128, 128))
    assert [one.score > 0 for one in finder.found(photo, "cat")] == [True, False]
    assert len(finder.found(photo, "fox")) == 1
    assert finder.found(photo, "dog") == []
    assert alone(finder, photo, "cat")[:, 64:].all()
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat}, rex: {class: cat}}\n"
        "together: [{image: luna.cat/1.jpg, shows: [luna, rex]}]\n"
    )
    (both,) = sightings(Cast.load(folder), finder)
    assert both.masks["luna"][:, :32].all() and both.masks["rex"][:, 32:].all()


def test_toybox_finds_them_in_larger_photos():
    picture = drawn()
    photo = Image.fromarray(picture.image).resize((320, 300))
    kind = picture.scene.characters[0].identity.kind
    assert {one.mask.shape for one in Toybox(Reader.load("reader")).found(photo, kind)} == {
        (300, 320)
    }


@pytest.mark.skipif(
    not (toybox.HERE / "segmenter.safetensors").is_file(), reason="it is not trained yet"
)
def test_the_one_that_is_shipped():
    picture = drawn()
    (cat,) = Toybox.load().found(Image.fromarray(picture.image), "cat")
    owners = [placed.identity.kind for placed in picture.scene.characters]
    assert iou(cat.mask, picture.owners == owners.index("cat") + 1) > 0.8


def test_no_segmenter_in_this_installation(monkeypatch, tmp_path):
    monkeypatch.setattr(toybox, "HERE", tmp_path)
    with pytest.raises(UserError, match="is not in this installation"):
        Toybox.load()


def test_hand_is_a_segmenter_that_finds_nobody():
    assert segmenter("hand", CPU).found(Image.fromarray(drawn().image), "cat") == []


def test_every_segmenter_can_be_asked_for():
    for name, kind in SEGMENTERS.items():
        assert segmenter(name, CPU).name == name
        assert all("/" in model for model in kind.models)


def drawn() -> world.Picture:
    """Two of different classes."""
    rng = np.random.default_rng(3)
    people = [world.identity(rng, "cast", kind=kind) for kind in ("cat", "robot")]
    return world.draw(world.staged(rng, people, relation="beside", background="beach"))


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())
