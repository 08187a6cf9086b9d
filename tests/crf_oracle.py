"""Scenes for the CRF, and what pydensecrf2 makes of them.

`python tests/crf_oracle.py` writes `tests/data/crf.npz` again, after a change of the world's
drawing or of what is asked. pydensecrf2 1.1 compiles itself when it is installed, so it is only
needed for that.
"""

from collections.abc import Iterator
from dataclasses import astuple
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from groupshot.crf import SIDE, Potentials
from groupshot.toybox import world

ANSWERS = Path(__file__).parent / "data" / "crf.npz"
SCENES = 120
COARSE = 16
ASKED = {
    "deeplab": Potentials(),
    "cutler": Potentials(appearance=10, place=50, colour=5, smoothness=7, radius=3, rounds=10),
}
"""Two published settings; the second is that of CutLER and TokenCut."""


class Blurred(NamedTuple):
    """A small scene, and what somebody with bad eyes believes about it."""

    picture: np.ndarray
    """uint8 [64, 64, 3]."""
    beliefs: Tensor
    """Probabilities [1, k, 64, 64] of nobody and of each character."""
    owners: np.ndarray
    """The truth, uint8 [64, 64]: 0 nobody, i the i-th character."""


def blurred(seed: int) -> Blurred:
    """One to three characters, seen as attention sees them: coarse, noisy, and blurred."""
    rng = np.random.default_rng((11, seed))
    drawn = world.draw(world.dream(rng, population="cast", count=int(rng.integers(1, 4))))
    picture = np.asarray(Image.fromarray(drawn.image).resize((SIDE, SIDE), Image.Resampling.BOX))
    owners = np.arange(len(drawn.scene.characters) + 1)[:, None, None] == drawn.owners
    shares = torch.from_numpy(owners)[None].float()
    coarse = F.interpolate(shares[:, 1:], (COARSE, COARSE), mode="area") * 0.8 + 0.1
    coarse += torch.from_numpy(rng.normal(0, 0.15, coarse.shape)).float()
    maps = F.avg_pool2d(F.pad(coarse.clamp(0, 1), [1] * 4, mode="replicate"), 3, 1)
    maps = F.interpolate(maps / maps.amax((2, 3), keepdim=True), (SIDE, SIDE), mode="bilinear")
    beliefs = torch.cat([1 - maps.amax(1, keepdim=True), maps], 1).clamp(1e-5, 1)
    truth = F.interpolate(shares, (SIDE, SIDE), mode="area").argmax(1)[0]
    return Blurred(picture, beliefs / beliefs.sum(1, keepdim=True), truth.byte().numpy())


def scenes(n: int = SCENES) -> Iterator[Blurred]:
    """The first n."""
    return map(blurred, range(n))


def answered(scene: Blurred, asked: Potentials) -> np.ndarray:
    """The labels that pydensecrf2 settles on, uint8 [64, 64]."""
    library: Any = import_module("pydensecrf.densecrf")
    appearance, place, colour, smoothness, radius, rounds = astuple(asked)
    beliefs = scene.beliefs[0].numpy()
    field = library.DenseCRF2D(SIDE, SIDE, len(beliefs))
    field.setUnaryEnergy(np.ascontiguousarray(-np.log(beliefs).reshape(len(beliefs), -1)))
    field.addPairwiseGaussian(sxy=radius, compat=smoothness)
    picture = scene.picture.copy()  # it would write where Pillow forbids it
    field.addPairwiseBilateral(sxy=place, srgb=colour, rgbim=picture, compat=appearance)
    marginals = np.array(field.inference(rounds))
    return marginals.argmax(0).reshape(SIDE, SIDE).astype(np.uint8)


def main() -> None:
    """Ask everything again."""
    answers: Any = {
        name: np.stack([answered(scene, asked) for scene in scenes()])
        for name, asked in ASKED.items()
    }
    np.savez_compressed(ANSWERS, **answers)


if __name__ == "__main__":
    main()
