"""Extract once: recordings through a frozen upstream into the feature store."""

from __future__ import annotations

import functools
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.data import audio, stored
from harness.errors import CheckpointError, DataError, HarnessError, PluginError
from harness.features import device as devices
from harness.features import padding
from harness.features.checkpoints import Planned
from harness.features.shards import NORMS
from harness.features.store import FeatureStore
from harness.memory import FOLDER, Memory
from harness.registry import isolated
from harness.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.data.places import Places
    from harness.features.shards import Kind
    from harness.types import Precision, Reads, Upstream, UpstreamCondition

VERSION = 2
"""Raised when this module's features change, or how they lie in memory: part of every
condition."""

AHEAD = 8
"""Utterances that are decoded while the model works."""

CERTIFIED_SECONDS = 1.0
"""Length of the clip of a certificate, where the upstream encodes one so short."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An upstream as a run uses it.

    Attributes:
        upstream: The model.
        condition: All that its features depend on, but the audio.
        plugin: Which plugin it comes from, to name it in an error.
        folder: Of its checkpoint on this machine, ``None`` for a model without.
        more: Folders of its further checkpoints, by name.
    """

    upstream: Upstream = field(compare=False)
    condition: UpstreamCondition
    plugin: str = field(compare=False, default="")
    folder: Path | None = None
    more: Mapping[str, Path] = field(compare=False, default_factory=dict)


def store_of(condition: UpstreamCondition, cache: Path) -> FeatureStore:
    """Return the store of the features that are made under a condition."""
    return FeatureStore(cache / "features", asdict(condition))


def kinds_for(reads: Iterable[Reads]) -> tuple[Kind, ...]:
    """Decide what to store for heads that read this: the means always, then frames."""
    frames = {one.layers for one in reads if one.frames}
    if frames - {"last"}:
        return ("pooled", "all")
    return ("pooled", "last") if frames else ("pooled",)


# ---------------------------------------------------------------- tasks


@dataclass(frozen=True, kw_only=True)
class Use:
    """How a task uses an upstream: by reference, so that any machine may do it.

    Attributes:
        upstream: The model.
        condition: All that its features depend on, but the audio.
        plugin: Which plugin it comes from.
        places: Where checkpoints, audio and features lie.
        device: A torch device, or ``auto``.
    """

    upstream: Upstream
    condition: UpstreamCondition
    plugin: str
    places: Places
    device: str


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """A task: some recordings of a corpus through an upstream.

    Attributes:
        use: The upstream.
        corpus: Which stored list of utterances.
        first: Place of the first of them there.
        last: Place after the last.
        kinds: What to store.
        seconds: Duration of the audio.
    """

    use: Use
    corpus: str
    first: int
    last: int
    kinds: tuple[Kind, ...]
    seconds: float = 0.0


def extract(task: Extraction) -> None:
    """Store what is missing of a task's features.

    Raises:
        PluginError: Where the upstream does not return (L, T, D) finite float32.
        CheckpointError: Where the weights are not those of the plan.
        StoreError: Where the store cannot be written.
        DataError: Where a file changed since it was checked.
    """
    places = task.use.places.here()
    device = devices.prepare(task.use.device)
    listed = stored.load(places, task.corpus).recordings[task.first : task.last]
    store = store_of(task.use.condition, places.cache)
    keys = [recording.key for recording in listed]
    with store.claim(keys) as waited:
        lacking = {
            kind: store.lacks(kind, keys, lately=not waited) for kind in task.kinds
        }
        missing = {
            kind: {one.key: one for one in listed if one.key in those}
            for kind, those in lacking.items()
        }
        if any(missing.values()):
            source = find_source(task.use, places)
            _store_missing(store, source, missing, device)


def certify(use: Use) -> None:
    """Measure the padding certificate of an upstream, unless its store has one."""
    places = use.places.here()
    store = store_of(use.condition, places.cache)
    if not store.certificate and use.upstream.reads == "waveforms":
        source = find_source(use, places)
        encode = encoder(source, devices.prepare(use.device))
        seconds = max(CERTIFIED_SECONDS, use.upstream.min_seconds)
        with isolated(use.plugin, f"extracting with '{use.upstream.name}'"):
            moved = padding.measure(encode, use.upstream.rate, seconds)
        store.certify(padding.figures(moved))


def find_source(use: Use, places: Places) -> Source:
    """Find an upstream's checkpoint on this machine, the one of the plan.

    Its ``load`` compares the files again once they are read, so that what was loaded
    is what was hashed.

    Raises:
        CheckpointError: Where it is not here, or has other bytes by now.
    """
    memory = _facts(places.cache)
    planned = Planned(
        upstream=use.upstream,
        sha256=use.condition.checkpoint,
        given=places.checkpoints,
        memory=memory,
    )
    found = planned.find()
    memory.save()  # a file that was young when planning is hashed here
    return Source(
        upstream=replace(use.upstream, load=functools.partial(planned.load, found)),
        condition=use.condition,
        plugin=use.plugin,
        folder=found.folder,
        more=found.more,
    )


@functools.lru_cache(maxsize=1)
def _facts(cache: Path) -> Memory:
    """Read the facts of files once a process."""
    return Memory(cache / FOLDER)


