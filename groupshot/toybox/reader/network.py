"""The reader's three small networks: one finds characters, one describes each, one each pair."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupshot.toybox.world import vocabulary as words

CROP, PAIR = 64, 48
"""Sides of the square crops in which a character, and a pair, is looked at."""

BACKGROUNDS = (*words.BACKGROUNDS, words.PLAIN)
COLOURS = tuple(words.COLOURS)
VALUES: dict[str, tuple[str, ...]] = {
    "kind": words.KINDS,
    "colour": COLOURS,
    "second": COLOURS,
    "pattern": words.PATTERNS,
    "accessory": words.ACCESSORIES,
    "accessory_colour": ("none", *COLOURS),
    "mark": words.MARKS,
}
"""What each attribute can be; the order is the order of the network's logits."""

ORDERED = (
    ("beside", False),
    ("in front of", False),
    ("in front of", True),
    ("holding hands", False),
    ("hugging", False),
    ("riding", False),
    ("riding", True),
)
"""What an ordered pair can be: a relation, and whether the second one comes first in it."""


def conv(inner: int, outer: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """A convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(conv(width, width), conv(width, width)[:2])

    def forward(self, x: Tensor) -> Tensor:
        """The block's answer, of the shape of `x`."""
        return F.relu(x + self.inner(x))


class Found(NamedTuple):
    """What `Finder` says of pictures [b, 3, 128, 128]."""

    heat: Tensor
    """Logits of being a character's centre, [b, 32, 32]."""
    parts: Tensor
    """Logits of the part each pixel belongs to, [b, 11, 128, 128]."""
    offsets: Tensor
    """From each pixel to its owner's centre, (x, y) in pixels, [b, 2, 128, 128]."""
    background: Tensor
    style: Tensor
    features: Tensor
    """The picture in 448 numbers: the deepest layer, averaged over quarters."""


class Finder(nn.Module):
    """A small U-Net that sees where characters are, what each pixel is, and the scene."""

    def __init__(self) -> None:
        super().__init__()
        self.at2 = nn.Sequential(conv(12, 32), conv(32, 32))
        self.at4 = nn.Sequential(conv(32, 64, 2), Block(64))
        self.at8 = nn.Sequential(conv(64, 96, 2), Block(96))
        self.at16 = nn.Sequential(conv(96, 112, 2), Block(112), Block(112))
        self.to8, self.from8 = conv(112, 96, size=1), conv(96, 96)
        self.to4, self.from4 = conv(96, 64, size=1), conv(64, 64)
        self.to2, self.from2 = conv(64, 32, size=1), conv(32, 48)
        self.heat = nn.Sequential(conv(64, 32), nn.Conv2d(32, 1, 1))
        self.pixels = nn.Conv2d(48, 4 * (len(words.PARTS) + 2), 3, padding=1)
        self.scene = nn.Linear(112 + 96, len(BACKGROUNDS) + len(words.STYLES))
        nn.init.constant_(self.heat[-1].bias, -4.0)  # pyright: ignore[reportArgumentType]

    def forward(self, pictures: Tensor) -> Found:
        """Everything seen in pictures [b, 3, 128, 128] with values from -1 to 1."""
        at2 = self.at2(F.pixel_unshuffle(pictures, 2))
        at4 = self.at4(at2)
        at8 = self.at8(at4)
        at16 = self.at16(at8)
        up8 = self.from8(at8 + doubled(self.to8(at16)))
        up4 = self.from4(at4 + doubled(self.to4(up8)))
        up2 = self.from2(at2 + doubled(self.to2(up4)))
        pixels = F.pixel_shuffle(self.pixels(up2), 2).float()
        scene = self.scene(torch.cat([at16.mean((2, 3)), at8.mean((2, 3))], 1)).float()
        return Found(
            heat=self.heat(up4)[:, 0].float(),
            parts=pixels[:, 2:],
            offsets=pixels[:, :2] * 16,
            background=scene[:, : len(BACKGROUNDS)],
            style=scene[:, len(BACKGROUNDS) :],
            features=F.adaptive_avg_pool2d(at16, 2).flatten(1).float(),
        )


def doubled(x: Tensor) -> Tensor:
    """`x` at twice the resolution."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def pooled(x: Tensor) -> Tensor:
    """Mean and maximum over the plane, [b, 2c]."""
    return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


class Describer(nn.Module):
    """Says who the character in a crop is, and whether it is one at all.

    It is told which pixel is which part, and looks at each part by itself as well as at the whole;
    and it sees how like the belly (all second colour) and the arms (all main colour) a pixel is,
    so that a pattern looks the same in all colours.
    """

    def __init__(self) -> None:
        """A describer with random weights."""
        super().__init__()
        parts = len(words.PARTS) - 1
        self.near = nn.Sequential(
            *(conv(4 * (4 + parts + 2), 48), Block(48), conv(48, 96, 2), Block(96))
        )
        self.far = nn.Sequential(conv(96, 112, 2), Block(112))
        self.think = nn.Sequential(
            nn.Linear(2 * 112 + parts * (96 + 3), 160), nn.ReLU(inplace=True)
        )
        self.say = nn.Linear(160, sum(map(len, VALUES.values())) + 1)

    def forward(self, crops: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Logits of every attribute and of being known, from crops [n, 3 + 1 + 10, 64, 64]."""
        colours = averaged(crops[:, :3], crops[:, 4:])
        look = torch.cat([crops, alike(crops, colours)], 1)
        near = self.near(F.pixel_unshuffle(look, 2))
        apart = averaged(near, F.avg_pool2d(crops[:, 4:], CROP // near.shape[-1]))
        seen = torch.cat([pooled(self.far(near)), apart, colours], 1)
        said = self.say(self.think(seen)).float()
        pieces = said.split([*map(len, VALUES.values()), 1], 1)
        return dict(zip(VALUES, pieces, strict=False)), pieces[-1][:, 0]


def alike(crops: Tensor, colours: Tensor) -> Tensor:
    """How near each pixel's colour is to the belly's and the arms', [n, 2, h, w] from 0 to 1."""
    mean = colours.unflatten(1, (-1, 3))[:, [words.PARTS.index(p) - 1 for p in ("belly", "arms")]]
    far = (crops[:, None, :3] - mean[..., None, None]).square().sum(2)
    return crops[:, 3:4] / (1 + 10 * far)


def averaged(x: Tensor, weights: Tensor) -> Tensor:
    """Means of `x` [n, c, h, w] under each of the weights [n, p, h, w], [n, p · c]."""
    mass = weights.sum((2, 3))[..., None]
    total = torch.einsum("nchw,nphw->npc", x, weights.to(x.dtype))
    return (total / (mass + 1.0)).flatten(1)


class Pairer(nn.Module):
    """Says how the two characters of a crop stand to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            *(conv(20, 32), Block(32), conv(32, 64, 2), Block(64), conv(64, 96, 2))
        )
        self.say = nn.Linear(192, len(ORDERED))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits over `ORDERED`, from crops [n, 3 + 2, 48, 48]."""
        return self.say(pooled(self.look(F.pixel_unshuffle(crops, 2)))).float()


class Network(nn.Module):
    """The three together: what a file of weights holds."""

    def __init__(self) -> None:
        super().__init__()
        self.finder = Finder()
        self.describer = Describer()
        self.pairer = Pairer()


def cropped(layers: Tensor, which: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Squares [n, c, side, side] around boxes [n, 4] in pixels, of layers[which]."""
    near, far = boxes[:, :2], boxes[:, 2:]
    half = (far - near).amax(1).clamp(min=4) * 0.6
    ticks = (torch.arange(side, device=boxes.device) * 2 + 1) / side - 1
    height, width = layers.shape[2:]
    middle = (near + far) / 2
    x = (middle[:, :1] + half[:, None] * ticks) * 2 / width - 1
    y = (middle[:, 1:] + half[:, None] * ticks) * 2 / height - 1
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], -1)
    return F.grid_sample(layers[which], grid, align_corners=False)


def boxes_of(masks: Tensor) -> Tensor:
    """The tightest boxes (x0, y0, x1, y1), [n, 4] in pixels, around masks [n, h, w]."""
    sides: list[Tensor] = []
    for axis in (1, 2):
        line = masks.any(axis).float()
        first = line.argmax(1)
        last = line.shape[1] - line.flip(1).argmax(1)
        sides.append(torch.stack([first, last], 1))
    return torch.stack([sides[0][:, 0], sides[1][:, 0], sides[0][:, 1], sides[1][:, 1]], 1).float()


def near(boxes: Tensor, gap: float = 4.0) -> Tensor:
    """Which pairs of boxes [n, 4] touch or almost do, [n, n]; the others can only be beside."""
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return (low - high < gap).all(-1)
