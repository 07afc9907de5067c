"""What tasks would take of disk, time and memory: forecasts, and rough ones."""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING

from harness.types import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.data.manifest import Recording
    from harness.execution.plan import Pair
    from harness.types import Downstream, Task, Upstream

FLOPS = 50e9
"""What one core of a common server does in float32, in operations a second. Tasks are
cut by it, so that they are the same on every machine; ``forecast`` corrects it."""

ENCODING = 0.7
"""The share of a machine's GEMM rate that encoders reach, as measured with Whisper."""

FITTING = 0.7
"""And heads on frames."""

READING = 0.2
"""Bytes that are read from memory while one operation is done: 20 GB/s beside 100
GFLOP/s."""

STEP = 1.2e-3
"""Seconds of a step that has next to nothing to compute, as heads on means have."""

OWN = 4e5
"""Operations for each value (utterance × dim) of the training part, of a head with a
``fit`` of its own that states no ``cost``: measured with logistic regression, 12
strengths on EmoDB's means of Whisper base, one core at 100 GFLOP/s, 0.75 s."""

PROCESS = 300e6
"""Bytes of a process that has imported torch and transformers."""

DECODING = 1 / 150
"""Seconds a second of audio takes to be read, decoded, resampled and stored: measured
with log-mels, which take next to nothing themselves."""

LOADED = 8
"""Bytes a weight: the model in float32, and the file that it is read from."""

HEAD_MEMORY = 8 * 4 * 256
"""Bytes a frame of a batch, for heads as small as the paper's."""

HEAD_WIDTH = 256
"""Of such heads."""

TRAIN, VALID = 0.8, 0.1
"""The shares of a corpus that are trained on and that select an epoch, usually."""

CERTIFICATE_SECONDS = (1.0, 1.0, 2.0, 2.0, 2.0)
"""Clips that a padding certificate encodes."""

HELD = 2 * 2**30
"""Bytes that an extraction on a GPU holds of the machine's memory: a window of clips,
batches that come home, and a shard that is not yet written."""

RESERVE = 0.9
"""The share of the free memory that tasks may take."""


# ---------------------------------------------------------------- tasks


def certifying(pair: Pair) -> Resources:
    """Forecast the padding certificate of a pair's upstream."""
    operations = _encoding(pair, CERTIFICATE_SECONDS)
    memory = PROCESS + LOADED * _weights(pair.upstream)
    return Resources(memory=int(memory), seconds=operations / FLOPS, gpu=True)


def extracting(pair: Pair, chunk: Sequence[Recording]) -> Resources:
    """Forecast the extraction of some recordings."""
    clips = _seconds(pair, chunk)
    upstream = pair.upstream
    largest = max(states(pair, [recording]) for recording in chunk)
    held = min(states(pair, chunk), max(HELD, largest))
    memory = PROCESS + LOADED * _weights(upstream) + held
    seconds = _encoding(pair, clips) / FLOPS + DECODING * sum(clips)
    return Resources(memory=int(memory), seconds=seconds, gpu=True)


def states(pair: Pair, chunk: Sequence[Recording]) -> int:
    """Forecast the bytes of hidden states, and of what is stored of them."""
    width = 4 * pair.upstream.dim * (pair.upstream.layers + _kept(pair))
    return int(width * _frames(pair, _seconds(pair, chunk)))


def shares(pair: Pair) -> tuple[float, float]:
    """Return which shares of a corpus train and validate, in the mean over folds."""
    folds, whole = pair.division.split.folds, len(pair.manifest.recordings)
    if not folds:
        return TRAIN, VALID
    train, valid = sum(len(f.train) for f in folds), sum(len(f.valid) for f in folds)
    return train / whole / len(folds), valid / whole / len(folds)


def fitting(
    pair: Pair,
    downstream: Downstream,
    clips: Sequence[float] = (),
    *,
    parts: tuple[float, float] = (TRAIN, VALID),
) -> Resources:
    """Forecast the training of a head; stored frames are mapped and take no memory.

    Args:
        pair: Whose features it reads.
        downstream: The head.
        clips: Durations of all parts, in seconds, if not the corpus'.
        parts: The shares of them that train and that select an epoch.
    """
    clips = clips or _seconds(pair, pair.manifest.recordings)
    frames, upstream = _frames(pair, clips), pair.upstream
    recipe, reads = downstream.recipe, downstream.reads
    train, valid = parts
    if recipe is None:
        values = train * len(clips) * upstream.dim
        seconds = values * _of_value(downstream) / FLOPS
        heads = upstream.layers if reads.layers == "each" else 1
        return Resources(memory=int(PROCESS), seconds=heads * seconds)
    batch = max(1.0, min(recipe.batch, train * len(clips)))
    steps = max(1, int(train * len(clips) / batch))
    train = steps * batch / len(clips)  # an incomplete last batch is dropped
    seconds = recipe.epochs * steps * STEP
    if not reads.frames:
        heads = upstream.layers if reads.layers == "each" else 1
        return Resources(memory=int(PROCESS), seconds=heads * seconds)
    layers = 1 if reads.layers == "last" else upstream.layers
    operations = frames * _of_frame(downstream, layers, upstream.dim, train, valid)
    seconds += recipe.epochs * operations / FITTING / FLOPS
    held = downstream.cost.memory if downstream.cost else HEAD_MEMORY
    if layers > 1:  # their sum and its gradient, and the layers where they are half
        half = pair.condition.frame_type != "float32"
        held += 4 * upstream.dim * (2 + layers * half)
    memory = batch * frames / max(1, len(clips)) * held
    costly = downstream.cost is not None
    return Resources(memory=int(PROCESS + memory), seconds=seconds, gpu=costly)


