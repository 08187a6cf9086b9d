"""Drawings: what the base draws by itself, before it learns."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from groupshot.base import Base, fingerprint
from groupshot.files import load_tensors, save_tensors
from groupshot.keep import Kept
from groupshot.samples.batch import TOGETHER, Batch, Samples, drawn, unmasked
from groupshot.samples.captions import templated, with_article
from groupshot.shapes import Latent


def priors(base: Base, nouns: set[str], count: int, generator: Generator) -> Kept:
    """`count` latents of each class, drawn by the base itself: {noun: latents}."""
    return {
        noun: own(base, templated((base.card.templates * count)[:count], [noun]), generator)
        for noun in sorted(nouns)
    }


def scenes(base: Base, places: Sequence[str], count: int, generator: Generator) -> Kept:
    """`count` latents of each place, drawn with nobody asked for: {place: latents}.

    A base that never saw a place without somebody in it, as the toybox's, draws somebody into
    these too: take `backdrops.emptied` photos there.
    """
    return {
        place: own(base, [base.card.templates[0].format(place)] * count, generator)
        for place in places
    }


def own(base: Base, prompts: Sequence[str], generator: Generator) -> Latent:
    """A latent for each prompt, each from a generator of its own.

    Read from `base.drawings` where they are there, and else left there.
    """
    if not prompts:
        return torch.zeros(0, *base.shape)
    seeds = torch.randint(2**31, (len(prompts),), generator=generator).tolist()
    if base.drawings is None:
        return fresh(base, prompts, seeds)
    weights = [fingerprint(base.source), base.stored, base.precision]
    ways = [asdict(base.card), dict(base.pipe.scheduler.config)]
    made_of = json.dumps([*weights, *ways, *prompts, *seeds], default=str)
    file = base.drawings / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.safetensors"
    if not file.is_file():
        save_tensors(file, {"latents": fresh(base, prompts, seeds)}, made_of)
    return load_tensors(file)[0]["latents"]


def fresh(base: Base, prompts: Sequence[str], seeds: Sequence[int]) -> Latent:
    """A latent for each prompt and seed, drawn now."""
    made: list[Latent] = []
    with tqdm(desc=prompts[0], total=len(prompts), unit="picture", delay=1) as bar:
        for i in range(0, len(prompts), TOGETHER):
            made.append(at_once(base, prompts[i : i + TOGETHER], seeds[i : i + TOGETHER]))
            bar.update(len(made[-1]))
    return torch.cat(made)


def at_once(base: Base, prompts: Sequence[str], seeds: Sequence[int]) -> Latent:
    """A latent for each, drawn together; in halves where there is no memory for so many."""
    half = len(prompts) // 2
    with suppress(torch.OutOfMemoryError) if half else nullcontext():
        return base.sampled(prompts, [torch.Generator().manual_seed(seed) for seed in seeds])
    torch.cuda.empty_cache()
    halves = (slice(half), slice(half, None))
    return torch.cat([at_once(base, prompts[each], seeds[each]) for each in halves])


def prior_batches(base: Base, priors: Mapping[str, Tensor], size: int) -> Samples:
    """Batches of the base's own pictures, the classes in turn; of nothing where it drew none."""
    classes = sorted(priors)
    if not sum(map(len, priors.values())):
        return lambda step, generator: unmasked(torch.zeros(0, *base.shape, device=base.device), ())
    templates = base.card.templates

    def batch(step: int, generator: Generator) -> Batch:
        turns = [classes[(step * size + j) % len(classes)] for j in range(size)]
        rows = [drawn(len(priors[noun]), generator) for noun in turns]
        latents = [priors[noun][i] for noun, i in zip(turns, rows, strict=True)]
        captions = [
            templates[i % len(templates)].format(with_article(noun))
            for noun, i in zip(turns, rows, strict=True)
        ]
        return unmasked(torch.stack(latents).to(base.device), tuple(captions))

    return batch
