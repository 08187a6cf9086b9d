"""Reads pictures back: who is in them, where, with which attributes, and how they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from groupshot.toybox.reader.losses import STRIDE, centres_of, crops_of, pair_crops
from groupshot.toybox.reader.network import (
    BACKGROUNDS,
    ORDERED,
    VALUES,
    Found,
    Network,
    boxes_of,
    near,
)
from groupshot.toybox.world.scenes import Bond
from groupshot.toybox.world.vocabulary import SIZE, STYLES

HERE = Path(__file__).parent
BATCH = 32

HEAT = 0.35
"""How sure the finder must be of a centre."""

LEAST = 40
"""Pixels that a character has at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A character as the reader sees it."""

    attributes: dict[str, str]
    """A value for every one of the world's ATTRIBUTES."""
    kinds: dict[str, float]
    """How likely it is of each class."""
    known: bool
    """False: something stands here that is no character of the world."""
    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in pixels of a picture of 128×128."""
    mask: NDArray[np.bool_]
    """The pixels that show it, [128, 128]."""
    parts: NDArray[np.uint8]
    """Indices into the world's PARTS, [128, 128]; 0 outside the mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A picture as the reader sees it."""

    characters: tuple[Seen, ...]
    """From left to right."""
    background: str
    style: str
    bonds: tuple[Bond, ...]
    """Pairs, as indices into `characters`, that do more than stand side by side."""

    @property
    def known(self) -> tuple[Seen, ...]:
        """The characters that are some character of the world."""
        return tuple(c for c in self.characters if c.known)

    @property
    def relations(self) -> dict[tuple[int, int], str]:
        """Every pair's relation; a key's first is in front, rides, or is on the left."""
        told = {(b.first, b.second): b.relation for b in self.bonds}
        pairs = [(i, j) for j in range(len(self.characters)) for i in range(j)]
        return told | {p: "beside" for p in pairs if not {p, p[::-1]} & told.keys()}


class Reader:
    """The judge of the toybox, and (under another name) its segmenter."""

    def __init__(self, network: Network) -> None:
        """A reader with this network, on the network's device."""
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, name: str = "reader", folder: Path = HERE) -> "Reader":
        """The shipped "reader" or "segmenter", or weights of another folder."""
        network = Network()
        halves = load_file(folder / f"{name}.safetensors")
        network.load_state_dict({k: v.float() for k, v in halves.items()}, strict=False)
        return cls(network)

    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """A vector of unit length for each picture, [b, d], for distances between pictures."""
        parts = [self.network.finder(tensor_of(some)).features for some in portions(images)]
        return F.normalize(torch.cat(parts), dim=1)

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """What pictures of any size show; each is looked at as 128×128 pixels."""
        return [r for some in portions(images) for r in self.page(tensor_of(some))]

    @torch.no_grad()
    def page(self, pictures: Tensor) -> list[Reading]:
        """What a batch of pictures [b, 3, 128, 128], from -1 to 1, shows."""
        found = self.network.finder(pictures)
        home, masks = cut(found)
        seen = self.described(pictures, found, home, masks)
        bonds = self.paired(pictures, home, masks)
        readings: list[Reading] = []
        for i in range(len(pictures)):
            mine = (home == i).nonzero()[:, 0].tolist()
            readings.append(
                Reading(
                    characters=tuple(seen[k] for k in mine),
                    background=BACKGROUNDS[int(found.background[i].argmax())],
                    style=STYLES[int(found.style[i].argmax())],
                    bonds=tuple(
                        Bond(
                            relation=b.relation, first=b.first - mine[0], second=b.second - mine[0]
                        )
                        for b in bonds
                        if b.first in mine
                    ),
                )
            )
        return readings

    def described(self, pictures: Tensor, found: Found, home: Tensor, masks: Tensor) -> list[Seen]:
        """Each mask's character."""
        if len(masks) == 0:
            return []
        boxes = boxes_of(masks)
        said, known = self.network.describer(crops_of(pictures, found.parts, home, masks, boxes))
        best = {name: logits.argmax(1).tolist() for name, logits in agreed(said).items()}
        kinds = said["kind"].softmax(1).tolist()
        parts = found.parts[:, 1:].argmax(1)[home].add(1) * masks
        return [
            Seen(
                attributes={name: VALUES[name][best[name][k]] for name in VALUES},
                kinds=dict(zip(VALUES["kind"], kinds[k], strict=True)),
                known=bool(known[k] > 0),
                box=tuple(boxes[k].tolist()),
                mask=masks[k].numpy(),
                parts=parts[k].byte().numpy(),
            )
            for k in range(len(masks))
        ]

    def paired(self, pictures: Tensor, home: Tensor, masks: Tensor) -> list[Bond]:
        """The bonds between characters, as indices into `masks`."""
        boxes = boxes_of(masks)
        close = (
            near(boxes) & (home[:, None] == home) & torch.ones(len(home), len(home)).triu(1).bool()
        )
        first, second = close.nonzero(as_tuple=True)
        if len(first) == 0:
            return []
        both = torch.stack([boxes[first], boxes[second]], 1)
        crops = pair_crops(pictures, home[first], (masks[first], masks[second]), both)
        best = self.network.pairer(crops).argmax(1).tolist()
        bonds: list[Bond] = []
        for i, j, k in zip(first.tolist(), second.tolist(), best, strict=True):
            relation, turned = ORDERED[k]
            if k:
                bonds.append(
                    Bond(relation=relation, first=j if turned else i, second=i if turned else j)
                )
        return bonds


