import json
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from groupshot.basefolder import TOYBOX
from groupshot.toybox.reader import Reader, examples, losses, measuring, reading, spoiling, training
from groupshot.toybox.world import draw, dream
from groupshot.toybox.world.vocabulary import ATTRIBUTES, PARTS, RELATIONS

FOLDER = Path(reading.__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))
"""What is shipped: the reader, and the segmenter once it is trained."""


@cache
def loaded(name: str = "reader") -> Reader:
    return Reader.load(name)


@cache
def pictures(n: int = 48):
    return [draw(measuring.scene(100_000 + k, measuring.FEW)) for k in range(n)]


@pytest.mark.parametrize("name", NAMES)
def test_reads_scenes_it_never_saw(name):
    tally = measuring.Tally()
    readings = loaded(name).read([Image.fromarray(p.image) for p in pictures()])
    for picture, answer in zip(pictures(), readings, strict=True):
        measuring.judged(picture, answer, tally)
    means = tally.means()
    assert means["clear.kind"] >= 0.97
    assert min(means[f"clear.{name}"] for name in ATTRIBUTES) >= 0.93
    assert means["count"] >= 0.95
    assert means["relation"] >= 0.9
    assert means["background"] >= 0.95
    assert means["mask.large"] >= 0.93


def test_garbage_is_no_character():
    made = [measuring.garbage(200_000 + k) for k in range(12)]
    for sort, most in {"background": 0, "noise": 0, "blend": 3, "chimera": 6}.items():
        readings = loaded().read([Image.fromarray(m[sort]) for m in made])
        assert sum(len(r.known) > 0 for r in readings) <= most, sort


@pytest.mark.parametrize("name", NAMES)
def test_card_tells_what_was_measured_on_enough_scenes(name):
    card = json.loads((FOLDER / f"{name}.json").read_text())
    assert card["scenes"] >= 5000
    assert {f"clear.{a}" for a in ATTRIBUTES} < card["1-4 characters"].keys()
    assert card["1-4 characters"]["clear.kind"] >= 0.98


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_small(name):
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 4 * 2**20


def test_every_training_is_a_network_of_its_own():
    assert "reader" in NAMES
    for one, two in combinations((loaded(name).network.state_dict() for name in NAMES), 2):
        assert all(not torch.equal(one[k], two[k]) for k in one if k.endswith("0.weight"))


def test_a_reading_is_whole():
    for answer in loaded().read([Image.fromarray(p.image) for p in pictures(8)]):
        middles = [np.argwhere(c.mask)[:, 1].mean() for c in answer.characters]
        assert all(a <= b for a, b in pairwise(middles))
        n = len(answer.characters)
        assert len(answer.relations) == n * (n - 1) // 2
        assert set(answer.relations.values()) <= set(RELATIONS)
        for seen in answer.characters:
            assert tuple(seen.attributes) == ATTRIBUTES
            assert (seen.parts[~seen.mask] == 0).all()
            assert seen.parts.max() < len(PARTS)
            ys, xs = seen.mask.nonzero()
            assert seen.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_pictures_of_any_size_and_batch_read_alike():
    image = Image.fromarray(pictures()[0].image)
    large = image.resize((512, 512), Image.Resampling.BICUBIC).convert("RGBA")
    small, big = loaded().read([image, large])
    assert [c.attributes["kind"] for c in small.characters] == [
        c.attributes["kind"] for c in big.characters
    ]
    assert loaded().read([]) == []
    assert loaded().read([Image.new("RGB", (64, 64))])[0].known == ()


def test_features_tell_pictures_apart():
    images = [Image.fromarray(p.image) for p in pictures()[:6]]
    vectors = loaded().features([*images, images[0]])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(vectors[0], vectors[-1])
    apart = torch.pdist(vectors[:6])
    assert apart.min() > 0.05


def test_examples_hold_the_scene():
    scene = next(
        s
        for k in range(100)
        if (s := dream(np.random.default_rng(k), population="marked", count=3, relation="riding"))
        and s.bonds
    )
    bond = scene.bonds[0]
    batch = examples.examples([draw(scene)])
    ways = [examples.ORDERED[int(batch.bonds[0, i, j])] for i, j in _both(bond)]
    assert ways == [("riding", False), ("riding", True)]
    told = batch.traits[0, 0].tolist()
    assert [v[k] for v, k in zip(examples.VALUES.values(), told, strict=True)] == [
        getattr(scene.characters[0].identity, name) for name in ATTRIBUTES
    ]
    assert (batch.traits[0, 3:] == -1).all()


