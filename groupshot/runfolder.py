"""A run as a folder: what it is made of, so that it can be gone on with, and loaded when done."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from PIL.Image import Image as Picture

from groupshot.base import Base, faster
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import digest, is_draft, load_json
from groupshot.learned import Learned
from groupshot.pictures import generate
from groupshot.team import present

RECORD = "run.json"
LEARNED = "learned.safetensors"
CHECKPOINT = "checkpoint.safetensors"

Record = dict[str, Any]
"""What stands in run.json."""

FIXED = ("method", "fields", "base", "seed", "cast", "weights", "optimiser")
"""What must be the same when a run goes on."""

USUAL = {"optimiser": "adamw"}
"""What is meant where a record is of a time that knew no choice."""

LIBRARIES = ("groupshot", "torch", "diffusers", "transformers", "peft")


def record(cast: Cast, base: Base, method: str, fields: Record, seed: int) -> Record:
    """What a new run is made of, and every choice that its numbers depend on."""
    return {
        "method": method,
        "fields": fields,
        "base": base.source,
        "seed": seed,
        "cast": described(cast),
        "threads": torch.get_num_threads(),
        "precision": base.precision or faster(base),
        "weights": base.stored,
        "optimiser": base.optimiser,
        "device": base.device.type,
        "microbatch": base.microbatch,
        "processes": present().size,
        "versions": {library: version(library) for library in LIBRARIES},
    }


def described(cast: Cast) -> Record:
    """A cast in a few lines, with a digest of every picture in it."""
    photos = [p for c in cast.concepts for p in c.photos] + [t.photo for t in cast.together]
    return {
        "folder": str(cast.folder.resolve()),
        "concepts": {c.name: {"class": c.noun, "kind": c.kind} for c in cast.concepts},
        "photos": len(photos),
        "digest": digest(photo.path for photo in photos),
    }


def read(folder: Path) -> Record:
    """The record of the run in a folder."""
    if not (folder / RECORD).is_file():
        raise UserError(f"{folder} holds no run: there is no {RECORD} in it.")
    return load_json(folder / RECORD)


def begun(folder: Path, resume: bool) -> Record | None:
    """The record of the run that goes on in `folder`, or None where a new one may begin."""
    if not folder.exists() or (folder.is_dir() and all(map(is_draft, folder.iterdir()))):
        return None
    if not resume:
        raise UserError(f"{folder} is not empty: choose another --out, or go on with --resume.")
    return read(folder)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """A run's folder for this process alone, for as long as it lives; a UserError if taken."""
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        raise UserError(f"Another process is training in {folder}: wait until it ends.") from None
    try:
        yield
    finally:
        os.close(place)


def check_same(folder: Path, before: Record, now: Record) -> None:
    """Refuse to go on with another method, base, seed or cast."""
    for key in FIXED:
        old, new = unmoved(before.get(key, USUAL.get(key))), unmoved(now[key])
        if old != new:
            raise UserError(
                f"{folder} was begun with {told(key, old, new)}: "
                "resume it as it was, or choose another --out."
            )


def told(key: str, old: Any, new: Any) -> str:
    """How what was and what is differ; of fields, those that do."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{key} {old}, not {new}"
    was, now = cast(Record, old), cast(Record, new)
    other = [k for k in was | now if was.get(k) != now.get(k)]
    words = {"digest": "other photos"}
    return ", ".join(words.get(k, f"{k} {was.get(k)}, not {now.get(k)}") for k in other)


def resumed(folder: Path, before: Record, now: Record) -> Record:
    """The record of a run that goes on: as it was, but for the microbatch where one is given."""
    check_same(folder, before, now)
    return before | {"microbatch": now["microbatch"] or before.get("microbatch")}


def most(record: Record) -> int | None:
    """How many samples of a step pass at once; None for all, for as long as there is memory."""
    asked = record["microbatch"]
    return None if asked == "auto" else asked


def unmoved(value: Any) -> Any:
    """A cast without the place where it lies: a folder may be moved."""
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if k != "folder"}
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished run: its folder, its record, its base, and what it learned."""

    folder: Path
    record: Record
    base: Base
    learned: Learned

    @classmethod
    def load(cls, folder: str | Path, base: Base | None = None) -> "Trained":
        """Read a run's folder; a UserError if there is none, or it is not finished."""
        folder = Path(folder)
        record = read(folder)
        if not (folder / LEARNED).is_file():
            raise UserError(f"The run in {folder} is not finished: go on with --resume.")
        if base is None:
            stored = record["weights"]
            base = Base.load(record["base"], precision=None if stored == "fp32" else stored)
            base.precision = record["precision"]
        return cls(
            folder=folder,
            record=record,
            base=base,
            learned=Learned.load(folder / LEARNED),
        )

    @contextmanager
    def applied(self) -> Generator[Base]:
        """The base with what was learned inside, computing as the run did."""
        with (
            self.base.computing(self.record["precision"]),
            self.learned.applied_to(self.base) as base,
        ):
            yield base

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> list[Picture]:
        """Pictures with what was learned; picture i has its own generator, seeded `seed` + i."""
        with self.applied() as base:
            return generate(base, prompt, n=n, seed=seed, steps=steps, guidance=guidance)
