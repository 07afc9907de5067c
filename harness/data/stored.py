"""Utterances and their folds as a file in the cache: what tasks refer to by its hash.

So a task is small, whatever the size of its corpus, and a worker reads the file once.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.data.manifest import Recording
from harness.errors import DataError
from harness.files import read_json, sha256_json, write_json
from harness.types import PARTS, Utterance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.data.places import Places
    from harness.types import Fold

FOLDER = "manifests"
"""Of the cache."""


@dataclass(frozen=True)
class StoredCorpus:
    """What was stored.

    Attributes:
        recordings: Sorted by utterance id.
        parts: For each fold, a digit a recording: its place in ``PARTS``, or ``-``.
    """

    recordings: tuple[Recording, ...]
    parts: Mapping[str, str]

    def fold(self, name: str) -> tuple[tuple[Recording, ...], ...]:
        """Return the recordings of a fold: train, valid and test."""
        digits = self.parts[name]
        return tuple(
            tuple(
                recording
                for recording, digit in zip(self.recordings, digits, strict=True)
                if digit == str(part)
            )
            for part in range(len(PARTS))
        )


def store(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> str:
    """Write utterances and folds, unless they are there; return what they are found by.

    Raises:
        StoreError: Where the cache cannot be written.
    """
    value = _value(places, recordings, folds)
    key = _key(value)
    path = path_of(places, key)
    try:
        whole = read_json(path) == value
    except (OSError, ValueError):
        whole = False
    if not whole:
        write_json(path, value)
    return key


def key_of(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> str:
    """Return what these utterances and folds are found by, once they are stored."""
    return _key(_value(places, recordings, folds))


def _value(
    places: Places, recordings: Sequence[Recording], folds: Sequence[Fold]
) -> dict[str, Any]:
    return {
        "recordings": [_row(one, places) for one in recordings],
        "parts": {fold.name: _digits(fold, recordings) for fold in folds},
    }


def _key(value: dict[str, Any]) -> str:
    return sha256_json(value)[:32]


@functools.lru_cache(maxsize=4)
def load(places: Places, key: str) -> StoredCorpus:
    """Read what was stored, once a process.

    Raises:
        DataError: Where it is not there any more.
    """
    try:
        value = read_json(path_of(places, key))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The list of utterances {path_of(places, key)} is gone or damaged. Run "
            "the same command again."
        ) from error
    rows = value["recordings"]
    return StoredCorpus(tuple(_recording(row, places) for row in rows), value["parts"])


def path_of(places: Places, key: str) -> Path:
    """Return where such a list lies."""
    return places.cache / FOLDER / f"{key}.json"


def _digits(fold: Fold, recordings: Sequence[Recording]) -> str:
    part_of = {id: str(n) for n, (_, ids) in enumerate(fold.parts()) for id in ids}
    return "".join(part_of.get(one.utterance.id, "-") for one in recordings)


def _row(recording: Recording, places: Places) -> dict[str, Any]:
    return asdict(recording) | {"path": places.shorten(recording.path)}


def _recording(row: dict[str, Any], places: Places) -> Recording:
    path, utterance = places.find(row.pop("path")), Utterance(**row.pop("utterance"))
    return Recording(utterance=utterance, path=path, **row)
