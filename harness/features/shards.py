"""The files of a feature store: safetensors that carry who made them, and a digest.

The digest of a file's bytes stands in its name, ``NAME-CRC32.safetensors``. A file is
compared with it when a process first reads it; one that differs is removed, so that a
flipped bit costs an extraction and is never a number.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.files import crc32, replacing, sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

Kind = Literal["pooled", "last", "all"]
KINDS: tuple[Kind, ...] = ("pooled", "last", "all")
NORMS = ".norms"
SECONDS = "seconds"
MADE = "made"
PADDING = "padding"
SUFFIX = ".safetensors"
ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector of any CPU that torch knows."""


@dataclass(frozen=True)
class Shard:
    """One file: its utterances, how long each took to extract, and who made it."""

    path: Path
    keys: frozenset[str]
    seconds: Mapping[str, float]
    made: Mapping[str, Any]


def write_shard(
    folder: Path,
    tensors: Mapping[str, Tensor],
    seconds: Mapping[str, float],
    made: Mapping[str, Any],
) -> Path:
    """Add a file to a folder, whole or not at all; return its path.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    from safetensors.torch import save

    metadata = {SECONDS: json.dumps(dict(seconds)), MADE: json.dumps(dict(made))}
    data = save(dict(tensors), metadata=_aligned(metadata, tensors))
    name = sha256_json(sorted(tensors))[:32]
    path = folder / f"{name}-{crc32(data)}{SUFFIX}"
    with replacing(path) as beside:
        beside.write_bytes(data)
    return path


def shards_in(folder: Path) -> Iterator[Shard]:
    """Yield the files of a folder, from their headers, passing over damaged ones."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if (shard := read_header(path)) is not None:
            yield shard


def read_header(path: Path) -> Shard | None:
    """Read what a file holds; ``None`` where it is gone or damaged."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _parse_header(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1 << 14)
def _parse_header(path: Path, size: int, _mtime_ns: int) -> Shard | None:
    """Read a safetensors header (8 bytes of length, then JSON), and check the size."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > size:
                return None
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        end = max(entry["data_offsets"][1] for entry in header.values())
        if size != 8 + length + end:
            return None
        keys = frozenset(name for name in header if not name.endswith(NORMS))
        seconds = json.loads(metadata.get(SECONDS, "{}"))
        took = {key: float(one) for key, one in seconds.items()}
        return Shard(path, keys, took, dict(json.loads(metadata.get(MADE, "{}"))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def is_whole(path: Path) -> bool:
    """Return whether a file has the bytes that were written; read once a process."""
    try:
        status = path.stat()
        return _has_digest(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return False


@functools.lru_cache(maxsize=1 << 14)
def _has_digest(path: Path, _size: int, _mtime_ns: int) -> bool:
    digest = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    return crc32(path.read_bytes()) == digest


class Reader:
    """Features by utterance key; a file is mapped into memory when first asked."""

    def __init__(self, kind: Kind, where: Mapping[str, Path]) -> None:
        """Note the path of each utterance's file."""
        self._kind, self._where = kind, where
        self._open: dict[Path, object] = {}

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor, by key or by key and ``.norms``; do not write to it."""
        from safetensors import safe_open

        path = self._where[name.removesuffix(NORMS)]
        if path not in self._open:
            self._open[path] = safe_open(path, framework="pt")
        tensor: Tensor = self._open[path].get_tensor(name)  # type: ignore[attr-defined]
        every = self._kind == "last" and path.parent.name == "all"
        return tensor[-1] if every else tensor

    def stacked(self, names: Sequence[str], part: int | slice = slice(None)) -> Tensor:
        """Return tensors of one shape as one, (N, …), reading them one by one.

        Args:
            names: As for ``[]``, at least one.
            part: Of the first dimension of each.
        """
        import torch

        first = self[names[0]][part]
        stack = torch.empty((len(names), *first.shape), dtype=first.dtype)
        for place, name in enumerate(names):
            stack[place] = self[name][part]
        return stack


def _aligned(
    metadata: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> dict[str, str]:
    """Lengthen a header so that its tensors begin at a multiple of ``ALIGNMENT``.

    Where a tensor begins in memory decides how its sums are grouped, and so their last
    bits: an utterance's frames must not depend on what else is in its shard.
    """
    header: dict[str, object] = {"__metadata__": {**metadata, PADDING: ""}}
    begin = 0
    for name in sorted(tensors):  # the order of tensors of one type in the file
        end = begin + tensors[name].nbytes
        header[name] = {
            "dtype": {4: "F32", 2: "F16"}[tensors[name].itemsize],
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, end],
        }
        begin = end
    length = 8 + len(json.dumps(header, separators=(",", ":")))
    return {**metadata, PADDING: " " * (-length % ALIGNMENT)}
