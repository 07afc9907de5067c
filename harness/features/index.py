"""Where each utterance lies among the shards of a folder: read once a process.

A folder is listed again only where that may matter, and only the headers of new files
are read, so that the cost of all tasks together grows in step with the corpus.
"""

from __future__ import annotations

import functools
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.features.shards import SUFFIX, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.features.shards import Shard

    Signature = tuple[int, int]
    """Of a file: its size in bytes, and when it was written."""

FRESH = 1.0
"""Seconds for which a listing is taken as it was, where nothing was waited for."""

LISTINGS = 5
"""How often a folder is listed in a row while files come and go."""

SHARE = 50
"""A listing is taken as it was for this many times as long as it took, too."""


class Index:
    """The shards of a folder, and which of them holds an utterance."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which need not exist; nothing is read yet."""
        self.folder = folder
        self.where: dict[str, Path] = {}
        self._shards: dict[str, tuple[Signature, frozenset[str]]] = {}
        self._due = float("-inf")

    def refresh(self, *, lately: bool = False) -> None:
        """List the folder again.

        Args:
            lately: Do nothing if that was done lately.
        """
        begun = time.monotonic()
        if lately and begun < self._due:
            return
        found = self._files()
        gone = {n for n, (seen, _) in self._shards.items() if found.get(n) != seen}
        if gone:
            self._forget(gone)
        for name in sorted(found.keys() - self._shards.keys()):
            if shard := read_header(self.folder / name):
                self.note(shard, found[name])
        took = time.monotonic() - begun
        self._due = begun + took + max(FRESH, SHARE * took)

    def note(self, shard: Shard, signature: Signature | None = None) -> None:
        """Take in a file."""
        if signature is None:
            status = shard.path.stat()
            signature = (status.st_size, status.st_mtime_ns)
        self._shards[shard.path.name] = (signature, shard.keys)
        self.where.update(dict.fromkeys(shard.keys, shard.path))

    def forget(self, paths: Iterable[Path]) -> None:
        """Take out files that are gone or damaged."""
        self._forget({path.name for path in paths})

    def _forget(self, names: set[str]) -> None:
        """Take out files; an utterance of theirs may be in another, too."""
        lost: set[str] = set()
        for name in names:
            _, keys = self._shards.pop(name, (None, frozenset()))
            lost.update(key for key in keys if self.where[key].name == name)
        for key in lost:
            del self.where[key]
        if lost:
            for name, (_, keys) in self._shards.items():
                path = self.folder / name
                self.where.update(dict.fromkeys(keys & lost, path))

    def _files(self) -> dict[str, Signature]:
        """List the files.

        A pack appears before the files that it replaces go, so a listing during which
        nothing went has every utterance; any other one is made again.
        """
        found: dict[str, Signature] = {}
        names = self._names()
        for _ in range(LISTINGS):
            for name in names - found.keys():
                with suppress(FileNotFoundError):
                    status = (self.folder / name).stat()
                    found[name] = (status.st_size, status.st_mtime_ns)
            before, names = names, self._names()
            if before == names:
                break
        return {name: found[name] for name in found.keys() & names}

    def _names(self) -> set[str]:
        try:
            names = (path.name for path in self.folder.iterdir())
            return {name for name in names if name.endswith(SUFFIX)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def shards(self) -> dict[Path, frozenset[str]]:
        """Return the utterances of each file."""
        return {self.folder / name: keys for name, (_, keys) in self._shards.items()}


@functools.lru_cache(maxsize=64)
def index_of(folder: Path) -> Index:
    """Return the index of a folder, one a process."""
    return Index(folder)
