import math

import numpy as np
import pytest
import torch
from crf_oracle import ANSWERS, ASKED, SCENES, scenes

from groupshot.crf import Potentials, marginals, upsampled

COLOURS = {"black": -1.0, "grey": 0.0, "white": 1.0}


def image(*rows: tuple[str, ...]) -> torch.Tensor:
    """A picture from the names of its colours."""
    greys = torch.tensor([[COLOURS[name] for name in row] for row in rows])
    return greys.expand(1, 3, *greys.shape).clone()


def pictured(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1


def test_one_round_of_two_cells_by_hand():
    beliefs = torch.tensor([[0.8, 0.4], [0.2, 0.6]]).reshape(1, 2, 1, 2)
    asked = Potentials(appearance=2, place=1, colour=3, smoothness=0, radius=1, rounds=1)
    near = math.exp(-1 / 2)
    own, other = 1 / (1 + near), near / (1 + near)
    odds = math.log(0.4 / 0.6) + 2 * (other * (0.8 - 0.2) + own * (0.4 - 0.6))
    found = marginals(beliefs, image(("grey", "grey")), asked)[0, 0, 0, 1]
    torch.testing.assert_close(found, torch.tensor(1 / (1 + math.exp(-odds))))


def test_a_cell_of_another_colour_stays_alone():
    beliefs = torch.tensor([[0.8, 0.4], [0.2, 0.6]]).reshape(1, 2, 1, 2)
    asked = Potentials(appearance=2, place=1, colour=3, smoothness=0, radius=1, rounds=1)
    odds = math.log(0.4 / 0.6) + 2 * (0.4 - 0.6)
    found = marginals(beliefs, image(("black", "white")), asked)[0, 0, 0, 1]
    torch.testing.assert_close(found, torch.tensor(1 / (1 + math.exp(-odds))))


def slow(beliefs: np.ndarray, picture: np.ndarray, p: Potentials) -> np.ndarray:
    """Algorithm 1 of Krähenbühl & Koltun, cell by cell: beliefs [k, h, w], picture [h, w, 3]."""
    k, h, w = beliefs.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    kernels = []
    for weight, place, colour in (
        (p.appearance, p.place, p.colour),
        (p.smoothness, p.radius, math.inf),
    ):
        raw = np.zeros((len(cells), len(cells)))
        for i, (y, x) in enumerate(cells):
            for j, (v, u) in enumerate(cells):
                far = ((y - v) ** 2 + (x - u) ** 2) / place**2
                unlike = ((picture[y, x] - picture[v, u]) ** 2).sum() / colour**2
                raw[i, j] = math.exp(-(far + unlike) / 2)
        norm = raw.sum(1)
        kernels.append(weight * raw / np.sqrt(norm[:, None] * norm))
    labels = beliefs.reshape(k, -1)
    for _ in range(p.rounds):
        message = labels @ sum(kernels)
        scores = np.exp(np.log(beliefs.reshape(k, -1)) + message)
        labels = scores / scores.sum(0)
    return labels.reshape(k, h, w)


def test_all_rounds_against_loops():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    beliefs = rng.dirichlet(np.ones(3), (5, 7)).transpose(2, 0, 1)
    asked = Potentials(appearance=3, place=4, colour=60, smoothness=2, radius=1.5, rounds=4)
    found = marginals(torch.from_numpy(beliefs)[None].float(), pictured(picture), asked)
    true = torch.from_numpy(slow(beliefs, picture.astype(float), asked)).float()
    torch.testing.assert_close(found[0], true, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "every"), [("deeplab", 1), ("cutler", 6)])
def test_as_pydensecrf_says(name, every):
    answers = np.load(ANSWERS)[name]
    assert len(answers) == SCENES >= 100
    alike = [
        float((found(scene, name) == answer).mean())
        for i, (scene, answer) in enumerate(zip(scenes(), answers, strict=True))
        if i % every == 0
    ]
    assert np.mean(alike) >= 0.99


def found(scene, name: str) -> np.ndarray:
    return marginals(scene.beliefs, pictured(scene.picture), ASKED[name]).argmax(1)[0].numpy()


def test_it_knows_better_than_what_it_was_told():
    told, better = [], []
    for scene in scenes(12):
        told.append(overlap(scene.beliefs.argmax(1)[0].numpy(), scene.owners))
        better.append(overlap(found(scene, "deeplab"), scene.owners))
    assert np.mean(better) >= np.mean(told) + 0.05


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    labels = range(1, int(true.max()) + 1)
    return float(
        np.mean(
            [
                ((found == i) & (true == i)).sum() / ((found == i) | (true == i)).sum()
                for i in labels
            ]
        )
    )


def test_pictures_of_a_batch_do_not_see_each_other():
    some = [scene for scene in scenes(24) if scene.beliefs.shape[1] == 2][:5]
    beliefs = torch.cat([scene.beliefs for scene in some])
    images = torch.cat([pictured(scene.picture) for scene in some])
    asked = Potentials(rounds=2)
    together = marginals(beliefs, images, asked)
    torch.testing.assert_close(together[4:], marginals(beliefs[4:], images[4:], asked))
    torch.testing.assert_close(together.sum(1), torch.ones(5, 64, 64))


def test_upsampling_follows_the_edge_inside_a_cell():
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).reshape(1, 2, 1, 2)
    edge = image(("black",) * 3 + ("white",) * 5)
    assert upsampled(labels, edge).argmax(1).flatten().tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    even = image(("grey",) * 8)
    assert upsampled(labels, even).argmax(1).flatten().tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_upsampling_by_hand():
    labels = torch.tensor([[1.0, 0.0]]).reshape(1, 1, 1, 2)
    near, far = math.exp(-(0.25**2) / 2), math.exp(-(0.75**2) / 2)
    own = upsampled(labels, image(("grey",) * 4), place=1.0)[0, 0, 0, 1]
    beyond = math.exp(-(1.25**2) / 2)  # the row's end, repeated
    torch.testing.assert_close(own, torch.tensor((near + beyond) / (near + beyond + far)))


def test_upsampling_keeps_an_even_label_even():
    labels = torch.full((1, 3, 4, 4), 1 / 3)
    picture = torch.rand(1, 3, 30, 22, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(upsampled(labels, picture), torch.full((1, 3, 30, 22), 1 / 3))
