"""What may befall a picture: harms that leave it readable, and garbage that nobody should read."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Harm = Callable[[Tensor, torch.Generator], Tensor]


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number between two."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def gaussian(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures [b, c, h, w] blurred."""
    reach = max(1, math.ceil(2.5 * sigma))
    ticks = torch.arange(-reach, reach + 1, dtype=torch.float32)
    line = torch.exp(-(ticks**2) / (2 * sigma**2))
    kernel = (line / line.sum()).expand(pictures.shape[1], 1, 1, -1)
    padded = F.pad(pictures, [reach] * 4, mode="replicate")
    across = F.conv2d(padded, kernel, groups=pictures.shape[1])
    return F.conv2d(across, kernel.mT, groups=pictures.shape[1])


def whole(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures as they are."""
    return pictures


def blurred(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures a little out of focus."""
    return gaussian(pictures, uniform(0.3, 0.9, generator))


def grainy(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with noise, fine or coarse."""
    coarse = 1 + int(uniform(0, 3, generator))
    side = math.ceil(pictures.shape[-1] / coarse)
    noise = torch.randn(len(pictures), 3, side, side, generator=generator)
    noise = F.interpolate(noise, size=pictures.shape[-2:], mode="bilinear")
    return pictures + noise * uniform(0.02, 0.12, generator)


def coarse(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures that have lost some of their finest detail, as in a small autoencoder."""
    size = pictures.shape[-2:]
    small = F.interpolate(
        pictures, scale_factor=1 / uniform(1.3, 2.2, generator), mode="bilinear", antialias=True
    )
    back = F.interpolate(small, size=size, mode="bicubic")
    return back.lerp(pictures, uniform(0, 0.5, generator))


def quantised(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with the rounded 8×8 cosine blocks of a JPEG."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)
    basis = torch.cos(math.pi * (n + 0.5) * k / 8) * math.sqrt(2 / 8)
    basis[0] /= math.sqrt(2)
    step = uniform(0.02, 0.08, generator) * (1 + 0.5 * (k + n))
    b, c, h, w = pictures.shape
    blocks = pictures.reshape(b, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    rounded = torch.round(basis @ blocks @ basis.T / step) * step
    return (basis.T @ rounded @ basis).transpose(3, 4).reshape(b, c, h, w)


HARMS: tuple[Harm, ...] = (whole, whole, whole, whole, blurred, grainy, coarse, quantised)


def harmed(pictures: Tensor, generator: torch.Generator, harms: Sequence[Harm] = HARMS) -> Tensor:
    """Pictures [b, 3, h, w], each harmed in one of the ways, some a little off in colour."""
    turns = torch.arange(len(pictures)) % len(harms)
    turns = turns[torch.randperm(len(turns), generator=generator)]
    out = pictures.clone()
    for turn, harm in enumerate(harms):
        rows = turns == turn
        if rows.any():
            out[rows] = harm(pictures[rows], generator)
    drift = torch.randn(2, len(out), 3, 1, 1, generator=generator) * 0.03
    drift *= torch.rand(len(out), 1, 1, 1, generator=generator) < 0.4
    return (out * (1 + drift[0]) + drift[1]).clamp(-1, 1)


def noise(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Pictures of noise [count, 3, size, size], from pixel-fine to cloudy."""
    pictures: list[Tensor] = []
    for _ in range(count):
        side = size // 2 ** int(uniform(0, 5, generator))
        picture = torch.randn(1, 3, side, side, generator=generator)
        pictures.append(F.interpolate(picture, size=(size, size), mode="bicubic"))
    return (torch.cat(pictures) * uniform(0.3, 1.0, generator)).clamp(-1, 1)


def scrambled(pictures: Tensor, tile: int, generator: torch.Generator) -> Tensor:
    """Pictures cut into square tiles that have been shuffled, one way for all."""
    tiles = F.unfold(pictures, tile, stride=tile)
    order = torch.randperm(tiles.shape[-1], generator=generator)
    return F.fold(tiles[..., order], pictures.shape[-2:], tile, stride=tile)


def warped(layers: Tensor, source: Tensor, goal: Tensor) -> Tensor:
    """Layers [c, h, w] moved and stretched so that one box (x0, y0, x1, y1) lands on another."""
    height, width = layers.shape[1:]
    ticks = torch.arange(width) + 0.5
    scale = (source[2:] - source[:2]) / (goal[2:] - goal[:2]).clamp(min=1)
    x = source[0] + (ticks - goal[0]) * scale[0]
    y = source[1] + (ticks[:height] - goal[1]) * scale[1]
    grid = torch.stack(torch.meshgrid(x * 2 / width - 1, y * 2 / height - 1, indexing="xy"), -1)
    return F.grid_sample(layers[None], grid[None], align_corners=False)[0]


def shapeless(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A picture [3, h, w] blurred, scrambled or drowned beyond recognition."""
    way = int(uniform(0, 3, generator))
    if way == 0:
        return gaussian(picture[None], uniform(4, 8, generator))[0]
    if way == 1:
        return scrambled(picture[None], 2 ** int(uniform(2, 5, generator)), generator)[0]
    return noise(1, picture.shape[-1], generator)[0].lerp(picture, 0.2)


def impostor(
    mine: Tensor, theirs: Tensor, boxes: tuple[Tensor, Tensor], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A picture in which a character was spoilt, and where.

    Both are a picture with a character's mask, [3 + 1, h, w]: the one is blended with the other,
    given the other's upper or lower half, or made shapeless.
    """
    other = warped(theirs, boxes[1], boxes[0])
    picture, zone = mine[:3], (mine[3] > 0.5) | (other[3] > 0.5)
    way = int(uniform(0, 5, generator))
    if way < 2:
        mixed = picture.lerp(other[:3], uniform(0.35, 0.65, generator))
    elif way < 4:
        share = uniform(0.38, 0.62, generator)
        level = boxes[0][1] * (1 - share) + boxes[0][3] * share
        lower = torch.arange(picture.shape[1])[:, None] >= level
        mixed = torch.where(lower == (way == 2), other[:3], picture)
    else:
        zone, mixed = mine[3] > 0.5, shapeless(picture, generator)
    return torch.where(zone, mixed, picture), zone
