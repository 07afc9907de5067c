"""Splits as files, for other labs: JSON that a person can read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.errors import DataError
from harness.files import saving
from harness.types import PARTS, Fold

if TYPE_CHECKING:
    from pathlib import Path

    from harness.data.manifest import Manifest
    from harness.types import Split

Kind = TypeVar("Kind")

FORMAT = 1
"""Version of the files' format."""


@dataclass(frozen=True, kw_only=True)
class SplitFile:
    """A split as a file states it, which ``transfer.divisions`` compares.

    Attributes:
        path: Where it lies.
        corpus: The name of the corpus that it was made for.
        version: Of that corpus.
        manifest_sha256: Of that corpus' utterances.
        strategy: The name of the strategy that it was made by.
        folds: At least one.
    """

    path: Path
    corpus: str
    version: str
    manifest_sha256: str
    strategy: str
    folds: tuple[Fold, ...]


def write_split(split: Split, path: Path, manifest: Manifest) -> None:
    """Write a split as JSON that a person can read and another lab can use.

    Raises:
        StoreError: Where the file cannot be written.
    """
    value = {
        "format": FORMAT,
        "corpus": manifest.corpus.name,
        "version": manifest.corpus.version,
        "manifest_sha256": manifest.sha256,
        "strategy": split.strategy,
        "folds": [asdict(fold) for fold in split.folds],
    }
    with saving(path) as beside:
        beside.write_text(
            json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8"
        )


def read_split(path: Path) -> SplitFile:
    """Read what ``write_split`` wrote, or what somebody wrote in its form.

    Raises:
        DataError: Where the file is not of that form.
    """
    try:
        return _split_file(path, json.loads(path.read_text("utf-8")))
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise DataError(
        f"Cannot use the split file {path}: {reason}. Fix it, or make the split anew."
    )


def _split_file(path: Path, value: object) -> SplitFile:
    if (version := _entry(value, "format", int)) != FORMAT:
        raise ValueError(f"its format is {version}, not {FORMAT}")
    folds = tuple(_fold_entry(fold) for fold in _entry(value, "folds", list))
    if not folds or len({fold.name for fold in folds}) < len(folds):
        raise ValueError("it has no folds, or two of the same name")
    return SplitFile(
        path=path,
        corpus=_entry(value, "corpus", str),
        version=_entry(value, "version", str),
        manifest_sha256=_entry(value, "manifest_sha256", str),
        strategy=_entry(value, "strategy", str),
        folds=folds,
    )


def _fold_entry(value: object) -> Fold:
    parts = [_entry(value, part, list) for part in PARTS]
    if not all(isinstance(id, str) for part in parts for id in part):
        raise ValueError("an utterance id is not a string")
    train, valid, test = (tuple(sorted(part)) for part in parts)
    name = _entry(value, "name", str)
    return Fold(name=name, train=train, valid=valid, test=test)


def _entry(value: object, key: str, kind: type[Kind]) -> Kind:
    """Return an entry of what should be a JSON object that has it."""
    entry = value.get(key) if isinstance(value, dict) else None
    if not isinstance(entry, kind):
        raise ValueError(f"'{key}' is missing or is not of type {kind.__name__}")
    return entry
