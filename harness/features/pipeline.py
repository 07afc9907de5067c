"""Decode ahead, encode in batches, copy back and store behind: all at the same time.

A shard, a lock and a batch are three sizes. What is locked is a task; what is written
at once is a shard; a batch is what the device encodes at once, cut by padded length.
On ``cpu`` a batch is one clip, in the order of the corpus.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.features.backends import Backend

AHEAD = 8
"""Clips that are decoded while the model works, at least."""

WINDOW = 3840.0
"""Seconds of audio that are decoded, then sorted by length, where clips are batched:
four of the largest batches, 250 MB at 16 kHz."""

FIRST = 30.0
"""Padded seconds of the first batch, by which the memory of others is forecast."""

MOST = 960.0
"""Padded seconds of a batch at most: 320 clips of 3 s, enough to fill a GPU."""

SHARE = 0.5
"""Of the free memory that a batch may take: two more may wait to be copied."""

BEHIND = 2
"""Batches that wait to be copied and stored while the next is computed."""

SPANS = 32
"""Spans of one file that a thread decodes in a row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """A recording and its samples (S,), at the upstream's rate."""

    recording: Recording
    waveform: Tensor
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is done with clips.

    Attributes:
        decode: From a recording to its waveform (S,), in threads.
        encode: From a batch of clips to what leaves the device of it, by name.
        store: Called in another thread, in order, with a batch, what left the device,
            now on the CPU, and the seconds that each clip took.
        report: Called with a sentence where a batch did not fit.
    """

    decode: Callable[[Recording], Tensor]
    encode: Callable[[Sequence[Clip]], Mapping[str, Tensor]]
    store: Callable[[Sequence[Clip], Mapping[str, Tensor], float], None]
    report: Callable[[str], None]


class Budget:
    """How long a batch may be: what the memory allows, by what batches took so far."""

    def __init__(self) -> None:
        """Begin with a small batch."""
        self.seconds = FIRST
        self.limit = MOST
        self.each = 0.0

    def learn(self, padded: float, taken: int, free: int) -> None:
        """Note what a batch took.

        Args:
            padded: Its padded audio, in seconds.
            taken: Bytes.
            free: Bytes that can be taken after it.
        """
        if not taken:
            self.seconds = self.limit
            return
        self.each = max(self.each, taken / padded)
        self.seconds = min(self.limit, max(SHARE * free / self.each, 0.0))

    def halve(self, padded: float) -> None:
        """Note that a batch did not fit."""
        self.limit = self.seconds = padded / 2


def run(
    recordings: Sequence[Recording], steps: Steps, backend: Backend, budget: Budget
) -> list[Recording]:
    """Take recordings through all steps; return those of which not even one fits.

    Whatever a step raises ends it; what was handed to ``store`` before is stored.
    """
    with _Behind() as behind:
        work = _Work(steps, backend, budget, behind)
        for window in _windows(_decoded(recordings, steps.decode, backend), backend):
            for batch in _batches(window, budget):
                work.take(batch)
        return work.unfit


# ---------------------------------------------------------------- decoding


def _decoded(
    recordings: Sequence[Recording],
    decode: Callable[[Recording], Tensor],
    backend: Backend,
) -> Iterator[Clip]:
    """Yield clips in order, decoded in threads ahead of what is asked for."""

    def clips(of: Sequence[Recording]) -> list[Clip]:
        return [
            Clip(recording=one, waveform=decode(one), seconds=one.seconds) for one in of
        ]

    groups = deque(_groups(recordings, SPANS if backend.batched else 1))
    most = WINDOW if backend.batched else 0.0
    pending: deque[tuple[Future[list[Clip]], float]] = deque()
    held = 0.0
    with ThreadPoolExecutor(backend.decoders) as threads:
        while groups or pending:
            while groups and (held < most or len(pending) < AHEAD):
                group = groups.popleft()
                seconds = sum(one.seconds for one in group)
                pending.append((threads.submit(clips, group), seconds))
                held += seconds
            done, seconds = pending.popleft()
            held -= seconds
            yield from done.result()


def _groups(recordings: Iterable[Recording], most: int) -> Iterator[list[Recording]]:
    """Divide recordings where the file changes: one decodes a file of many spans."""
    group: list[Recording] = []
    for one in recordings:
        if group and (one.path != group[-1].path or len(group) == most):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _windows(clips: Iterator[Clip], backend: Backend) -> Iterator[list[Clip]]:
    """Gather clips that are sorted together."""
    window: list[Clip] = []
    seconds = 0.0
    for clip in clips:
        window.append(clip)
        seconds += clip.seconds
        if not backend.batched or seconds >= WINDOW:
            yield window
            window, seconds = [], 0.0
    if window:
        yield window


def _batches(window: Sequence[Clip], budget: Budget) -> Iterator[list[Clip]]:
    """Cut a window into batches, the longest clips first, by what fits by then."""
    rest = deque(sorted(window, key=_length, reverse=True))
    while rest:
        batch = [rest.popleft()]
        longest = batch[0].seconds
        while rest and longest * (len(batch) + 1) <= budget.seconds:
            batch.append(rest.popleft())
        yield batch


def padded(batch: Sequence[Clip]) -> float:
    """Return the padded length of a batch, in seconds."""
    return len(batch) * max(clip.seconds for clip in batch)


def _length(clip: Clip) -> float:
    return clip.seconds


# ---------------------------------------------------------------- work


class _Behind:
    """A thread that copies and stores, a few batches behind."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.pending: deque[Future[None]] = deque()

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            self.thread.shutdown()

    def put(self, function: Callable[[], None]) -> None:
        """Hand over work, once there is room; raises what earlier work raised."""
        while len(self.pending) >= BEHIND:
            self.pending.popleft().result()
        self.pending.append(self.thread.submit(function))

    def drain(self) -> None:
        """Wait until all is stored."""
        while self.pending:
            self.pending.popleft().result()


