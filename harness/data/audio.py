"""Audio files: decode, mix down and resample them, and check that they are usable."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, TypedDict

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from harness.data.decoding import Sound

VERSION = 2
"""Raised when this module's samples change."""

PROBE_VERSION = 2
"""Raised when ``probe`` reports something else of the same samples."""

MAX_SECONDS = 300.0
"""A longer utterance is most likely a whole recording session in one file."""

ROUNDING = 0.1
"""Seconds by which a span may exceed its file: ends are often rounded in tables."""

SILENT_PEAK = 1e-4
"""-80 dB of full scale, below the noise floor of any microphone."""

UNSCALED_PEAK = 4.0
"""A float file with a larger peak holds integers. Lossy decoders and float recordings
exceed ±1 by less, and are clipped to ±1."""

SILENT = "silent"
CANCELLED = (
    "cancelled (the channels cancel each other in their mean); keep one of them, for "
    "example: ffmpeg -i IN.wav -af 'pan=mono|c0=c0' OUT.wav"
)

Span = tuple[float, float | None]
"""Where an utterance begins and ends in its file, in seconds; ``None`` is its end."""


class Probe(TypedDict):
    """The audio of an utterance, as a JSON value.

    ``content`` is the hash of the decoded samples, mixed down, at the file's own rate
    (equal for the same audio in another container), ``source`` that of the whole file,
    ``peak`` the largest magnitude, ``sketch`` what other forms of the same take share
    (see ``fingerprint``), and ``problem`` the reason why the audio cannot be used, or
    empty.
    """

    sha256: str
    content: str
    source: str
    rate: int
    channels: int
    seconds: float
    peak: float
    sketch: str
    problem: str


def probe(path: Path, *, start: float = 0.0, end: float | None = None) -> Probe:
    """Decode an utterance and describe it (see ``probe_spans``)."""
    return probe_spans(path, [(start, end)])[0]


def probe_spans(path: Path, spans: Sequence[Span]) -> list[Probe]:
    """Read a file once, decode these bytes, and describe some spans of it.

    Bad audio raises nothing: ``problem`` names what is wrong with it.
    """
    from harness.data import decoding

    try:
        data = decoding.read(path)
        sound = decoding.decode(data, path.name)
    except FileNotFoundError:
        return [_undecoded("missing") for _ in spans]
    except OSError as error:
        reason = error.strerror or str(error)
        return [_undecoded(f"unreadable ({reason})") for _ in spans]
    except decoding.DecodingError as error:
        return [_undecoded(str(error)) for _ in spans]
    source = _content(sound, slice(None))
    found = [_describe(sound, span, source) for span in spans]
    for span, one in zip(spans, found, strict=True):
        if one["problem"] == SILENT and _is_cancelled(sound, span, data, path.name):
            one["problem"] = CANCELLED
    return found


def _undecoded(problem: str) -> Probe:
    """Describe a file that could not be decoded."""
    return {
        "sha256": "",
        "content": "",
        "source": "",
        "rate": 0,
        "channels": 0,
        "seconds": 0.0,
        "peak": 0.0,
        "sketch": "",
        "problem": problem,
    }


def _describe(sound: Sound, span: Span, source: str) -> Probe:
    """Describe an utterance in a decoded file."""
    import numpy as np

    from harness.data import decoding, fingerprint

    part = decoding.part_of(span, sound.rate, len(sound.mono))
    mono = sound.mono[part]
    is_whole = len(mono) == len(sound.mono)
    low, high = (mono.min(), mono.max()) if len(mono) else (0.0, 0.0)
    peak = float(max(-low, high))
    problem = _problem(sound, span, len(mono), peak, float(high - low) / 2)
    return {
        "sha256": sound.sha256,
        "content": source if is_whole else _content(sound, part),
        "source": source,
        "rate": sound.rate,
        "channels": sound.channels,
        "seconds": len(mono) / sound.rate,
        "peak": peak if np.isfinite(peak) else 0.0,  # JSON has no NaN
        "sketch": "" if problem else fingerprint.sketch(mono, sound.rate),
        "problem": problem,
    }


