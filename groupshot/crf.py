"""The fully connected CRF of Krähenbühl & Koltun (arXiv 1210.5644), by exact mean field.

Theirs approximates its filters on a lattice, to reach pictures of any size. Up to 64 × 64 cells
the one big kernel can be had whole, so nothing is approximated here but the mean field itself;
`upsampled` brings its answer to the picture's own size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from groupshot.shapes import FullMasks, Image, Labels

SIDE = 64
"""Cells along the longer side of the grid: the kernel has SIDE⁴ numbers, 64 MiB a picture."""

TOGETHER = 4
"""Pictures whose kernels are held at once."""

LEAST = 1e-5
"""The least that a label is believed in anywhere, as in pydensecrf."""

STEPS = 127.5
"""Steps of 8-bit colour in one unit of an Image."""

LEVEL = 1e-4
"""Weight of a cell whose colour is nothing like the pixel's: what is left where none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Potentials:
    """How strongly two cells want one label (eq. 3), normalised as pydensecrf does by default.

    Defaults: the values published with DeepLab's ResNet-101. Widths of place are in cells here,
    in pixels there. On 64 × 64 cells 67 is everywhere, so that colour alone decides who is near.
    """

    appearance: float = 4.0
    """Weight of the kernel over place and colour: w⁽¹⁾."""
    place: float = 67.0
    """Its width in place, in cells: θ_α."""
    colour: float = 3.0
    """Its width in colour, in steps of 8 bits: θ_β."""
    smoothness: float = 3.0
    """Weight of the kernel over place alone: w⁽²⁾."""
    radius: float = 1.0
    """Its width, in cells: θ_γ."""
    rounds: int = 10
    """Updates of the mean field."""


DEEPLAB = Potentials()

POTENTIALS: Mapping[str, Potentials] = {
    "deeplab": DEEPLAB,
    "cutler": Potentials(appearance=10, place=50, colour=5, smoothness=7, radius=3),
    "weak": Potentials(appearance=7, place=50, colour=4, radius=3),
    "dss": Potentials(appearance=5, place=60, colour=5, radius=3, rounds=1),
}
"""What others have published: DeepLab; CutLER and TokenCut; what is common in weakly supervised
segmentation; DSS, for salient things. Their widths are taken as they are, pixels for cells."""


@torch.no_grad()
def marginals(beliefs: Labels, images: Image, potentials: Potentials) -> Labels:
    """How likely each label is in each cell, given beliefs about each cell by itself.

    `beliefs` are probabilities of k labels on a grid of at most SIDE × SIDE cells, `images` the
    same pictures at any size; the answer is on the same grid and on the images' device.
    """
    pairs = zip(beliefs.to(images.device).split(TOGETHER), images.split(TOGETHER), strict=True)
    return torch.cat([_settled(some, seen, potentials) for some, seen in pairs])


def _settled(beliefs: Labels, images: Image, p: Potentials) -> Labels:
    """The mean field after all rounds (Algorithm 1), all labels and cells at once."""
    unary = beliefs.clamp(min=LEAST).log()
    rows, columns = beliefs.shape[2:]
    alike, scale = _appearance(F.interpolate(images, (rows, columns), mode="area"), p)
    down, across = (_smoothness(n, p.radius, images.device) for n in (rows, columns))
    labels = unary.softmax(1)
    for _ in range(p.rounds):
        flat = (labels.flatten(2) * scale) @ alike * scale
        message = p.appearance * flat.unflatten(2, (rows, columns))
        message += p.smoothness * (down @ labels @ across)
        labels = (unary + message).softmax(1)  # Potts: agreement is worth w, the rest nothing
    return labels


def _appearance(cells: Image, p: Potentials) -> tuple[Tensor, Tensor]:
    """The kernel over place and colour [b, n, n], and what scales it from both sides [b, 1, n].

    A Gaussian of a distance is one product: -|f-g|²/2 = f·g - f²/2 - g²/2. A cell counts as its
    own neighbour, and the sum over a cell's neighbours is brought to about 1 (pydensecrf's
    NORMALIZE_SYMMETRIC): both as there, so that the same numbers mean the same.
    """
    b, _, rows, columns = cells.shape
    ticks = [torch.arange(n, device=cells.device, dtype=torch.float32) for n in (rows, columns)]
    grid = torch.stack(torch.meshgrid(*ticks, indexing="ij")).flatten(1) / p.place
    hue = cells.flatten(2).float() * (STEPS / p.colour)
    f = torch.cat([grid.expand(b, -1, -1), hue], 1)
    f = f - f.mean(2, keepdim=True)  # small numbers, so that their squares keep their digits
    half, one = f.square().sum(1, keepdim=True) / -2, torch.ones_like(f[:, :1])
    alike = (torch.cat([f, half, one], 1).mT @ torch.cat([f, one, half], 1)).exp_()
    return alike, alike.sum(1, keepdim=True).rsqrt()


def _smoothness(cells: int, radius: float, device: torch.device) -> Tensor:
    """The kernel along one side [n, n], normalised; over place alone the two sides part."""
    ticks = torch.arange(cells, device=device, dtype=torch.float32)
    near = ((ticks[:, None] - ticks) / radius).square().div(-2).exp()
    scale = near.sum(1).rsqrt()
    return scale[:, None] * near * scale


@torch.no_grad()
def upsampled(labels: Labels, images: Image, place: float = 0.5, colour: float = 25.5) -> FullMasks:
    """Labels at the images' size, their edges drawn to the images' edges.

    Joint bilateral upsampling (Kopf et al., ACM ToG 2007): a pixel takes the mean of the 3 × 3
    cells around it, weighted by nearness (`place`, in cells) and likeness (`colour`, in steps of
    8 bits).
    """
    grid, labels = labels.shape[2:], labels.to(images.device)
    hues = F.pad(F.interpolate(images, grid, mode="area"), [1] * 4, mode="replicate")
    cells = F.pad(labels, [1] * 4, mode="replicate")
    rows = list(_ways(grid[0], images.shape[2], place, images.device))
    columns = list(_ways(grid[1], images.shape[3], place, images.device))
    total, weights = torch.zeros_like(images[:, :1]), torch.zeros_like(images[:, :1])
    for row, down in rows:
        for column, across in columns:
            other = hues[:, :, row][..., column]
            unlike = (images - other).square_().sum(1, keepdim=True) * (STEPS / colour) ** 2
            weight = (unlike.div_(-2).exp_() + LEVEL) * down[:, None] * across
            total = total + weight * cells[:, :, row][..., column]
            weights += weight
    return total / weights


def _ways(
    cells: int, pixels: int, place: float, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Along one side: each pixel's cell before, at and after it, and how near that is.

    Cells are counted in a row that has one more at either end.
    """
    at = (torch.arange(pixels, device=device) + 0.5) * cells / pixels - 0.5
    nearest = at.round().long()
    for step in (-1, 0, 1):
        yield nearest + step + 1, ((at - nearest - step) / place).square().div(-2).exp()
