"""The E-step: where in each photo the words of its concepts are looked for.

Step 1 of concept-driven EM (Rahman et al., arXiv 2402.11487): cross-attention is averaged over
random timesteps, made binary, and settled by a dense CRF for all concepts of a photo at once.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image as Pictures
from torch.nn import functional as F

from groupshot.attention import Record, positions, recorded
from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.castfile import Side
from groupshot.errors import Visible
from groupshot.keep import Kept
from groupshot.masks import Rule, balanced, levelled
from groupshot.masks.rounds import alike, remembered
from groupshot.masks.sightings import Shown, inside, photos, restored
from groupshot.samples import pixels
from groupshot.samples.subsets import naming
from groupshot.shapes import CrossMap, FullMasks, HardMask, Image, Latent, Masks, Positions

LARGEST = 1024
"""The most pixels along a side in which a mask is found; a larger photo's is enlarged."""

TOGETHER = 10
"""Timesteps that pass through the denoiser at once."""

SOFTNESS = 0.05
"""How gradually one side becomes the other, as a share of a photo's width."""

LEAST = 0.002
"""The share of a photo below which a concept is not to be seen in it."""

SAME = 0.95
"""From this intersection over union on, two concepts have one mask."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A whole photo, as the denoiser and as the CRF see it."""

    photo: str
    """Its path inside the cast's folder."""
    shows: tuple[str, ...]
    things: tuple[bool, ...]
    """Which of them are no backgrounds."""
    where: Mapping[str, Side]
    """On which side of the others some of them are."""
    latent: Latent
    image: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How masks are made of attention."""

    timesteps: int
    """Random ones, over which attention is averaged."""
    resolutions: tuple[int, ...]
    places: tuple[str, ...]
    """Which layers of the U-Net count, as in `attention.recorded`."""
    peak: float
    """The share of a map's places that are no higher than what counts as its height."""
    balance: bool
    """Whether the things of a photo get equal shares of its attention."""
    rule: Rule
    """What makes maps binary."""
    leftover: bool
    """Whether a photo's only background is what its things leave, if they leave anything."""
    settle: Callable[[Masks, Image], FullMasks]
    """What brings them to the photo's size: `masks.refined`, or `enlarged`."""


def scenes(base: Base, cast: Cast) -> tuple[Scene, ...]:
    """Every photo of the cast, whole, encoded once, as large as the base is used to."""
    return tuple(scene(base, cast, shown) for shown in photos(cast))


def scene(base: Base, cast: Cast, shown: Shown) -> Scene:
    """One photo."""
    cell = base.size // base.shape[1]
    scale = base.size / math.sqrt(shown.picture.width * shown.picture.height)
    small = [cell * max(1, round(scale * side / cell)) for side in shown.picture.size]
    page = shown.picture.copy()
    page.thumbnail((LARGEST, LARGEST))
    seen = shown.picture.resize((small[0], small[1]), Pictures.Resampling.LANCZOS)
    return Scene(
        photo=inside(cast, shown.path),
        shows=tuple(concept.name for concept in shown.concepts),
        things=tuple(concept.kind == "thing" for concept in shown.concepts),
        where=shown.where,
        latent=base.encoded(pixels([seen])),
        image=pixels([page]),
    )


def estimated(base: Base, some: Sequence[Scene], look: Look, g: torch.Generator) -> Kept:
    """Masks of everyone in every photo, by the base as it stands; bool, PHOTO:NAME."""
    return {
        f"{each.photo}:{name}": mask
        for each in some
        for name, mask in zip(each.shows, found(base, each, look, g), strict=True)
    }


def found(base: Base, each: Scene, look: Look, generator: torch.Generator) -> torch.Tensor:
    """The masks of one photo: k × height × width, bool.

    Whom the CRF leaves nothing keeps what they had, unless it was another's as well.
    """
    coarse = parted(sided(averaged(base, each, look, generator).cpu(), each), each, look)
    rough = enlarged(coarse, each.image)[0] >= 0.5
    fine = look.settle(coarse, each.image)[0] >= 0.5
    return torch.stack(
        [
            before if after.float().mean() < LEAST and alone(rough, i) else after
            for i, (before, after) in enumerate(zip(rough, fine, strict=True))
        ]
    )


def alone(masks: torch.Tensor, i: int) -> bool:
    """Whether none of the other masks is the same as the i-th."""
    return all(alike(mask, masks[i]) < SAME for j, mask in enumerate(masks) if j != i)