def _content(sound: Sound, part: slice) -> str:
    """Hash the rate and the samples, mixed down."""
    digest = hashlib.sha256(str(sound.rate).encode())
    digest.update(sound.mono[part].astype("<f4", copy=False).data)
    return digest.hexdigest()


def _problem(sound: Sound, span: Span, frames: int, peak: float, swing: float) -> str:
    """Return the reason why an utterance cannot be used, or nothing.

    Args:
        sound: What was decoded of the file.
        span: Of the utterance.
        frames: That it has.
        peak: Largest magnitude of its samples.
        swing: The same about the middle, so that a constant has none.
    """
    start, end = span
    last = start if end is None else end
    if sound.problem:
        return sound.problem
    if last > sound.seconds + ROUNDING:
        return f"reaches to {last:g} s where the file ends at {sound.seconds:.2f} s"
    if frames == 0:
        return "empty (no samples)"
    if not peak < float("inf"):
        return "holds NaN or infinite samples"
    if swing < SILENT_PEAK:
        return SILENT
    if peak > UNSCALED_PEAK:
        return f"not scaled to ±1 (peak {peak:.0f})"
    return ""


def _is_cancelled(sound: Sound, span: Span, data: bytes, name: str) -> bool:
    """Return whether channels are louder than what is left of them in their mean."""
    from harness.data import decoding

    if sound.channels == 1:
        return False
    rate, samples = decoding.decode_channels(data, name)
    samples = samples[decoding.part_of(span, rate, len(samples))]
    swing = (samples.max(axis=0) - samples.min(axis=0)).max() / 2
    return bool(swing > 2 * sound.channels * SILENT_PEAK)


def load(
    path: Path,
    rate: int,
    *,
    start: float = 0.0,
    end: float | None = None,
    max_seconds: float | None = None,
    sha256: str = "",
) -> Tensor:
    """Decode an utterance to mono at the upstream's rate.

    Args:
        path: The file: wav, flac, ogg, mp3, aiff, au, w64, caf or sphere.
        rate: Sampling rate to resample to, in hertz.
        start: Where the utterance begins, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        max_seconds: Keep at most this many seconds from the utterance's beginning.
        sha256: Of the bytes that were checked, where they must be the same.

    Returns:
        Shape (S,), float32 in [-1, 1]: the mean of the channels, resampled.

    Raises:
        DataError: Where the file cannot be decoded, or has other bytes by now.
    """
    import torch

    from harness.data import decoding
    from harness.data.resampling import resample

    is_span = start > 0.0 or end is not None
    if max_seconds is not None:
        end = min(end or float("inf"), start + max_seconds)
    if is_span and sha256:
        sound = _last_sound(path, sha256)
    else:
        sound = _sound(path, sha256, float("inf") if end is None else end)
    part = decoding.part_of((start, end), sound.rate, len(sound.mono))
    mono = torch.from_numpy(sound.mono[part])
    return resample(mono, sound.rate, rate).clamp(-1.0, 1.0)


def _sound(path: Path, sha256: str, until: float = float("inf")) -> Sound:
    """Decode a file, and refuse bytes that are not those that were checked."""
    from harness.data import decoding

    try:
        sound = decoding.decode(decoding.read(path), path.name, until=until)
    except (OSError, decoding.DecodingError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"Cannot decode {path}: {reason}. If it changed since it was checked, run "
            "the same command again."
        ) from error
    if sha256 and sound.sha256 != sha256:
        raise DataError(
            f"{path} changed since it was checked; run the same command again."
        )
    if sound.problem:
        raise DataError(f"Cannot decode {path}: it is {sound.problem}.")
    return sound


@functools.lru_cache(maxsize=1)
def _last_sound(path: Path, sha256: str) -> Sound:
    """Decode a file of many spans once, while they are asked for in a row."""
    return _sound(path, sha256)
