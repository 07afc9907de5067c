"""The feature store: shards of safetensors, found by what their content was made from.

A store holds the features of one *identity* (checkpoint bytes, feeding, preprocessing,
code revision); its folder's name is the identity's hash. Within it an utterance is
found by the hash of its audio's bytes. So a changed byte anywhere never finds old
features, and a changed file costs one extraction.

``pooled/`` has, for every utterance, the mean over frames of each layer, (L, D), and
``.norms``, the mean L2 norm of each layer's frames, (L,). ``last/`` has the frames of
the last layer, (T, D), ``all/`` those of all layers, (L, T, D).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness.errors import FeaturesGoneError, StoreError
from harness.features.index import index_of
from harness.features.packing import reading
from harness.features.shards import (
    KINDS,
    SUFFIX,
    Origin,
    Reader,
    is_whole,
    read_header,
    shards_in,
    write_shard,
)
from harness.files import read_json, replacing, sha256_json, write_json
from harness.leftovers import remove
from harness.text import counted
from harness.types import ExtractionRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from harness.features.index import Index
    from harness.features.shards import Kind, Shard


TRIES = 3
"""How often files are looked for that another process may just have packed."""


class FeatureStore:
    """The features of one identity. Many processes may read and write it at once."""

    def __init__(self, root: Path, identity: Mapping[str, object]) -> None:
        """Name the store; nothing is touched.

        Args:
            root: The folder that all stores are in.
            identity: JSON values; ``identity["name"]`` also names the folder.
        """
        self.identity = identity
        name = re.sub(r"[^\w.@-]+", "-", str(identity["name"]))
        name = name[-60:].lstrip("-.")
        self.folder = root / f"{name}-{sha256_json(identity)[:16]}"

    def shards(self, kind: Kind) -> list[Shard]:
        """List the shards of a kind, from their headers, passing over damaged ones."""
        return list(shards_in(self.folder / kind))

    def _indices(self, kind: Kind) -> list[Index]:
        """Return where a kind may lie: all layers hold the last one, too."""
        kinds: tuple[Kind, ...] = ("all", "last") if kind == "last" else (kind,)
        return [index_of(self.folder / one) for one in kinds]

    def keys(self, kind: Kind) -> frozenset[str]:
        """Return which utterances are there."""
        held: set[str] = set()
        for index in self._indices(kind):
            index.refresh()
            held.update(index.where)
        return frozenset(held)

    def lacks(
        self, kind: Kind, keys: Iterable[str], *, lately: bool = False
    ) -> set[str]:
        """Return which of these utterances are not there.

        Args:
            kind: Of features.
            keys: The utterances.
            lately: What other processes stored within the last seconds may be missed.
        """
        lacking = set(keys)
        for index in self._indices(kind):
            index.refresh(lately=lately)
            lacking -= index.where.keys()
        return lacking

    def _find(self, kind: Kind, keys: Collection[str]) -> dict[str, Path]:
        """Return where utterances lie, those that are there.

        A folder is listed again where some are not, or their file is gone: another
        process may have packed it.
        """
        indices, wanted = self._indices(kind), set(keys)
        for _ in range(TRIES):
            found = {
                key: one.where[key]
                for one in indices
                for key in wanted
                if key in one.where
            }
            there = all(path.exists() for path in set(found.values()))
            if there and len(found) == len(wanted):
                break
            for index in indices:
                index.refresh()
        return found

    def record(self, keys: Collection[str]) -> ExtractionRecord:
        """Return where the features of these utterances come from."""
        wanted = set(keys)
        paths = sorted(set(self._find("pooled", wanted).values()))
        shards = [one for one in map(read_header, paths) if one is not None]
        origins = [
            origin
            for one in shards
            for origin in one.origins
            if len(one.origins) == 1 or not wanted.isdisjoint(origin.seconds)
        ]
        took = {key: s for one in origins for key, s in one.seconds.items()}
        made = [one.made for one in origins]
        dates = sorted(str(one["created"]) for one in made if "created" in one)
        libraries: dict[str, set[str]] = defaultdict(set)
        for name, version in (
            v for one in made for v in one.get("versions", {}).items()
        ):
            libraries[name].add(version)
        return ExtractionRecord(
            devices=tuple(
                sorted({str(one["device"]) for one in made if "device" in one})
            ),
            versions={name: ", ".join(sorted(of)) for name, of in libraries.items()},
            first=dates[0] if dates else "",
            last=dates[-1] if dates else "",
            seconds=sum(took.get(key, 0.0) for key in wanted),
            certificate=self.certificate,
        )

    @contextmanager
    def claim(self, keys: Sequence[str]) -> Iterator[bool]:
        """Hold these utterances, so that no other process extracts them meanwhile.

        Yields whether another one had them. The lock goes with its process, however
        that ends.
        """
        locks = self.folder / "locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(locks / f"{sha256_json(sorted(keys))[:16]}.lock")
            waited = not _acquired(lock)
            if waited:
                lock.acquire()
        except OSError as error:
            raise StoreError(
                f"Cannot write to the feature store {self.folder}: {error.strerror}. "
                "Choose another folder with --cache."
            ) from error
        try:
            yield waited
        finally:
            lock.release()

    def write(
        self,
        kind: Kind,
        tensors: Mapping[str, Tensor],
        seconds: Mapping[str, float],
        made: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a shard, whole or not at all.

        Args:
            kind: What the tensors are.
            tensors: By utterance key (and by key and ``.norms``), on the CPU.
            seconds: What each utterance took to extract.
            made: JSON values: the ``device`` and the ``versions`` that computed it,
                and when it was ``created``.

        Raises:
            StoreError: Where the folder cannot be written or the disk is full.
        """
        about = self.folder / "about.json"
        if not about.exists():
            with replacing(about) as beside:
                beside.write_text(json.dumps(self.identity, indent=2), "utf-8")
        shard = write_shard(self.folder / kind, tensors, Origin(seconds, made or {}))
        index_of(self.folder / kind).note(shard)

    @property
    def certificate(self) -> dict[str, float]:
        """The padding certificate's figures, of each the worst of all devices."""
        worst: dict[str, float] = {}
        for path in sorted(self.folder.glob("certificate*.json")):
            with suppress(OSError, ValueError):
                for name, figure in read_json(path).items():
                    worst[name] = max(figure, worst.get(name, figure))
        return worst

    def is_certified(self, kind: str = "cpu") -> bool:
        """Return whether the certificate was measured on a kind of device."""
        try:
            return bool(read_json(self._certificate(kind)))
        except (OSError, ValueError):
            return False

    def certify(self, figures: Mapping[str, float], kind: str = "cpu") -> None:
        """Keep the padding certificate's figures beside the features.

        Args:
            figures: By name.
            kind: Of the device they were measured on: ``cpu`` or ``cuda``.
        """
        write_json(self._certificate(kind), dict(figures))

    def _certificate(self, kind: str) -> Path:
        of = "" if kind == "cpu" else f"-{kind}"
        return self.folder / f"certificate{of}.json"

    def read(self, kind: Kind, keys: Sequence[str]) -> Reader:
        """Open the features of these utterances, memory-mapped.

        Raises:
            FeaturesGoneError: Where some are not there, or not as they were written.
        """
        reading(self.folder)
        for _ in range(TRIES):
            where = self._find(kind, keys)
            for path in set(where.values()):
                if not is_whole(path) and path.exists():
                    path.unlink(missing_ok=True)
                    index_of(path.parent).forget([path])
                    where = {key: one for key, one in where.items() if one != path}
            gone = sum(key not in where for key in keys)
            if gone:
                break
            try:
                return Reader(kind, where)
            except FileNotFoundError:  # packed by another process meanwhile
                continue
        raise FeaturesGoneError(
            f"The feature store {self.folder} lacks {counted(gone, 'clip')}, "
            "removed meanwhile or damaged. Run the same command again."
        )

    def drop(self, kind: Kind, keys: Collection[str]) -> int:
        """Remove shards that hold only these utterances; return the bytes freed."""
        index = index_of(self.folder / kind)
        index.refresh()
        wanted = frozenset(keys)
        dropped = [path for path, held in index.shards().items() if held <= wanted]
        index.forget(dropped)
        return sum(map(remove, dropped))

    def damaged(self) -> list[Path]:
        """List the files that are not as they were written; reads them all."""
        files = (self.folder / kind for kind in KINDS)
        paths = (path for folder in files for path in sorted(folder.glob("*")))
        return [path for path in paths if path.suffix == SUFFIX and not is_whole(path)]

    def bytes(self, kind: Kind) -> int:
        """Return how much disk a kind takes."""
        total = 0
        for shard in self.shards(kind):
            with suppress(FileNotFoundError):
                total += shard.path.stat().st_size
        return total


def stored(root: Path) -> list[FeatureStore]:
    """List the stores below a folder, sorted by name."""
    stores = []
    for about in sorted(root.glob("*/about.json")):
        try:
            stores.append(FeatureStore(root, json.loads(about.read_text("utf-8"))))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return stores


CODE = ("version", "plugin", "decoding", "extraction")
"""What of an identity says by which code the features were made."""


def outdated(store: FeatureStore) -> list[FeatureStore]:
    """List the stores of the same features that other versions of the code made."""

    def made_from(one: FeatureStore) -> dict[str, object]:
        return {name: said for name, said in one.identity.items() if name not in CODE}

    here = json.loads(json.dumps(made_from(store)))
    return [
        other
        for other in stored(store.folder.parent)
        if other.folder != store.folder and made_from(other) == here
    ]


def _acquired(lock: FileLock) -> bool:
    """Take a lock if nobody has it."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