class _Work:
    """Encodes batches, those that do not fit in halves."""

    def __init__(
        self, steps: Steps, backend: Backend, budget: Budget, behind: _Behind
    ) -> None:
        self.steps, self.backend = steps, backend
        self.budget, self.behind = budget, behind
        self.unfit: list[Recording] = []
        self.finished = time.perf_counter()

    def take(self, batch: Sequence[Clip]) -> None:
        """Encode a batch and hand it on; where the memory is full, its halves."""
        if self._fits(batch):
            return
        self.behind.drain()
        self.backend.release()
        if len(batch) == 1:
            self.unfit.append(batch[0].recording)
            return
        seconds = padded(batch)
        self.budget.halve(seconds)
        self.steps.report(
            f"out of memory at a batch of {len(batch)} clips ({seconds:.0f} s): "
            f"batches of at most {seconds / 2:.0f} s from here on"
        )
        middle = len(batch) // 2
        self.take(batch[:middle])
        self.take(batch[middle:])

    def _fits(self, batch: Sequence[Clip]) -> bool:
        """Encode a batch; return whether the memory sufficed."""
        started = time.perf_counter()
        try:
            self.backend.measure()
            found = self.steps.encode(batch)
            names, wait = list(found), self.backend.home(list(found.values()))
        except Exception as error:  # whatever the plugin in ``encode`` raises
            if not self.backend.is_full(_first(error)):
                raise
            return False
        if self.backend.batched:
            backend, length = self.backend, padded(batch)
            self.budget.learn(length, backend.taken(), backend.free())
        encoded = time.perf_counter()

        def store() -> None:
            values = wait()
            begun = max(started, self.finished)
            self.finished = encoded if not self.backend.batched else time.perf_counter()
            took = max(self.finished - begun, 0.0) / len(batch)
            self.steps.store(batch, dict(zip(names, values, strict=True)), took)

        self.behind.put(store)
        return True


def _first(error: BaseException) -> BaseException:
    """Return what was raised first: a plugin's error is wrapped in a sentence."""
    return error.__cause__ or error
