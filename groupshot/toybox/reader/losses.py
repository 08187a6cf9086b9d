"""What the three networks are trained to minimise."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from groupshot.toybox.reader import spoiling
from groupshot.toybox.reader.examples import MOST, Examples
from groupshot.toybox.reader.network import (
    CROP,
    PAIR,
    VALUES,
    Found,
    Network,
    boxes_of,
    cropped,
    near,
)

STRIDE = 4
"""Pixels of the picture per cell of the heat map."""

FAKES = 4
"""One picture in so many has an impostor."""
UNSAID = -100
"""A part that nobody can know; cross-entropies ignore it."""
PAIRS = 40
"""Pairs looked at in a training step, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A batch of examples, prepared: n characters in b pictures."""

    pictures: Tensor
    """[b, 3, 128, 128], harmed, from -1 to 1."""
    owners: Tensor
    parts: Tensor
    scene: Tensor
    junk: Tensor
    """Which pictures are garbage, [b]."""
    known: Tensor
    """Which characters are really some, and not spoilt beyond recognition, [n]."""
    home: Tensor
    """Which picture each character is in, [n]."""
    number: Tensor
    """Its value in `owners`, [n]."""
    masks: Tensor
    """[n, 128, 128]."""
    centres: Tensor
    """Means of the masks, (x, y), [n, 2]."""
    traits: Tensor
    bonds: Tensor
    """[n, n]; -1 for two of different pictures and for one with itself."""


def centres_of(masks: Tensor) -> Tensor:
    """The mean (x, y) of each mask [n, h, w], in pixels."""
    area = masks.sum((1, 2)).clamp(min=1)
    y = (masks.sum(2) * (torch.arange(masks.shape[1]) + 0.5)).sum(1) / area
    x = (masks.sum(1) * (torch.arange(masks.shape[2]) + 0.5)).sum(1) / area
    return torch.stack([x, y], 1)


def lesson(
    batch: Examples,
    junk_share: float,
    generator: torch.Generator,
    harms: Sequence[spoiling.Harm] = spoiling.HARMS,
) -> Lesson:
    """A batch, harmed as pictures are in life, with impostors, and partly turned to garbage."""
    junk = torch.arange(len(batch)) < round(junk_share * len(batch))
    owners = batch.owners.long() * ~junk[:, None, None]
    every = owners[:, None] == torch.arange(1, MOST + 1)[:, None, None]
    home, number = every.flatten(2).any(2).nonzero(as_tuple=True)
    masks = every[home, number]
    traits = batch.traits.long()[home, number]
    pictures = batch.images.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    parts = batch.parts.long() * ~junk[:, None, None]
    known = infiltrated(pictures, parts, (home, masks, traits[:, 0]), generator)
    if junk.any():
        pictures[junk] = wasted(pictures[junk], generator)
    bonds = batch.bonds.long()[home[:, None], number[:, None], number]
    bonds[(home[:, None] != home) | ~known[:, None] | ~known] = -1
    bonds.fill_diagonal_(-1)
    pictures = spoiling.harmed(pictures, generator, harms)
    return Lesson(
        pictures=pictures.contiguous(memory_format=torch.channels_last),
        owners=owners,
        parts=parts,
        scene=batch.scene.long(),
        junk=junk,
        known=known,
        home=home,
        number=number + 1,
        masks=masks,
        centres=centres_of(masks),
        traits=traits,
        bonds=bonds,
    )


def wasted(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Noise, or the pictures' tiles in disorder."""
    way = int(torch.randint(3, (), generator=generator))
    if way:
        return spoiling.scrambled(pictures, 4 * 2**way, generator)
    return spoiling.noise(len(pictures), pictures.shape[-1], generator)