def agreed(said: dict[str, Tensor]) -> dict[str, Tensor]:
    """The log-probabilities, changed so that an accessory has a colour, and only an accessory."""
    told = {name: logits.log_softmax(1) for name, logits in said.items()}
    thing, colour = told["accessory"], told["accessory_colour"]
    bare = thing[:, 0] + colour[:, 0] > thing[:, 1:].amax(1) + colour[:, 1:].amax(1)
    for scores in (thing, colour):
        scores[:, 0] = torch.where(bare, torch.inf, -torch.inf)
    return told


def portions(images: Sequence[Image.Image]) -> list[Sequence[Image.Image]]:
    """The pictures in batches."""
    return [images[i : i + BATCH] for i in range(0, len(images), BATCH)]


def tensor_of(images: Sequence[Image.Image]) -> Tensor:
    """Pictures as a tensor [b, 3, 128, 128] from -1 to 1."""
    fitting = [
        i.convert("RGB") if i.size == (SIZE, SIZE) else i.convert("RGB").resize((SIZE, SIZE))
        for i in images
    ]
    stacked = torch.from_numpy(np.stack([np.asarray(i) for i in fitting]))
    return stacked.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def cut(found: Found) -> tuple[Tensor, Tensor]:
    """The characters of all pictures, from left to right: their picture [n] and mask [n, h, w]."""
    heat = torch.sigmoid(found.heat)
    peak = (heat == F.max_pool2d(heat, 3, 1, 1)) & (heat > HEAT)
    shown = found.parts.softmax(1)[:, 0] < 0.5
    ticks = torch.arange(shown.shape[-1]) + 0.5
    aim = found.offsets + torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"))
    homes: list[Tensor] = []
    cuts: list[Tensor] = []
    for i in range(len(heat)):
        spots = (peak[i].nonzero().flip(1) + 0.5) * STRIDE
        if len(spots) == 0:
            continue
        owner = (aim[i] - spots[:, :, None, None]).square().sum(1).argmin(0)
        masks = shown[i] & (owner == torch.arange(len(spots))[:, None, None])
        masks = masks[masks.sum((1, 2)) >= LEAST]
        masks = masks[centres_of(masks)[:, 0].argsort()]
        homes.append(torch.full((len(masks),), i))
        cuts.append(masks)
    if not cuts:
        return torch.zeros(0, dtype=torch.long), torch.zeros(0, *shown.shape[1:], dtype=torch.bool)
    return torch.cat(homes), torch.cat(cuts)