def _store_missing(
    store: FeatureStore,
    source: Source,
    missing: Mapping[Kind, Mapping[str, Recording]],
    device: str,
) -> None:
    """Extract the recordings of which something is missing, and store that."""
    wanted = {r.key: r for found in missing.values() for r in found.values()}
    shards: dict[Kind, dict[str, Tensor]] = {kind: {} for kind in missing}
    took: dict[str, float] = {}
    for recording, hidden, seconds in _encode(source, list(wanted.values()), device):
        took[recording.key] = seconds
        for kind, lacking in missing.items():
            if recording.key in lacking:
                shards[kind] |= _stored(kind, recording.key, hidden, source)
    made = {
        "device": devices.describe(device),
        "versions": devices.versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for kind in reversed(list(missing)):
        if shards[kind]:
            seconds_of = {key: took[key] for key in missing[kind]}
            store.write(kind, shards[kind], seconds_of, made)


# ---------------------------------------------------------------- encoding


def _encode(
    source: Source, recordings: Sequence[Recording], device: str
) -> Iterator[tuple[Recording, Tensor, float]]:
    """Yield each recording's hidden states, (L, T, D), and the seconds they took.

    On the CPU clips go through one by one, which is exact and fastest there; a GPU
    gets the whole chunk, longest first, within a budget of audio.
    """
    encode, condition = encoder(source, device), source.condition
    batches = list(_batches(recordings, device))
    ordered = [recording for batch in batches for recording in batch]
    decode = functools.partial(_decode, condition=condition)
    looks_up = source.upstream.reads == "utterances"
    waveforms = _ahead(_utterance if looks_up else decode, ordered)
    for batch in batches:
        inputs = [next(waveforms) for _ in batch]
        started = time.perf_counter()
        states = _states(encode, inputs, source, device)
        hidden = [_checked(source.upstream, state).cpu() for state in states]
        seconds = (time.perf_counter() - started) / len(batch)
        for recording, state in zip(batch, hidden, strict=True):
            yield recording, state, seconds


def _decode(recording: Recording, *, condition: UpstreamCondition) -> Tensor:
    utterance = recording.utterance
    return audio.load(
        recording.path,
        condition.rate,
        start=utterance.start,
        end=utterance.end,
        max_seconds=condition.max_seconds,
        sha256=recording.sha256,
    )


def _utterance(recording: Recording) -> Any:  # noqa: ANN401 - in a waveform's place
    """Return what an upstream is passed that looks up what was made elsewhere."""
    return recording.utterance


def _states(
    encode: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    inputs: Sequence[Tensor],
    source: Source,
    device: str,
) -> list[Tensor]:
    """Run an encoder; whatever it raises names the plugin."""
    import torch

    precision, name = source.condition.precision, source.upstream.name
    with (
        isolated(source.plugin, f"extracting with '{name}'"),
        torch.inference_mode(),
        _arithmetic(precision, device),
    ):
        states = list(encode(inputs))
    if precision != "float32":
        states = [state.float() for state in states]
    return states


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
    """Load an upstream once a process; the one before it is released."""
    upstream = source.upstream
    more: dict[str, Any] = {"more": source.more} if source.more else {}
    with isolated(source.plugin, f"loading '{upstream.name}'"):
        return upstream.load(
            source.folder, device=device, feeding=source.condition.feeding, **more
        )


def _checked(upstream: Upstream, state: Tensor) -> Tensor:
    """Refuse hidden states that are not (L, T, D) finite float32 as described."""
    import torch

    name, shape = upstream.name, tuple(state.shape)
    if state.ndim != 3 or 0 in shape or state.dtype != torch.float32:
        raise PluginError(
            f"Upstream '{name}' returned {shape} {state.dtype} where hidden states of "
            "shape (L, T, D) in float32 are due."
        )
    if (shape[0], shape[2]) != (upstream.layers, upstream.dim):
        raise _another_size(upstream, shape[0], shape[2])
    if upstream.hop is None and shape[1] != 1:
        raise PluginError(
            f"Upstream '{name}' returned {shape[1]} frames where one vector a clip, "
            "(L, 1, D), is due: its description has no hop."
        )
    if not torch.isfinite(state).all():
        raise PluginError(f"Upstream '{name}' returned NaN or infinite states.")
    return state


def _another_size(upstream: Upstream, layers: int, dim: int) -> HarnessError:
    """Say that states are not of the size that the condition has."""
    problem = (
        f"Upstream '{upstream.name}' returned {counted(layers, 'layer')} of {dim} dims "
        f"where its description says {upstream.layers} of {upstream.dim}"
    )
    if upstream.checkpoint is None:
        return PluginError(f"{problem}. Correct its layers and dim.")
    return CheckpointError(
        f"{problem}, so its checkpoint is of another model. Name that model's folder "
        "by --upstream hf:FOLDER."
    )


def _stored(kind: Kind, key: str, hidden: Tensor, source: Source) -> dict[str, Tensor]:
    """Return the tensors that are stored of an utterance's states (L, T, D)."""
    import torch

    if kind == "pooled":
        norms = torch.linalg.vector_norm(hidden, dim=2).mean(1)
        return {key: hidden.mean(1), key + NORMS: norms}
    frames = hidden[-1] if kind == "last" else hidden
    stored = frames.to(getattr(torch, source.condition.frame_type)).contiguous()
    if not torch.isfinite(stored).all():
        raise DataError(
            f"The frames of {source.upstream.name} are too large for float16. "
            "Run with --frame-type float32."
        )
    return {key: stored}