def infiltrated(
    pictures: Tensor,
    parts: Tensor,
    characters: tuple[Tensor, Tensor, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Puts an impostor into some pictures, in place; tells which characters still are known.

    The characters are given as their picture, mask and kind.
    """
    home, masks, kinds = characters
    known = torch.ones(len(home), dtype=torch.bool)
    boxes = boxes_of(masks)
    done: set[int] = set()
    for k in torch.randperm(len(home), generator=generator).tolist():
        at, others = int(home[k]), (kinds != kinds[k]).nonzero()[:, 0]
        if at % FAKES or at in done or len(others) == 0:
            continue
        j = int(others[int(torch.randint(len(others), (), generator=generator))])
        mine, theirs = (torch.cat([pictures[home[i]], masks[i, None].float()]) for i in (k, j))
        pictures[at], zone = spoiling.impostor(mine, theirs, (boxes[k], boxes[j]), generator)
        parts[at][zone] = UNSAID
        known[k] = False
        done.add(at)
    return known


def warmth(task: Lesson) -> Tensor:
    """The heat map to be learnt, [b, 32, 32]: a small hill on every centre."""
    side = task.pictures.shape[-1] // STRIDE
    cells = torch.arange(side)
    spot = (task.centres / STRIDE).floor()
    width = (task.masks.sum((1, 2)).float().sqrt() * 0.025).clamp(0.6, 1.5)[:, None]
    x = torch.exp(-((cells - spot[:, :1]) ** 2) / (2 * width**2))
    y = torch.exp(-((cells - spot[:, 1:]) ** 2) / (2 * width**2))
    heat = torch.zeros(len(task.pictures), side, side)
    index = task.home[:, None, None].expand(-1, side, side)
    return heat.scatter_reduce(0, index, y[:, :, None] * x[:, None], "amax")


def finding(found: Found, task: Lesson) -> Tensor:
    """The finder's loss: centres, parts, offsets to the owner's centre, and the scene."""
    goal, logit = warmth(task), found.heat
    hot = goal == 1
    miss = F.softplus(-logit) * (1 - torch.sigmoid(logit)) ** 2
    alarm = F.softplus(logit) * torch.sigmoid(logit) ** 2 * (1 - goal) ** 4
    heat = torch.where(hot, miss, alarm).sum() / hot.sum().clamp(min=1)
    shown = task.owners > 0
    parts = F.cross_entropy(found.parts, task.parts)
    start = torch.zeros(len(task.pictures), MOST + 1, 2)
    rank = task.owners.flatten(1)
    start[task.home, task.number] = task.centres
    aim = start.gather(1, rank[..., None].expand(-1, -1, 2)).mT.reshape(found.offsets.shape)
    ticks = torch.arange(task.pictures.shape[-1]) + 0.5
    place = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"))
    wide = shown[:, None].expand_as(aim)
    offsets = F.smooth_l1_loss(found.offsets[wide], (aim - place)[wide], beta=2.0)
    fit = ~task.junk
    scene = F.cross_entropy(found.background[fit], task.scene[fit, 0])
    scene = scene + F.cross_entropy(found.style[fit], task.scene[fit, 1])
    return heat + 4 * parts + 0.2 * offsets + 0.2 * scene


def claimed(found: Found, task: Lesson) -> Tensor:
    """The characters' masks as the finder itself would cut them, given the true centres."""
    ticks = torch.arange(task.pictures.shape[-1]) + 0.5
    place = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"))
    aim = found.offsets.detach() + place
    far = (aim[task.home] - task.centres[:, :, None, None]).square().sum(1)
    rival = torch.full((len(task.pictures), *far.shape[1:]), torch.inf)
    rival = rival.scatter_reduce(0, task.home[:, None, None].expand_as(far), far, "amin")
    shown = found.parts.detach().argmax(1) > 0
    return shown[task.home] & (far <= rival[task.home])


def roughened(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Masks [n, h, w], a third of them grown or shrunk by a pixel."""
    soft = masks[:, None].float()
    grown = F.max_pool2d(soft, 3, 1, 1)
    shrunk = -F.max_pool2d(-soft, 3, 1, 1)
    fate = torch.rand(len(masks), 1, 1, 1, generator=generator)
    return torch.where(fate < 0.15, grown, torch.where(fate > 0.85, shrunk, soft))[:, 0] > 0


def jittered(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """Boxes [n, 4] moved and scaled by a few hundredths."""
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + size * torch.randn(boxes.shape, generator=generator) * 0.03


def crops_of(pictures: Tensor, parts: Tensor, home: Tensor, masks: Tensor, boxes: Tensor) -> Tensor:
    """What the describer looks at: crops of picture, mask and part probabilities, [n, 14, …]."""
    mine = torch.arange(len(masks))
    mask = cropped(masks[:, None].float(), mine, boxes, CROP)
    likely = cropped(parts.softmax(1)[:, 1:], home, boxes, CROP)
    return torch.cat([cropped(pictures, home, boxes, CROP), mask, likely * mask], 1)


def describing(network: Network, task: Lesson, crops: Tensor) -> Tensor:
    """The describer's loss over the characters of a lesson."""
    with torch.autocast("cpu", torch.bfloat16):
        said, known = network.describer(crops.contiguous(memory_format=torch.channels_last))
    loss = 2 * F.binary_cross_entropy_with_logits(known, task.known.float())
    for i, name in enumerate(VALUES):
        loss = loss + F.cross_entropy(said[name][task.known], task.traits[task.known, i])
    return loss


def pair_crops(
    pictures: Tensor, homes: Tensor, masks: tuple[Tensor, Tensor], boxes: Tensor
) -> Tensor:
    """What the pairer looks at: crops around two boxes [n, 2, 4] with both masks."""
    around = torch.cat([boxes[..., :2].amin(1), boxes[..., 2:].amax(1)], 1)
    mine = torch.arange(len(boxes))
    two = cropped(torch.stack(masks, 1).float(), mine, around, PAIR)
    return torch.cat([cropped(pictures, homes, around, PAIR), two * 2 - 1], 1)


def pairing(network: Network, task: Lesson, masks: Tensor, generator: torch.Generator) -> Tensor:
    """The pairer's loss over pairs that are close enough to do something together."""
    boxes = boxes_of(masks)
    close = (task.bonds > 0) | ((task.bonds == 0) & near(boxes))
    first, second = close.nonzero(as_tuple=True)
    if len(first) == 0:
        return torch.zeros(())
    some = torch.randperm(len(first), generator=generator)[:PAIRS]
    first, second = first[some], second[some]
    around = jittered(torch.cat([boxes[first], boxes[second]]), generator)
    crops = pair_crops(
        task.pictures,
        task.home[first],
        (masks[first], masks[second]),
        torch.stack(around.chunk(2), 1),
    )
    with torch.autocast("cpu", torch.bfloat16):
        said = network.pairer(crops.contiguous(memory_format=torch.channels_last))
    return F.cross_entropy(said, task.bonds[first, second])


def loss_of(network: Network, task: Lesson, own_masks: bool, generator: torch.Generator) -> Tensor:
    """The sum of the three losses; `own_masks`: crops are cut by the finder's masks."""
    with torch.autocast("cpu", torch.bfloat16):
        found = network.finder(task.pictures)
    masks = roughened(task.masks, generator)
    if own_masks:
        own = claimed(found, task)
        fair = own.sum((1, 2)) > 0.5 * task.masks.sum((1, 2))
        masks = torch.where(fair[:, None, None], own, masks)
    boxes = jittered(boxes_of(masks), generator)
    crops = crops_of(task.pictures, found.parts.detach(), task.home, masks, boxes)
    return (
        finding(found, task)
        + describing(network, task, crops)
        + pairing(network, task, masks, generator)
    )
