"""Utterances and their folds as a file in the cache: what tasks refer to by its hash.

So a task is small, whatever the size of its corpus. The file is lines of JSON, a block
of utterances a line, and a worker parses the blocks that it needs, so that a corpus is
never in memory as a whole. Its name is the hash of its bytes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload

from harness.data.manifest import Recording
from harness.errors import DataError
from harness.files import replacing, sha256_file
from harness.types import PARTS, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.data.places import Places
    from harness.types import Fold

FOLDER = "manifests"
"""Of the cache."""

SUFFIX = ".jsonl"

BLOCK = 4096
"""Utterances a line: some 10 ms to parse."""

BLOCKS = 64
"""Parsed blocks that a process keeps, some 150 MB."""

_APART = ("utterance", "path", "others", "sketch")
"""Fields that are stored in another way, or not at all: no task needs a sketch."""

_PLAIN = tuple(field.name for field in fields(Recording) if field.name not in _APART)
_SPOKEN = tuple(field.name for field in fields(Utterance))
_REPEATED = frozenset(("sha256", "source", "path", "label", "speaker", "sentence"))
"""Fields whose texts many utterances share, so that each is kept once."""


@dataclass(frozen=True)
class Recordings(Sequence[Recording]):
    """The utterances of a stored corpus, sorted by id, parsed when they are asked for.

    Attributes:
        path: The file.
        places: Where audio lies.
        lines: Where each block begins and ends, in bytes.
        size: How many there are.
    """

    path: Path
    places: Places
    lines: tuple[tuple[int, int], ...]
    size: int

    def __len__(self) -> int:
        """Return N."""
        return self.size

    @overload
    def __getitem__(self, place: int) -> Recording: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Recording, ...]: ...
    def __getitem__(self, place: int | slice) -> Recording | tuple[Recording, ...]:
        """Return one, or those of a slice."""
        if isinstance(place, slice):
            return tuple(self[one] for one in range(self.size)[place])
        number, within = divmod(range(self.size)[place], BLOCK)
        return _block(self.path, self.places, *self.lines[number])[within]

    def __iter__(self) -> Iterator[Recording]:
        """Yield all, a block in memory at a time."""
        for line in self.lines:
            yield from _block(self.path, self.places, *line)


@dataclass(frozen=True)
class StoredCorpus:
    """What was stored.

    Attributes:
        recordings: Sorted by utterance id.
        parts: For each fold, a digit a recording: its place in ``PARTS``, or ``-``.
    """

    recordings: Recordings
    parts: dict[str, str]

    def fold(self, name: str) -> tuple[tuple[Recording, ...], ...]:
        """Return the recordings of a fold: train, valid and test."""
        found: dict[str, list[Recording]] = {str(n): [] for n in range(len(PARTS))}
        for recording, digit in zip(self.recordings, self.parts[name], strict=True):
            if digit in found:
                found[digit].append(recording)
        return tuple(map(tuple, found.values()))


def store(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> str:
    """Write utterances and folds, unless they are there; return what they are found by.

    Raises:
        StoreError: Where the cache cannot be written.
    """
    key = key_of(places, recordings, folds)
    path = path_of(places, key)
    if not is_whole(path):
        with replacing(path) as beside, beside.open("wb") as file:
            file.writelines(_lines(places, recordings, folds))
    return key


def key_of(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> str:
    """Return what these utterances and folds are found by, once they are stored."""
    digest = hashlib.sha256()
    for line in _lines(places, recordings, folds):
        digest.update(line)
    return digest.hexdigest()[:32]


def is_whole(path: Path) -> bool:
    """Return whether a file is there, with the bytes that were written."""
    try:
        return sha256_file(path)[:32] == path.stem
    except OSError:
        return False


@functools.lru_cache(maxsize=4)
def load(places: Places, key: str) -> StoredCorpus:
    """Find what was stored, once a process.

    Raises:
        DataError: Where it is not there any more.
    """
    path = path_of(places, key)
    if not is_whole(path):
        raise DataError(
            f"The list of utterances {path} is gone or damaged. Run the same command "
            "again."
        )
    with path.open("rb") as file:
        head = json.loads(file.readline())
        ends = [file.tell()]
        ends += [file.tell() for _ in iter(file.readline, b"")]
    lines = tuple(itertools.pairwise(ends))
    return StoredCorpus(Recordings(path, places, lines, head["count"]), head["parts"])


def path_of(places: Places, key: str) -> Path:
    """Return where such a list lies."""
    return places.cache / FOLDER / f"{key}{SUFFIX}"


# ---------------------------------------------------------------- lines


def _lines(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> Iterator[bytes]:
    """Yield the file: the folds, then the utterances, block by block.

    It is in ASCII, which has any name that a file can have.
    """
    parts = {fold.name: _digits(fold, recordings) for fold in folds}
    yield json.dumps({"count": len(recordings), "parts": parts}).encode() + b"\n"
    shorten = functools.lru_cache(maxsize=BLOCK)(places.shorten)
    for first in range(0, len(recordings), BLOCK):
        rows = [_row(one, shorten) for one in recordings[first : first + BLOCK]]
        yield json.dumps(rows).encode() + b"\n"


def _digits(fold: Fold, recordings: Sequence[Recording]) -> str:
    part_of = {id: str(n) for n, (_, ids) in enumerate(fold.parts()) for id in ids}
    return "".join(part_of.get(one.utterance.id, "-") for one in recordings)


_plain, _spoken = attrgetter(*_PLAIN), attrgetter(*_SPOKEN)


def _row(recording: Recording, shorten: Callable[[Path], str]) -> tuple[Any, ...]:
    """Return a recording's path, what its audio is, and what is said of it.

    Rows of what it is mixed with stand behind, if there are any.
    """
    row = (
        shorten(recording.path),
        *_plain(recording),
        *_spoken(recording.utterance),
    )
    mixed = [_row(other, shorten) for other in recording.others]
    return (*row, mixed) if mixed else row


@functools.lru_cache(maxsize=BLOCKS)
def _block(path: Path, places: Places, begin: int, end: int) -> tuple[Recording, ...]:
    """Parse a line of utterances."""
    with path.open("rb") as file:
        file.seek(begin)
        rows = json.loads(file.read(end - begin))
    find = functools.cache(places.find)
    return tuple(_recording(row, find) for row in rows)


def _recording(row: list[Any], find: Callable[[str], Path]) -> Recording:
    first, last = 1 + len(_PLAIN), 1 + len(_PLAIN) + len(_SPOKEN)
    plain = dict(zip(_PLAIN, row[1:first], strict=True))
    spoken = dict(zip(_SPOKEN, row[first:last], strict=True))
    others = tuple(_recording(one, find) for rest in row[last:] for one in rest)
    for said in (plain, spoken):
        for name in said.keys() & _REPEATED:
            if said[name] is not None:
                said[name] = sys.intern(said[name])
    return Recording(
        utterance=Utterance(**spoken), path=find(row[0]), others=others, **plain
    )
