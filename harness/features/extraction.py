"""Extract once: recordings through a frozen upstream into the feature store."""

from __future__ import annotations

import functools
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from harness.data import audio
from harness.errors import DataError, PluginError
from harness.features import padding as certificate
from harness.features.store import NORMS, FeatureStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.features.checkpoints import Checkpoint
    from harness.features.store import Kind
    from harness.types import FrameType, Precision, Reads, Upstream

VERSION = 2
"""Raised when this module's features change, or how they lie in memory."""

CHUNK = 16
"""Utterances of a task and of a shard: what a crash can cost."""

AHEAD = 8
"""Utterances that are decoded while the model works."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An upstream as a run uses it: all that its features depend on, but the audio.

    Attributes:
        upstream: The model.
        checkpoint: Its files.
        feeding: How it is fed.
        max_seconds: Each clip is cut to this length, if it is set.
        frame_type: Of stored frames; means over time are float32 always.
        precision: Of the arithmetic; less than float32 only on a GPU, if asked for.
    """

    upstream: Upstream
    checkpoint: Checkpoint
    feeding: str
    max_seconds: float | None = None
    frame_type: FrameType = "float32"
    precision: Precision = "float32"

    @property
    def fed(self) -> str:
        """Name how the model is fed, and in which arithmetic, if it is not float32."""
        exact = self.precision == "float32"
        return self.feeding if exact else f"{self.feeding}, {self.precision}"

    @property
    def identity(self) -> dict[str, object]:
        """Give what makes two features the same, as JSON values."""
        return {
            "upstream": self.upstream.name,
            "upstream_version": self.upstream.version,
            "checkpoint": self.checkpoint.sha256,
            "feeding": self.feeding,
            "rate": self.upstream.rate,
            "max_seconds": self.max_seconds,
            "frame_type": self.frame_type,
            "precision": self.precision,
            "audio": audio.VERSION,
            "features": VERSION,
        }

    def store(self, cache: Path) -> FeatureStore:
        """Give the store of this source's features."""
        return FeatureStore(cache / "features", self.identity)


def kinds_for(reads: Iterable[Reads]) -> tuple[Kind, ...]:
    """Decide what to store for heads that read this: the means always, then frames."""
    frames = {one.layers for one in reads if one.frames}
    if frames - {"last"}:
        return ("pooled", "all")
    return ("pooled", "last") if frames else ("pooled",)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """A task: some recordings of a corpus through one source. Picklable.

    Attributes:
        source: The upstream as it is used.
        recordings: At most ``CHUNK`` of them.
        kinds: What to store.
        cache: The folder above the stores.
        device: A torch device.
        threads: Of torch, or 0 for its default.
        certify: Whether to make the padding certificate of the source, too.
    """

    source: Source
    recordings: tuple[Recording, ...]
    kinds: tuple[Kind, ...]
    cache: Path
    device: str
    threads: int = 0
    certify: bool = False

    @property
    def seconds(self) -> float:
        """Duration of the audio, in seconds."""
        return sum(recording.seconds for recording in self.recordings)


def chunks(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, ...]]:
    """Divide a corpus into tasks, the same ones for every process that asks."""
    for start in range(0, len(recordings), CHUNK):
        yield tuple(recordings[start : start + CHUNK])


def extract(task: Extraction) -> float:
    """Store what is missing of a task's features.

    Returns:
        The audio's duration in seconds, whether it was there before or not.

    Raises:
        PluginError: Where the upstream does not give (L, T, D) finite float32.
        StoreError: Where the store cannot be written.
        DataError: Where a file changed since it was checked.
    """
    import torch

    if task.threads:
        torch.set_num_threads(task.threads)
    store = task.source.store(task.cache)
    with store.claim([recording.key for recording in task.recordings]):
        missing = {kind: _missing(store, kind, task.recordings) for kind in task.kinds}
        wanted = {r.key: r for found in missing.values() for r in found.values()}
        shards: dict[Kind, dict[str, Tensor]] = {kind: {} for kind in task.kinds}
        took: dict[str, float] = {}
        if wanted:
            for recording, hidden, seconds in _encode(task, list(wanted.values())):
                took[recording.key] = seconds
                for kind in task.kinds:
                    if recording.key in missing[kind]:
                        shards[kind] |= _stored(
                            kind, recording.key, hidden, task.source
                        )
        for kind in reversed(task.kinds):
            if shards[kind]:
                store.write(
                    kind, shards[kind], {key: took[key] for key in missing[kind]}
                )
    if task.certify:
        encode = encoder(task.source, task.device)
        moved = certificate.measure(encode, task.source.upstream.rate)
        store.certify(certificate.figures(moved))
    return task.seconds


