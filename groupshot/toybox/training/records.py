"""Arrays on disk that only grow: appended to raw files, read through memory maps."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Shape and type of one record's array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Size of one record."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


class Records:
    """Several arrays a record, a file for each; what a killed writer left half-written is cut."""

    def __init__(self, folder: Path, fields: dict[str, Field]) -> None:
        """Open the records in `folder`, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.fields = fields
        self.paths = {name: folder / f"{name}.raw" for name in fields}
        for path in self.paths.values():
            path.touch()
        self.count = min(
            self.paths[name].stat().st_size // field.bytes for name, field in fields.items()
        )
        for name, field in fields.items():
            os.truncate(self.paths[name], self.count * field.bytes)
        self.maps: dict[str, Array] = {}

    def __len__(self) -> int:
        """How many whole records there are."""
        return self.count

    def append(self, arrays: dict[str, Array]) -> None:
        """Add records: arrays with one more leading dimension than their fields."""
        for name, field in self.fields.items():
            with self.paths[name].open("ab") as file:
                np.ascontiguousarray(arrays[name], dtype=field.dtype).tofile(file)
        self.count += len(next(iter(arrays.values())))
        self.maps.clear()

    def read(self, name: str, indices: Array) -> Array:
        """The records of one field at `indices`, as an array in memory."""
        if name not in self.maps:
            field = self.fields[name]
            shape = (self.count, *field.shape)
            self.maps[name] = np.memmap(self.paths[name], dtype=field.dtype, mode="r", shape=shape)
        return np.asarray(self.maps[name][indices])