@torch.no_grad()
def averaged(base: Base, each: Scene, look: Look, generator: torch.Generator) -> CrossMap:
    """The mean attention to each concept of a photo at random timesteps, each with its own noise.

    What of a pass comes after the last layer that counts is left out.
    """
    caption = [naming(each.shows)]
    where = positions(base, caption, [f"<{name}>" for name in each.shows])
    text = base.text(caption)
    sums: list[CrossMap] = []
    with recorded(base, look.resolutions, look.places) as record:
        for n in portions(look.timesteps, TOGETHER):
            with record.leaving():
                base.guessed(each.latent.expand(n, -1, -1, -1), text.expand(n, -1, -1), generator)
            maps = pyramid(record, where.expand(n, -1, -1), look.resolutions)
            sums.append(maps.sum(0, keepdim=True))
    return torch.stack(sums).sum(0) / look.timesteps


def pyramid(record: Record, where: Positions, resolutions: Sequence[int]) -> CrossMap:
    """The mean of maps of several resolutions, at the finest."""
    maps = [record.maps(where, resolution) for resolution in sorted(resolutions)]
    size = maps[-1].shape[-2:]
    return torch.stack([F.interpolate(each, size, mode="bilinear") for each in maps]).mean(0)


def portions(total: int, size: int) -> Iterator[int]:
    """Numbers of at most `size` that make up `total`."""
    for begun in range(0, total, size):
        yield min(size, total - begun)


def sided(maps: CrossMap, each: Scene) -> CrossMap:
    """Maps times what is said of sides: a prior of where somebody is, as left of the others.

    What parts the sides is the middle of the attention to all things of the photo.
    """
    columns = (torch.arange(maps.shape[-1]) + 0.5) / maps.shape[-1]
    looks = maps[:, torch.tensor(each.things)].sum((0, 1, 2))
    right = ((columns - (columns * looks).sum() / looks.sum()) / SOFTNESS).sigmoid()
    ways = {"left": 1 - right, "right": right, None: torch.ones_like(right)}
    return maps * torch.stack([ways[each.where.get(name)] for name in each.shows])[:, None]


def parted(maps: CrossMap, each: Scene, look: Look) -> Masks:
    """What a photo's maps become before its picture is looked at."""
    things, maps = torch.tensor(each.things), levelled(maps, look.peak)
    if look.balance and sum(each.things) > 1:
        maps[:, things] = balanced(maps[:, things])
    masks = look.rule(maps)
    if look.leftover and any(each.things) and each.things.count(False) == 1:
        left = 1 - masks[:, things].amax(1, keepdim=True)
        masks = torch.where(things[:, None, None], masks, left) if left.amax() >= 0.5 else masks
    return masks


def enlarged(masks: Masks, images: Image) -> FullMasks:
    """Masks at the images' size, with no regard to what is in them."""
    return F.interpolate(masks.float(), images.shape[2:], mode="bilinear")


def seen(masks: Mapping[str, HardMask]) -> tuple[str, ...]:
    """Who of those in a photo has a mask to learn from: something, and not another's."""
    distinct: list[str] = []
    for name, mask in masks.items():
        same = (alike(mask, masks[other]) >= SAME for other in distinct)
        if mask.mean() >= LEAST and not any(same):
            distinct.append(name)
    return tuple(distinct)


def learnable(
    cast: Cast, rounds: Iterable[Kept], run: Path
) -> Iterator[tuple[tuple[Mapping[str, HardMask], ...], list[tuple[str, ...]]]]:
    """For each round the photos' masks, at their size, and who in each has one to learn from.

    In the first round that must be everyone, somewhere; who is lost later keeps what they had.
    """
    now: Kept = {}
    for found in rounds:
        first, now = not now, steadied(cast, now, found)
        masks = tuple(each.masks for each in remembered(cast, now, ""))
        shown = [seen(there) for there in masks]
        if first:
            check_seen(cast, shown, run)
        yield masks, shown


def steadied(cast: Cast, before: Kept, now: Kept) -> Kept:
    """Masks found anew; but where somebody has lost theirs in every photo, those from before.

    All masks of these photos: they were settled together.
    """
    had, have = (
        {name for there in restored(cast, masks) for name in seen(there)} for masks in (before, now)
    )
    lost = {key.rsplit(":", 1)[0] for key in now if key.rsplit(":", 1)[1] in had - have}
    return {k: before[k] if k.rsplit(":", 1)[0] in lost else mask for k, mask in now.items()}


def check_seen(cast: Cast, shown: Collection[Collection[str]], run: Path) -> None:
    """Refuse to learn somebody who has no mask of their own in any photo."""
    for name in cast.names:
        if not any(name in names for names in shown):
            raise Visible(
                f"attention does not tell where {name} is in any photo, so there is nothing to "
                f"learn {name} from; see `groupshot masks {run} --out masks`, then add a photo of "
                f"{name} alone, or say in cast.yaml who is where, as `where: {{{name}: left}}`"
            )