def _missing(
    store: FeatureStore, kind: Kind, recordings: Sequence[Recording]
) -> dict[str, Recording]:
    have = store.keys(kind)
    return {r.key: r for r in recordings if r.key not in have}


def _encode(
    task: Extraction, recordings: Sequence[Recording]
) -> Iterator[tuple[Recording, Tensor, float]]:
    """Give each recording's hidden states, (L, T, D), and the seconds they took.

    On the CPU clips go through one by one, which is exact and fastest there; a GPU
    gets the whole chunk, longest first, within a budget of audio.
    """
    import torch

    encode = encoder(task.source, task.device)
    source = task.source

    def decode(recording: Recording) -> Tensor:
        utterance = recording.utterance
        return audio.load(
            recording.path,
            source.upstream.rate,
            start=utterance.start,
            end=utterance.end,
            max_seconds=source.max_seconds,
        )

    batches = list(_batches(recordings, task.device))
    ordered = [recording for batch in batches for recording in batch]
    waveforms = _ahead(decode, ordered)
    for batch in batches:
        heard = [next(waveforms) for _ in batch]
        started = time.perf_counter()
        with torch.inference_mode(), _arithmetic(source.precision, task.device):
            states = encode(heard)
        if source.precision != "float32":
            states = [state.float() for state in states]
        hidden = [_checked(source.upstream, state).cpu() for state in states]
        seconds = (time.perf_counter() - started) / len(batch)
        for recording, state in zip(batch, hidden, strict=True):
            yield recording, state, seconds


def _arithmetic(precision: Precision, device: str) -> AbstractContextManager[object]:
    """Compute in float32, or let torch choose the operations that may be less exact."""
    import torch

    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=getattr(torch, precision))


GPU_SECONDS = 240.0
"""Padded audio in a batch on a GPU, in seconds."""


def _batches(
    recordings: Sequence[Recording], device: str
) -> Iterator[tuple[Recording, ...]]:
    """Group recordings into the encoder's batches."""
    if device == "cpu":
        yield from ((recording,) for recording in recordings)
        return
    batch: list[Recording] = []
    for recording in sorted(recordings, key=lambda r: r.seconds, reverse=True):
        if batch and batch[0].seconds * (len(batch) + 1) > GPU_SECONDS:
            yield tuple(batch)
            batch = []
        batch.append(recording)
    yield tuple(batch)


def _ahead(
    function: Callable[[Recording], Tensor], items: Sequence[Recording]
) -> Iterator[Tensor]:
    """Run a function over items in a thread, a few items before they are asked for."""
    rest = iter(items)
    with ThreadPoolExecutor(1) as thread:
        pending = deque(thread.submit(function, item) for item in islice(rest, AHEAD))
        while pending:
            yield pending.popleft().result()
            pending.extend(thread.submit(function, item) for item in islice(rest, 1))


@functools.lru_cache(maxsize=1)
def encoder(
    source: Source, device: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Load an upstream once a process; the one before it is let go."""
    return source.upstream.load(
        source.checkpoint.folder, device=device, feeding=source.feeding
    )


def _checked(upstream: Upstream, state: Tensor) -> Tensor:
    """Refuse hidden states that are not (L, T, D) finite float32."""
    import torch

    if state.ndim != 3 or 0 in state.shape or state.dtype != torch.float32:
        raise PluginError(
            f"Upstream '{upstream.name}' gave {tuple(state.shape)} {state.dtype} where "
            "hidden states of shape (L, T, D) in float32 are due."
        )
    if not torch.isfinite(state).all():
        raise PluginError(f"Upstream '{upstream.name}' gave NaN or infinite states.")
    return state


def _stored(kind: Kind, key: str, hidden: Tensor, source: Source) -> dict[str, Tensor]:
    """Give the tensors that are stored of an utterance's hidden states (L, T, D)."""
    import torch

    if kind == "pooled":
        norms = torch.linalg.vector_norm(hidden, dim=2).mean(1)
        return {key: hidden.mean(1), key + NORMS: norms}
    frames = hidden[-1] if kind == "last" else hidden
    stored = frames.to(getattr(torch, source.frame_type)).contiguous()
    if not torch.isfinite(stored).all():
        raise DataError(
            f"The frames of {source.upstream.name} are too large for float16. "
            "Run with --frame-type float32."
        )
    return {key: stored}
