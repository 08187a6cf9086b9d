"""Files that are whole or not there: each is written beside its place and moved into it."""

import hashlib
import json
import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from groupshot.errors import UserError

DRAFT = re.compile(r"\..+\.\d+|\.tmp\w{6}")
"""The name of a file that is being written, by `written` or by safetensors, which names its own."""


@contextmanager
def written(file: Path) -> Generator[Path]:
    """A temporary path that becomes `file` if the block ends well, and is removed if not."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield draft
        with draft.open("rb") as whole:
            os.fsync(whole.fileno())  # a power cut must not leave the name of an empty file
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def is_draft(file: Path) -> bool:
    """Whether a file is being written, or was when its writer was killed."""
    return DRAFT.fullmatch(file.name) is not None


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left half-written below `folder`."""
    for file in filter(is_draft, folder.rglob(".*")):
        file.unlink()


def digest(files: Iterable[Path]) -> str:
    """A hash of the contents of files, in their order."""
    total = hashlib.sha256()
    for file in files:
        about = file.stat()
        total.update(_hashed(file, about.st_size, about.st_mtime_ns))
    return total.hexdigest()


@cache
def _hashed(file: Path, size: int, changed: int) -> bytes:
    """The hash of one file, read once as long as it stays as it is."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def save_json(file: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    with written(file) as draft:
        draft.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def load_json(file: Path) -> Any:
    """The value in a JSON file; a UserError if it is missing or not JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{file} is not valid JSON: {error}.") from None


def save_tensors(file: Path, tensors: Mapping[str, Tensor], note: Any = None) -> None:
    """Write tensors as safetensors, with a JSON `note` in the file's own header."""
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written(file) as draft:
        save_file(copies, draft, {"format": "pt", "groupshot": json.dumps(note)})


def load_tensors(file: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a safetensors file, and its note; a UserError if it is missing or broken."""
    if not file.is_file():
        raise UserError(f"{file} is missing.")
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            header = opened.metadata() or {}
    except SafetensorError as error:
        raise UserError(f"{file} is not a whole safetensors file: {error}.") from None
    return tensors, json.loads(header.get("groupshot", "null"))
