"""What a plan would take of disk, time and memory: predictions, and rough ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.features.extraction import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.data.manifest import Recording
    from harness.execution.plan import Pair, Plan

FLOPS = 50e9
"""What one core of a common server does in float32, in operations a second."""

PROCESS = 300e6
"""Bytes of a process that has imported torch and transformers."""

LOADED = 8
"""Bytes a weight: the model in float32, and the file that it is read from."""

HEAD = 8 * 4 * 256
"""Bytes a frame of a batch, for heads as small as the paper's."""


def disk(pair: Pair) -> int:
    """Predict what a pair's missing features take on disk, in bytes."""
    upstream = pair.source.upstream
    width = 2 if pair.source.frame_type == "float16" else 4
    frames = _kept(pair) * sum(_heard(pair, pair.missing)) / upstream.hop
    pooled = len(pair.missing) * upstream.layers * 4
    return int((frames * width + pooled) * upstream.dim)


def seconds(plan: Plan, cores: int) -> float:
    """Predict the time on so many cores."""
    return sum(map(operations, plan.pairs)) / (FLOPS * cores)


def operations(pair: Pair) -> float:
    """Predict the floating-point operations of what is to be done.

    Two a weight and a frame for the upstream, six for a head with frames.
    """
    upstream = pair.source.upstream
    window = upstream.window if pair.source.feeding == upstream.feedings[0] else None
    total = 0.0
    for duration in _heard(pair, pair.missing):
        encoded = -(-duration // window) * window if window else duration
        total += 2 * upstream.parameters * encoded / upstream.hop
    frames = sum(_heard(pair, pair.manifest.recordings)) / upstream.hop
    for job in pair.jobs:
        if job.downstream.reads.frames:
            weights = job.downstream.weights_a_frame or 256 * (upstream.dim + 256)
            total += 6 * weights * 0.8 * frames * job.downstream.recipe.epochs
    return total


def memory(plan: Plan, workers: int) -> int:
    """Predict the most memory that a plan's tasks hold, so many at once, in bytes.

    Stored frames are mapped, not held, and so do not count.
    """
    most = 0.0
    for pair in plan.pairs:
        chunks = -(-len(pair.missing) // CHUNK)
        extracting = min(workers, chunks) * (PROCESS + _extracting(pair))
        training = min(workers, len(pair.jobs)) * (PROCESS + _training(pair))
        most = max(most, extracting, training)
    return int(most)


def _extracting(pair: Pair) -> float:
    """Predict the bytes of a model and of a chunk's states, computed and stored."""
    upstream = pair.source.upstream
    longest = sorted(_heard(pair, pair.missing))[-CHUNK:]
    frames = sum(longest) / upstream.hop
    states = 4 * upstream.dim * frames * (upstream.layers + _kept(pair))
    return LOADED * upstream.parameters + states


def _training(pair: Pair) -> float:
    """Predict the bytes of the largest batch of mean length of any head."""
    clips = list(_heard(pair, pair.manifest.recordings))
    frames = sum(clips) / len(clips) / pair.source.upstream.hop
    return max(
        (
            job.downstream.recipe.batch
            * frames
            * (job.downstream.bytes_a_frame or HEAD)
            for job in pair.jobs
            if job.downstream.reads.frames
        ),
        default=0.0,
    )


def _kept(pair: Pair) -> int:
    """Count the layers whose frames are stored."""
    layers = {"pooled": 0, "last": 1, "all": pair.source.upstream.layers}
    return sum(layers[kind] for kind in pair.kinds)


def _heard(pair: Pair, recordings: Iterable[Recording]) -> list[float]:
    """Give how much of each recording is heard, in seconds."""
    longest = pair.source.max_seconds or float("inf")
    return [min(recording.seconds, longest) for recording in recordings]
