"""Extract once: recordings through a frozen upstream into the feature store."""

from __future__ import annotations

import functools
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.data import audio, stored
from harness.errors import DataError
from harness.features import device as devices
from harness.features import padding, pipeline, states
from harness.features.backends import backend_of
from harness.features.checkpoints import Planned
from harness.features.pipeline import Budget
from harness.features.store import FeatureStore
from harness.memory import FOLDER, Memory
from harness.registry import isolated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.data.perturbing import Perturber
    from harness.data.places import Places
    from harness.features.pipeline import Clip
    from harness.features.shards import Kind
    from harness.types import Precision, Reads, Upstream, UpstreamCondition

    Encode = Callable[[Sequence[Tensor]], Sequence[Tensor]]

VERSION = 2
"""Raised when this module's features change, or how they lie in memory: part of every
condition."""

CERTIFIED_SECONDS = 1.0
"""Length of the clip of a certificate, where the upstream encodes one so short."""

SHARD_BYTES = 256 * 2**20
"""Of a shard, at which it is written."""

SHARD_SECONDS = 30.0
"""Of work after which a shard is written: what a crash can cost."""

NAMED = 3
"""Clips that are too long and named; more are counted."""


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
        perturber: Perturbs the recordings that are marked so.
    """

    use: Use
    corpus: str
    first: int
    last: int
    kinds: tuple[Kind, ...]
    seconds: float = 0.0
    perturber: Perturber | None = None


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
            _store_missing(store, source, missing, device, task.perturber)


def certify(use: Use) -> None:
    """Measure the padding certificate of an upstream, unless its store has one.

    It is measured in the precision and on the kind of device that features are made.
    """
    places = use.places.here()
    store = store_of(use.condition, places.cache)
    if use.upstream.reads == "waveforms" and not store.is_certified(
        devices.kind_of(use.device)
    ):
        source = find_source(use, places)
        device = devices.prepare(use.device)
        encode = encoder(source, device)

        def as_run(clips: Sequence[Tensor]) -> list[Tensor]:
            return encoded(encode, clips, source, device)

        seconds = max(CERTIFIED_SECONDS, use.upstream.min_seconds)
        with isolated(use.plugin, f"extracting with '{use.upstream.name}'"):
            moved = padding.measure(as_run, use.upstream.rate, seconds)
        store.certify(padding.figures(moved), devices.kind_of(device))


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
    perturber: Perturber | None,
) -> None:
    """Extract the recordings of which something is missing, and store that."""
    wanted = {r.key: r for found in missing.values() for r in found.values()}
    made = {
        "device": devices.describe(device),
        "versions": devices.versions(device),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    shards = _Shards(store, source, {kind: set(of) for kind, of in missing.items()})
    unfit = pipeline.run(
        list(wanted.values()),
        pipeline.Steps(
            decode=_input_of(source, perturber),
            encode=functools.partial(_encode, source, device, shards.lacking),
            store=functools.partial(shards.add, made),
            report=lambda said: _report(f"{source.upstream.name} on {device}: {said}"),
        ),
        backend_of(device),
        _budget(source, device),
    )
    shards.close(made)
    if unfit:
        raise _too_large(source.upstream, unfit, device)


def _report(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _too_large(
    upstream: Upstream, unfit: Sequence[Recording], device: str
) -> DataError:
    """Name the clips of which not even one fits into the memory."""
    clips = ", ".join(f"{r.utterance.id} ({r.seconds:.0f} s)" for r in unfit[:NAMED])
    more = f" and {len(unfit) - NAMED} more" if len(unfit) > NAMED else ""
    return DataError(
        f"{clips}{more}: too long for {upstream.name} in the memory of "
        f"{devices.describe(device)}, alone in a batch. Cut clips by --max-seconds S, "
        "or extract where there is more memory (--device cpu). The other clips of the "
        "task are stored."
    )


class _Shards:
    """What was extracted and is not yet written; it is, by bytes or by time."""

    def __init__(
        self, store: FeatureStore, source: Source, lacking: dict[Kind, set[str]]
    ) -> None:
        self.store, self.source, self.lacking = store, source, lacking
        self._open()

    def _open(self) -> None:
        self.tensors: dict[Kind, dict[str, Tensor]] = {
            kind: {} for kind in self.lacking
        }
        self.took: dict[str, float] = {}
        self.bytes = 0
        self.opened = time.monotonic()

    def add(
        self,
        made: Mapping[str, Any],
        batch: Sequence[Clip],
        found: Mapping[str, Tensor],
        seconds: float,
    ) -> None:
        """Take in a batch that has come home; write a shard if it is time."""
        for row, clip in enumerate(batch):
            key = clip.recording.key
            self.took[key] = seconds
            states.require_finite(self.source, found, row)
            for kind, lacking in self.lacking.items():
                if key in lacking:
                    stored = states.stored(kind, key, found, row)
                    self.tensors[kind] |= stored
                    self.bytes += sum(one.nbytes for one in stored.values())
        late = time.monotonic() - self.opened > SHARD_SECONDS
        if late or self.bytes > SHARD_BYTES:
            self.close(made)

    def close(self, made: Mapping[str, Any]) -> None:
        """Write what there is: the means last, by which the plan goes."""
        for kind in reversed(list(self.lacking)):
            if tensors := self.tensors[kind]:
                seconds = {
                    key: took for key, took in self.took.items() if key in tensors
                }
                self.store.write(kind, tensors, seconds, made)
        self._open()


# ---------------------------------------------------------------- encoding


def _encode(
    source: Source,
    device: str,
    lacking: Mapping[Kind, set[str]],
    batch: Sequence[Clip],
) -> dict[str, Tensor]:
    """Encode a batch; return what leaves the device of it."""
    hidden = encoded(
        encoder(source, device), [clip.waveform for clip in batch], source, device
    )
    kinds = [
        {kind for kind, keys in lacking.items() if clip.recording.key in keys}
        for clip in batch
    ]
    return states.reduced(source, hidden, kinds)


def _input_of(
    source: Source, perturber: Perturber | None
) -> Callable[[Recording], Tensor]:
    """Return what turns a recording into what the upstream reads of it."""
    if source.upstream.reads == "utterances":
        return _utterance
    return functools.partial(_decode, condition=source.condition, perturber=perturber)


def _decode(
    recording: Recording, *, condition: UpstreamCondition, perturber: Perturber | None
) -> Tensor:
    if perturber and recording.perturbation:
        return perturber.waveform(recording, condition.rate, condition.max_seconds)
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


def encoded(
    encode: Encode, inputs: Sequence[Tensor], source: Source, device: str
) -> list[Tensor]:
    """Run an encoder as a run does; whatever it raises names the plugin."""
    import torch

    precision, name = source.condition.precision, source.upstream.name
    with (
        isolated(source.plugin, f"extracting with '{name}'"),
        torch.inference_mode(),
        _arithmetic(precision, device),
    ):
        hidden = list(encode(inputs))
    if precision != "float32":
        hidden = [state.float() for state in hidden]
    return hidden


def _arithmetic(precision: Precision, device: str) -> AbstractContextManager[object]:
    """Compute in float32, or let torch choose the operations that may be less exact."""
    import torch

    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=getattr(torch, precision))


@functools.lru_cache(maxsize=1)
def encoder(source: Source, device: str) -> Encode:
    """Load an upstream once a process; the one before it is released.

    It is loaded under the arithmetic that it is run under, so that ``load`` may see by
    ``torch.is_autocast_enabled`` that its weights will be read in half precision.
    """
    upstream = source.upstream
    more: dict[str, Any] = {"more": source.more} if source.more else {}
    with (
        isolated(source.plugin, f"loading '{upstream.name}'"),
        _arithmetic(source.condition.precision, device),
    ):
        return upstream.load(
            source.folder, device=device, feeding=source.condition.feeding, **more
        )


@functools.lru_cache(maxsize=1)
def _budget(source: Source, device: str) -> Budget:
    """Return how long batches may be, as learned so far by this process."""
    return Budget()
