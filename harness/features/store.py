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

import functools
import json
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from harness.errors import StoreError
from harness.files import replacing, sha256_json
from harness.types import ExtractionRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

Kind = Literal["pooled", "last", "all"]
KINDS: tuple[Kind, ...] = ("pooled", "last", "all")
NORMS = ".norms"
SECONDS = "seconds"
MADE = "made"
PADDING = "padding"
ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector of any CPU that torch knows."""


@dataclass(frozen=True)
class Shard:
    """One file: its utterances, how long each took to extract, and who made it."""

    path: Path
    keys: frozenset[str]
    seconds: Mapping[str, float]
    made: Mapping[str, Any]


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
        files = sorted((self.folder / kind).glob("*.safetensors"))
        return [shard for file in files if (shard := _read_header(file)) is not None]

    def keys(self, kind: Kind) -> frozenset[str]:
        """Return which utterances are there; all layers hold the last one, too."""
        held = frozenset().union(*(shard.keys for shard in self.shards(kind)))
        return held | self.keys("all") if kind == "last" else held

    def record(self, keys: Collection[str]) -> ExtractionRecord:
        """Return where the features of these utterances come from."""
        wanted = set(keys)
        shards = [one for one in self.shards("pooled") if one.keys & wanted]
        took = {key: s for one in shards for key, s in one.seconds.items()}
        made = [one.made for one in shards]
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
    def claim(self, keys: Sequence[str]) -> Iterator[None]:
        """Hold these utterances, so that no other process extracts them meanwhile.

        The lock goes with its process, however that ends.
        """
        locks = self.folder / "locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(locks / f"{sha256_json(sorted(keys))[:16]}.lock")
            lock.acquire()
        except OSError as error:
            raise StoreError(
                f"Cannot write to the feature store {self.folder}: {error.strerror}. "
                "Choose another folder with --cache."
            ) from error
        try:
            yield
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
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        about = self.folder / "about.json"
        if not about.exists():
            with replacing(about) as beside:
                beside.write_text(json.dumps(self.identity, indent=2), "utf-8")
        name = sha256_json([kind, sorted(tensors)])[:32]
        with replacing(self.folder / kind / f"{name}.safetensors") as beside:
            try:
                metadata = {
                    SECONDS: json.dumps(dict(seconds)),
                    MADE: json.dumps(dict(made or {})),
                }
                save_file(dict(tensors), beside, metadata=_aligned(metadata, tensors))
            except SafetensorError as error:
                raise _as_os_error(error) from error

    @property
    def certificate(self) -> dict[str, float]:
        """The padding certificate's figures, or nothing if there is none yet."""
        try:
            figures: dict[str, float] = json.loads(self._certificate.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return figures

    def certify(self, figures: Mapping[str, float]) -> None:
        """Keep the padding certificate's figures beside the features."""
        with replacing(self._certificate) as beside:
            beside.write_text(json.dumps(figures, indent=2), "utf-8")

    @property
    def _certificate(self) -> Path:
        return self.folder / "certificate.json"

    def read(self, kind: Kind, keys: Sequence[str]) -> Reader:
        """Open the features of these utterances, memory-mapped.

        Raises:
            StoreError: Where one of them is not there.
        """
        where = {key: s.path for s in self.shards(kind) for key in s.keys}
        if kind == "last":
            every = {key: s.path for s in self.shards("all") for key in s.keys}
            where = every | where
        if missing := [key for key in keys if key not in where]:
            raise StoreError(
                f"The feature store {self.folder} lacks {len(missing)} utterances, "
                "most likely removed meanwhile. Run the same command again."
            )
        return Reader(kind, {key: where[key] for key in keys})

    def drop(self, kind: Kind, keys: Collection[str]) -> int:
        """Remove shards that hold only these utterances; return the bytes freed."""
        freed = 0
        for shard in self.shards(kind):
            if shard.keys <= frozenset(keys):
                freed += shard.path.stat().st_size
                shard.path.unlink(missing_ok=True)
        return freed

    def bytes(self, kind: Kind) -> int:
        """Return how much disk a kind takes."""
        return sum(shard.path.stat().st_size for shard in self.shards(kind))


def stored(root: Path) -> list[FeatureStore]:
    """List the stores below a folder, sorted by name."""
    stores = []
    for about in sorted(root.glob("*/about.json")):
        try:
            stores.append(FeatureStore(root, json.loads(about.read_text("utf-8"))))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return stores


class Reader:
    """Features by utterance key; a shard is mapped into memory when first asked."""

    def __init__(self, kind: Kind, where: Mapping[str, Path]) -> None:
        """Note the path of each utterance's shard."""
        self._kind, self._where = kind, where
        self._open: dict[Path, object] = {}

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor, by key or by key and ``.norms``; do not write to it."""
        from safetensors import safe_open

        path = self._where[name.removesuffix(NORMS)]
        if path not in self._open:
            self._open[path] = safe_open(path, framework="pt")
        tensor: Tensor = self._open[path].get_tensor(name)  # type: ignore[attr-defined]
        return (
            tensor[-1] if self._kind == "last" and path.parent.name == "all" else tensor
        )


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


def _read_header(path: Path) -> Shard | None:
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _as_os_error(error: Exception) -> OSError:
    """Turn safetensors' error for a failed write into the OS error that it wraps."""
    import errno

    code = re.search(r"os error (\d+)|code: (\d+)", str(error))
    number = int(next(filter(None, code.groups()))) if code else errno.EIO
    return OSError(number, str(error))
