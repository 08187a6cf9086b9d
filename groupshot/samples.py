"""Cast → captioned batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as Pictures
from PIL.Image import Image as Picture
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.keep import Kept
from groupshot.shapes import Image, Latent

TOGETHER = 8
"""Pictures that pass through a network at once where nothing is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Latents and what each of them shows, in words."""

    latents: Latent
    captions: tuple[str, ...]


Samples = Callable[[int, Generator], Batch]
"""Gives the batch of a step; all its chance comes from that step's own generator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photo and whom it shows."""

    picture: Picture
    shows: tuple[str, ...]


def shots(cast: Cast) -> tuple[Shot, ...]:
    """Every photo of the cast, those of one concept first."""
    alone = [
        Shot(picture=photo.image(), shows=(concept.name,))
        for concept in cast.concepts
        for photo in concept.photos
    ]
    return (*alone, *(Shot(picture=t.photo.image(), shows=t.shows) for t in cast.together))


def nouns(cast: Cast) -> dict[str, str]:
    """The class noun of every concept; a UserError that says which line to add."""
    for concept in cast.concepts:
        if concept.noun is None:
            raise UserError(
                f"{concept.name} has no class word, and this method needs one: "
                f"under `concepts:` in cast.yaml, write `{concept.name}: {{class: cat}}`."
            )
    return {concept.name: concept.noun or "" for concept in cast.concepts}


def caption(template: str, shows: tuple[str, ...]) -> str:
    """A template about concepts: "a photo of <luna>, <rex> and <bay>"."""
    *first, last = (f"<{name}>" for name in shows)
    return template.format(f"{', '.join(first)} and {last}" if first else last)


def with_article(noun: str) -> str:
    """ "a cat", "an owl"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def pixels(pictures: list[Picture]) -> Image:
    """Pictures of one size as a tensor."""
    arrays = [np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1


def cropped(picture: Picture, size: int, least: float, generator: Generator) -> Picture:
    """A random square of at least `least` of the shorter side, at `size`."""
    share, x, y = torch.rand(3, generator=generator).tolist()
    side = round(min(picture.size) * (least + (1 - least) * share))
    left, top = round(x * (picture.width - side)), round(y * (picture.height - side))
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Pictures.Resampling.LANCZOS, box=box)


def views(base: Base, shots: tuple[Shot, ...], count: int, least: float, g: Generator) -> Kept:
    """`count` crops of every shot, encoded once: {"views": shot × crop × latent}."""
    crops = [cropped(s.picture, base.size, least, g) for s in shots for _ in range(count)]
    latents = [
        base.encoded(pixels(crops[i : i + TOGETHER])) for i in range(0, len(crops), TOGETHER)
    ]
    return {"views": torch.cat(latents).unflatten(0, (len(shots), count))}


def batches(base: Base, shots: tuple[Shot, ...], views: Tensor, size: int) -> Samples:
    """Batches that show each concept equally often: random shot, crop and caption."""
    of: dict[str, list[int]] = {}
    for i, shot in enumerate(shots):
        for name in shot.shows:
            of.setdefault(name, []).append(i)
    names = list(of)

    def batch(step: int, generator: Generator) -> Batch:
        turns = [names[(step * size + j) % len(names)] for j in range(size)]
        rows = [of[name][drawn(len(of[name]), generator)] for name in turns]
        crops = [drawn(views.shape[1], generator) for _ in rows]
        templates = [base.card.templates[drawn(len(base.card.templates), generator)] for _ in rows]
        return Batch(
            latents=views[rows, crops].to(base.device),
            captions=tuple(
                caption(t, shots[i].shows) for t, i in zip(templates, rows, strict=True)
            ),
        )

    return batch


def drawn(below: int, generator: Generator) -> int:
    """A random whole number from 0 to below - 1."""
    return int(torch.randint(below, (1,), generator=generator).item())


def priors(base: Base, nouns: set[str], count: int, generator: Generator) -> Kept:
    """`count` latents of each class, drawn by the base itself: {noun: latents}."""
    kept: Kept = {}
    for noun in sorted(nouns):
        prompts = [
            template.format(with_article(noun))
            for template in (base.card.templates * count)[:count]
        ]
        seeds = torch.randint(2**31, (count,), generator=generator).tolist()
        own = [torch.Generator().manual_seed(seed) for seed in seeds]
        kept[noun] = torch.cat(
            [
                base.sampled(prompts[i : i + TOGETHER], own[i : i + TOGETHER])
                for i in range(0, count, TOGETHER)
            ]
        )
    return kept


def prior_batches(base: Base, priors: Mapping[str, Tensor], size: int) -> Samples:
    """Batches of the base's own pictures, the classes in turn."""
    classes = sorted(priors)
    templates = base.card.templates

    def batch(step: int, generator: Generator) -> Batch:
        turns = [classes[(step * size + j) % len(classes)] for j in range(size)]
        rows = [drawn(len(priors[noun]), generator) for noun in turns]
        latents = [priors[noun][i] for noun, i in zip(turns, rows, strict=True)]
        return Batch(
            latents=torch.stack(latents).to(base.device),
            captions=tuple(
                templates[i % len(templates)].format(with_article(noun))
                for noun, i in zip(turns, rows, strict=True)
            ),
        )

    return batch
