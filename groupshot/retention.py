"""Retention: what the base makes of its own words stays, while it learns others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from groupshot.base import Base
from groupshot.keep import Kept
from groupshot.losses import moved
from groupshot.samples import Batch, prior_batches
from groupshot.samples.batch import TOGETHER
from groupshot.shapes import Latent, Times
from groupshot.weights import KEYS_VALUES, Part

Term = Callable[[], dict[str, Tensor]]
"""A term of a loss by its name, as things stand; or nothing."""


@torch.no_grad()
def retention(base: Base, parts: Iterable[Part], prompts: Sequence[str], weight: float) -> Term:
    """How far keys and values have `moved` since now for some prompts, and for the empty one.

    A mean over the layers whose keys or values learn as a whole; nothing where none does, or
    `weight` is 0. Ours: pictures of a class, as DreamBooth learns them again, say what to draw for
    it; this says that a class's words are to mean what they meant, whatever is drawn, without a
    pass of the denoiser.
    """
    learning = [
        tensor
        for part in parts
        for name, tensor in part.tensors.items()
        if name.removesuffix(".weight").endswith(KEYS_VALUES)
    ]
    if not (weight and learning):
        return dict
    text = base.text(["", *prompts])
    states = base.reader.told(text, base.size)["encoder_hidden_states"].flatten(0, 1)
    moment = states.T @ states / len(states)
    before = [tensor.clone() for tensor in learning]

    def term() -> dict[str, Tensor]:
        pairs = zip(learning, before, strict=True)
        return {"retention": weight * torch.stack([moved(*each, moment) for each in pairs]).mean()}

    return term


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Noisy latents, the text each is told, and what the denoiser should say of them."""

    noisy: Latent
    times: Times
    target: Latent
    captions: tuple[str, ...]


Lessons = Callable[[int, Generator], Lesson]
"""Gives the lesson of a step; all its chance comes from that step's own generator."""


def lessons(base: Base, own: Kept, size: int, recalled: int, generator: Generator) -> Lessons:
    """The base's own pictures of classes, `size` a step, with new noise each time.

    Or `recalled` of them with noise, each as the base guesses it now, whatever it learns later;
    those come again and again. A guess is the mean of all that the noise could have been, so there
    is less to average than in noise itself (Learning without Forgetting, arXiv 1606.09282).
    """
    if recalled and size and any(map(len, own.values())):
        return again(guessed(base, own, recalled, generator), size)
    fresh = prior_batches(base, own, size)
    return lambda step, g: noised(base, fresh(step, g), g)


def noised(base: Base, batch: Batch, generator: Generator) -> Lesson:
    """Pictures as a denoiser usually learns them, with new noise."""
    noisy, times, target = base.noised(batch.latents, generator)
    return Lesson(noisy=noisy, times=times, target=target, captions=batch.captions)


@torch.no_grad()
def guessed(base: Base, own: Kept, count: int, generator: Generator) -> list[Lesson]:
    """`count` pictures with noise, one to a lesson, and what the base says of them now."""
    samples = prior_batches(base, own, 1)
    asked = [noised(base, samples(step, generator), generator) for step in range(count)]
    told: list[Lesson] = []
    for i in range(0, count, TOGETHER):
        some = joined(asked[i : i + TOGETHER])
        guesses = base.predicted(some.noisy, some.times, base.text(some.captions))
        told += [
            replace(each, target=guess)
            for each, guess in zip(asked[i : i + TOGETHER], guesses.split(1), strict=True)
        ]
    return told


def again(known: Sequence[Lesson], size: int) -> Lessons:
    """Any of some lessons, `size` a step."""

    def lesson(step: int, generator: Generator) -> Lesson:
        rows = torch.randint(len(known), (size,), generator=generator).tolist()
        return joined([known[i] for i in rows])

    return lesson


def joined(some: Sequence[Lesson]) -> Lesson:
    """Lessons as one."""
    return Lesson(
        noisy=torch.cat([each.noisy for each in some]),
        times=torch.cat([each.times for each in some]),
        target=torch.cat([each.target for each in some]),
        captions=sum((each.captions for each in some), ()),
    )
