"""What tasks would take of disk, time and memory: forecasts, and rough ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.data.manifest import Recording
    from harness.execution.plan import Pair
    from harness.types import Downstream, Task

FLOPS = 50e9
"""What one core of a common server does in float32, in operations a second."""

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

TRAIN = 0.8
"""The share of a corpus that is trained on."""

CERTIFICATE_SECONDS = 8.0
"""Audio that a padding certificate takes."""

HELD = 2 * 2**30
"""Bytes that an extraction on a GPU holds of the machine's memory: a window of clips,
batches that come home, and a shard that is not yet written."""

RESERVE = 0.9
"""The share of the free memory that tasks may take."""


# ---------------------------------------------------------------- tasks


def certifying(pair: Pair) -> Resources:
    """Forecast the padding certificate of a pair's upstream."""
    operations = _encoding(pair, [CERTIFICATE_SECONDS])
    memory = PROCESS + LOADED * pair.upstream.parameters
    return Resources(memory=int(memory), seconds=operations / FLOPS, gpu=True)


def extracting(pair: Pair, chunk: Sequence[Recording]) -> Resources:
    """Forecast the extraction of some recordings."""
    clips = _seconds(pair, chunk)
    upstream = pair.upstream
    largest = max(states(pair, [recording]) for recording in chunk)
    held = min(states(pair, chunk), max(HELD, largest))
    memory = PROCESS + LOADED * upstream.parameters + held
    seconds = _encoding(pair, clips) / FLOPS + DECODING * sum(clips)
    return Resources(memory=int(memory), seconds=seconds, gpu=True)


def states(pair: Pair, chunk: Sequence[Recording]) -> int:
    """Forecast the bytes of hidden states, and of what is stored of them."""
    width = 4 * pair.upstream.dim * (pair.upstream.layers + _kept(pair))
    return int(width * _frames(pair, _seconds(pair, chunk)))


def fitting(pair: Pair, downstream: Downstream) -> Resources:
    """Forecast the training of a head; stored frames are mapped and take no memory."""
    recipe, frames_read = downstream.recipe, downstream.reads.frames
    if recipe is None or not frames_read:
        return Resources(memory=int(PROCESS), seconds=0.0)
    frames = _frames(pair, _seconds(pair, pair.manifest.recordings))
    cost = downstream.cost
    weights = cost.weights if cost else HEAD_WIDTH * (pair.upstream.dim + HEAD_WIDTH)
    operations = 6 * weights * TRAIN * frames * recipe.epochs
    mean = frames / max(1, len(pair.manifest.recordings))
    memory = recipe.batch * mean * (cost.memory if cost else HEAD_MEMORY)
    return Resources(
        memory=int(PROCESS + memory), seconds=operations / FLOPS, gpu=cost is not None
    )


# ---------------------------------------------------------------- plans


def disk(pair: Pair) -> int:
    """Forecast what a pair's missing features take on disk, in bytes."""
    upstream = pair.upstream
    width = 2 if pair.condition.frame_type == "float16" else 4
    frames = _kept(pair) * _frames(pair, _seconds(pair, pair.missing))
    pooled = len(pair.missing) * upstream.layers * 4
    return int((frames * width + pooled) * upstream.dim)


def seconds(tasks: Iterable[Task], cores: int) -> float:
    """Forecast the time on so many cores."""
    return sum(task.resources.seconds for task in tasks) / cores


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
    """Forecast operations of the upstream: two a weight and a frame."""
    upstream = pair.upstream
    whole = pair.condition.feeding == upstream.feedings[0]
    window = upstream.window if whole else None
    encoded = [-(-clip // window) * window if window else clip for clip in clips]
    return 2 * upstream.parameters * _frames(pair, encoded)


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
