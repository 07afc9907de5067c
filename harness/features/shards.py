"""The files of a feature store: safetensors that carry who made them, and a digest.

The digest of a file's bytes stands in its name, ``NAME-CRC32.safetensors``. A file is
compared with it when a process first reads it; one that differs is removed, so that a
flipped bit costs an extraction and is never a number.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from harness.files import crc32, replacing, sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

Kind = Literal["pooled", "last", "all"]
KINDS: tuple[Kind, ...] = ("pooled", "last", "all")
NORMS = ".norms"
SECONDS = "seconds"
MADE = "made"
SUFFIX = ".safetensors"
ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector of any CPU that torch knows."""


@dataclass(frozen=True)
class Origin:
    """Utterances that were extracted together.

    Attributes:
        seconds: What each of them took.
        made: By whom: ``device``, ``versions``, and when they were ``created``.
    """

    seconds: Mapping[str, float]
    made: Mapping[str, Any]


@dataclass(frozen=True)
class Shard:
    """One file: its utterances, and where they come from: several, if it is a pack."""

    path: Path
    keys: frozenset[str]
    origins: tuple[Origin, ...]


class Piece(TypedDict):
    """A tensor as it lies in a file, in the words of ``safetensors.deserialize``."""

    dtype: str
    shape: Sequence[int]
    data: bytearray | memoryview


def write_shard(folder: Path, tensors: Mapping[str, Tensor], *origins: Origin) -> Shard:
    """Add a file to a folder, whole or not at all.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    pieces = {name: _piece(tensor) for name, tensor in tensors.items()}
    return write_pieces(folder, pieces, *origins)


def write_pieces(folder: Path, pieces: Mapping[str, Piece], *origins: Origin) -> Shard:
    """Do the same for tensors that are bytes already."""
    metadata = {
        SECONDS: json.dumps([dict(one.seconds) for one in origins]),
        MADE: json.dumps([dict(one.made) for one in origins]),
    }
    data = _serialised(metadata, pieces)
    name = sha256_json(sorted(pieces))[:32]
    path = folder / f"{name}-{crc32(data)}{SUFFIX}"
    with replacing(path) as beside:
        beside.write_bytes(data)
    return Shard(path, _keys(pieces), origins)


def _keys(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if not name.endswith(NORMS))


def _piece(tensor: Tensor) -> Piece:
    import torch

    data = tensor.contiguous().view(-1).view(torch.uint8).numpy().data
    return {
        "dtype": {4: "F32", 2: "F16"}[tensor.itemsize],
        "shape": list(tensor.shape),
        "data": data,
    }


def _serialised(metadata: Mapping[str, str], pieces: Mapping[str, Piece]) -> bytes:
    """Return the bytes of a file: 8 of the header's length, the header, the tensors.

    ``safetensors.torch.save`` takes several times as long for many small tensors, and
    leaves their place to the header's length: here the first begins at a multiple of
    ``ALIGNMENT``. Where a tensor begins in memory decides how its sums are grouped, and
    so their last bits, which must not depend on what else is in a shard.
    """
    header: dict[str, object] = {"__metadata__": metadata}
    names = sorted(pieces, key=lambda name: (pieces[name]["dtype"] != "F32", name))
    end = 0
    for name in names:
        begin, end = end, end + len(pieces[name]["data"])
        header[name] = {
            "dtype": pieces[name]["dtype"],
            "shape": pieces[name]["shape"],
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    length = len(text).to_bytes(8, "little")
    return b"".join((length, text, *(pieces[name]["data"] for name in names)))


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
        return Shard(path, _keys(header), tuple(_origins(metadata)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _origins(metadata: Mapping[str, str]) -> Iterator[Origin]:
    """Read who made a file; one value of each stands for a list of one."""
    seconds, made = (json.loads(metadata.get(name, "{}")) for name in (SECONDS, MADE))
    if not isinstance(made, list):
        seconds, made = [seconds], [made]
    for took, by in zip(seconds, made, strict=True):
        yield Origin({key: float(one) for key, one in took.items()}, dict(by))


def is_whole(path: Path) -> bool:
    """Return whether a file has the bytes that were written; read once a process."""
    try:
        status = path.stat()
        return _has_digest(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return False


@functools.lru_cache(maxsize=1 << 14)
def _has_digest(path: Path, _size: int, _mtime_ns: int) -> bool:
    return read_whole(path) is not None


def read_whole(path: Path) -> bytes | None:
    """Read the bytes of a file; ``None`` where they are not those that were written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    return data if crc32(data) == digest else None


class Reader:
    """Features by utterance key; their files are mapped into memory."""

    def __init__(self, kind: Kind, where: Mapping[str, Path]) -> None:
        """Map the file of each utterance.

        Raises:
            FileNotFoundError: Where one is gone.
        """
        from safetensors import safe_open

        self._kind, self._where = kind, where
        self._open: dict[Path, Any] = {
            path: safe_open(path, framework="pt") for path in set(where.values())
        }

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor, by key or by key and ``.norms``; do not write to it.

        It begins at a multiple of ``ALIGNMENT``, whatever lies before it in its file.
        """
        path = self._where[name.removesuffix(NORMS)]
        tensor: Tensor = self._open[path].get_tensor(name)
        if tensor.data_ptr() % ALIGNMENT:
            tensor = tensor.clone()
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