def _of_value(downstream: Downstream) -> float:
    """Count what a value of the training part costs a head that trains by itself."""
    if downstream.control == "label-only":  # it reads none
        return 0.0
    return downstream.cost.weights if downstream.cost else OWN


def _of_frame(
    downstream: Downstream, layers: int, dim: int, train: float, valid: float
) -> float:
    """Count what a frame of the corpus costs in an epoch, in operations.

    Forward, and backward to weights and inputs, each take two operations a weight. The
    first matrix needs no gradient of its inputs, unless they are a sum of layers; that
    reads all layers twice.
    """
    if downstream.cost:
        return (6 * train + 2 * valid) * downstream.cost.weights
    first, second = HEAD_WIDTH * dim, HEAD_WIDTH**2
    if layers == 1:
        return train * (4 * first + 6 * second) + valid * 2 * (first + second)
    read = 4 * layers * dim / READING * FITTING
    passes = train * (6 * (first + second) + 2 * read)
    return passes + valid * (2 * (first + second) + read)


# ---------------------------------------------------------------- plans


def disk(pair: Pair) -> int:
    """Forecast what a pair's missing features take on disk, in bytes."""
    upstream = pair.upstream
    width = 2 if pair.condition.frame_type == "float16" else 4
    frames = _kept(pair) * _frames(pair, _seconds(pair, pair.missing))
    pooled = len(pair.missing) * upstream.layers * 4
    return int((frames * width + pooled) * upstream.dim)


def memory(tasks: Sequence[Task], workers: int) -> int:
    """Forecast the most memory that tasks hold, so many at once, in bytes."""
    largest = sorted((task.resources.memory for task in tasks), reverse=True)
    return sum(largest[:workers])


def workers_within(tasks: Sequence[Task], workers: int, free: int) -> int:
    """Return how many tasks fit into the memory that is free; one always may."""
    largest = max((task.resources.memory for task in tasks), default=1)
    return max(1, min(workers, int(free // largest)))


def free_memory() -> int:
    """Return the bytes of this machine's memory that tasks may take."""
    import psutil

    return int(RESERVE * psutil.virtual_memory().available)


# ---------------------------------------------------------------- audio


def _encoding(pair: Pair, clips: Iterable[float]) -> float:
    """Forecast operations of the upstream, as if all ran at the GEMM rate.

    Two a weight and a frame that is computed; and four for each pair of frames, dim
    and layer, for attention, which spans a window at most.
    """
    upstream, weights = pair.upstream, _weights(pair.upstream)
    if not weights:
        return 0.0
    window = upstream.window / upstream.hop if upstream.window and upstream.hop else inf
    total = 0.0
    for clip in clips:
        frames = _computed(pair, clip, window)
        attention = 4 * min(frames, window) * upstream.dim * upstream.layers
        total += frames * (2 * (weights + upstream.front) + attention)
    return total / ENCODING


def _computed(pair: Pair, clip: float, window: float) -> float:
    """Count the frames that are computed for a clip, whole windows if nothing says."""
    upstream, feeding = pair.upstream, pair.condition.feeding
    if upstream.hop is None:
        return 1.0
    frames = clip / upstream.hop
    if upstream.computed is not None:
        return upstream.computed(feeding, ceil(frames))
    whole = feeding == upstream.feedings[0] and window < inf
    return ceil(frames / window) * window if whole else frames


def _weights(upstream: Upstream) -> int:
    """Return the number of weights, or that of Transformer blocks of the size."""
    if upstream.checkpoint is None:
        return upstream.parameters
    return upstream.parameters or 12 * upstream.layers * upstream.dim**2


def _frames(pair: Pair, clips: Iterable[float]) -> float:
    hop = pair.upstream.hop
    return sum(1.0 if hop is None else clip / hop for clip in clips)


def _kept(pair: Pair) -> int:
    """Count the layers whose frames are stored."""
    layers = {"pooled": 0, "last": 1, "all": pair.upstream.layers}
    return sum(layers[kind] for kind in pair.kinds)


def _seconds(pair: Pair, recordings: Iterable[Recording]) -> list[float]:
    """Return how much of each recording is read, in seconds."""
    longest = pair.condition.max_seconds or float("inf")
    return [min(recording.seconds, longest) for recording in recordings]