def _both(bond):
    return ((bond.first, bond.second), (bond.second, bond.first))


def test_training_never_draws_what_is_measured():
    streams = np.random.default_rng([1, 0, 0]), np.random.default_rng([measuring.HELD_OUT, 1, 0])
    assert streams[0].random() != streams[1].random()
    assert not any(c.identity.reserved for k in range(30) for c in examples.dreamt(0, k).characters)


def test_harms_leave_a_picture_and_garbage_does_not():
    generator = torch.Generator().manual_seed(0)
    batch = torch.rand(16, 3, 128, 128, generator=generator) * 0.2
    batch[:, :, 32:96, 32:96] += 0.6
    harmed = spoiling.harmed(batch, generator)
    assert (harmed - batch).abs().mean() < 0.1
    mask = torch.zeros(1, 128, 128)
    mask[:, 32:96, 32:96] = 1
    box = torch.tensor([32.0, 32.0, 96.0, 96.0])
    mine, theirs = torch.cat([batch[0], mask]), torch.cat([1 - batch[1], mask])
    for _ in range(8):
        spoilt, zone = spoiling.impostor(mine, theirs, (box, box), generator)
        assert torch.equal(zone, mask[0] > 0)
        assert torch.equal(spoilt[:, ~zone], batch[0][:, ~zone])
        assert (spoilt - batch[0]).abs().amax() > 0.1


def test_a_character_can_be_laid_over_another():
    source, goal = torch.tensor([0.0, 0.0, 32.0, 64.0]), torch.tensor([64.0, 64.0, 128.0, 128.0])
    picture = torch.zeros(1, 128, 128)
    picture[:, :64, :32] = 1
    moved = spoiling.warped(picture, source, goal)
    assert moved[0, 66:, 66:126].min() > 0.9
    assert moved[0, :62].max() == 0


def test_training_learns_and_goes_on_from_its_checkpoint(tmp_path):
    plan = training.Plan(seed=3, folder=tmp_path, shards=1, batch=4, minutes=1)
    fresh = training.begun(plan)
    drawn = examples.examples([draw(examples.dreamt(3, k)) for k in range(4)])
    task = losses.lesson(drawn, 0.0, torch.Generator().manual_seed(0))
    told: list[float] = []
    for _ in range(3):
        loss = losses.loss_of(fresh.network, task, True, torch.Generator().manual_seed(0))
        told.append(loss.item())
        fresh.network.zero_grad()
        loss.backward()
        for optimiser in fresh.optimisers:
            optimiser.step()
        fresh.steps += 1
        training.averaged(fresh)
    assert told[-1] < told[0]
    training.saved(fresh, plan)
    again = training.resumed(plan)
    assert again.steps == 3
    for kept, back in ((fresh.network, again.network), (fresh.mean, again.mean)):
        for name, tensor in kept.state_dict().items():
            assert torch.equal(tensor, back.state_dict()[name]), name
    ones, twos = ([o.state_dict()["state"] for o in p.optimisers] for p in (fresh, again))
    assert torch.equal(ones[0][0]["momentum"], twos[0][0]["momentum"])
    assert torch.equal(ones[1][0]["exp_avg"], twos[1][0]["exp_avg"])


def test_training_can_begin_with_shipped_weights():
    path = FOLDER / "reader.safetensors"
    begun = training.begun(training.Plan(start=str(path)))
    for network in (begun.network, begun.mean):
        weights = network.state_dict()
        for name, half in load_file(path).items():
            torch.testing.assert_close(weights[name], half.float())


def test_a_vae_can_be_one_of_the_harms():
    *others, through = training.harms_of(training.Plan(vae=str(TOYBOX / "vae")))
    assert tuple(others) == spoiling.HARMS
    picture = reading.tensor_of([Image.fromarray(p.image) for p in pictures()[:2]])
    assert 0 < (through(picture, torch.Generator()) - picture).abs().mean() < 0.1
