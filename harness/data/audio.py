"""Audio files: decode, mix down and resample them, and check that they are usable."""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from harness.errors import DataError
from harness.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import soundfile
    from torch import Tensor

VERSION = 1
"""Raised when this module's samples change."""

MAX_SECONDS = 300.0
"""A longer utterance is most likely a whole recording session in one file."""

ROUNDING = 0.1
"""Seconds by which a span may exceed its file: ends are often rounded in tables."""

SILENT_PEAK = 1e-4
"""-80 dB of full scale, below the noise floor of any microphone."""

UNSCALED_PEAK = 4.0
"""A float file with a larger peak holds integers. Lossy decoders and float recordings
exceed ±1 by less, and are clipped to ±1."""

BLOCK = 1 << 16
"""Frames decoded at once: 4 s at 16 kHz."""

SIZE_UNKNOWN = (0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF)
"""Chunk sizes that programs write when they stream to a pipe."""


class Probe(TypedDict):
    """The audio of an utterance, as a JSON value.

    ``content`` is the hash of the decoded samples, mixed down, at the file's own rate
    (equal for the same audio in another container), ``peak`` the largest magnitude,
    and ``problem`` the reason why the audio cannot be used, or empty.
    """

    sha256: str
    content: str
    rate: int
    channels: int
    seconds: float
    peak: float
    problem: str


def probe(path: Path, *, start: float = 0.0, end: float | None = None) -> Probe:
    """Decode an utterance once, block by block, and describe it.

    Bad audio raises nothing: ``problem`` names what is wrong with it.

    Args:
        path: The file.
        start: Where the utterance begins, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
    """
    import soundfile

    try:
        if path.stat().st_size == 0:
            return _undecoded("empty (zero bytes)")
        sha256 = sha256_file(path)
        with soundfile.SoundFile(os.fsencode(path)) as file:
            decoded = _decode(file, start, end)
            length = file.frames / file.samplerate
    except FileNotFoundError:
        return _undecoded("missing")
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        return _undecoded(f"unreadable ({reason.rstrip('.')})")
    last = start if end is None else end
    if last > length + ROUNDING:
        problem = f"reaches to {last:g} s where the file ends at {length:.2f} s"
    else:
        problem = _problem(decoded, is_cut_off=_is_cut_off(path))
    return {
        "sha256": sha256,
        "content": decoded.content,
        "rate": decoded.rate,
        "channels": decoded.channels,
        "seconds": decoded.frames / decoded.rate,
        "peak": decoded.peak if decoded.is_finite else 0.0,  # JSON has no NaN
        "problem": problem,
    }


def _undecoded(problem: str) -> Probe:
    """Describe a file that could not be decoded."""
    return {
        "sha256": "",
        "content": "",
        "rate": 0,
        "channels": 0,
        "seconds": 0.0,
        "peak": 0.0,
        "problem": problem,
    }


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    """What decoding an utterance yields.

    Attributes:
        rate: Sampling rate, in hertz.
        channels: Number of channels.
        frames: Frames that were decoded.
        promised: Frames that the file's header promises.
        content: Hash of the rate and the samples, mixed down.
        peak: Largest magnitude of a sample.
        is_finite: Whether no sample is NaN or infinite.
    """

    rate: int
    channels: int
    frames: int
    promised: int
    content: str
    peak: float
    is_finite: bool


def _decode(file: soundfile.SoundFile, start: float, end: float | None) -> _Decoded:
    """Decode a span of a file, block by block."""
    import numpy as np

    first, promised = _span(file, start, end)
    file.seek(first)
    digest = hashlib.sha256(str(file.samplerate).encode())
    frames, peak, is_finite = 0, 0.0, True
    while frames < promised:
        count = min(BLOCK, promised - frames)
        block = file.read(count, dtype="float32", always_2d=True)
        if not len(block):
            break
        mono = block.mean(axis=1)
        digest.update(mono.astype("<f4").tobytes())
        is_finite = is_finite and bool(np.isfinite(mono).all())
        peak = max(peak, float(np.abs(mono).max()))
        frames += len(block)
    return _Decoded(
        rate=file.samplerate,
        channels=file.channels,
        frames=frames,
        promised=promised,
        content=digest.hexdigest(),
        peak=peak,
        is_finite=is_finite,
    )


def _problem(decoded: _Decoded, *, is_cut_off: bool) -> str:
    """Return the reason why decoded audio cannot be used, or nothing."""
    if decoded.frames == 0:
        return "empty (no samples)"
    if decoded.frames < decoded.promised or is_cut_off:
        return "truncated (the header promises more audio)"
    if not decoded.is_finite:
        return "holds NaN or infinite samples"
    if decoded.peak < SILENT_PEAK:
        return "silent"
    if decoded.peak > UNSCALED_PEAK:
        return f"not scaled to ±1 (peak {decoded.peak:.0f})"
    return ""


def load(
    path: Path,
    rate: int,
    *,
    start: float = 0.0,
    end: float | None = None,
    max_seconds: float | None = None,
) -> Tensor:
    """Decode an utterance to mono at the upstream's rate.

    Args:
        path: Whatever libsndfile decodes: wav, flac, ogg, mp3, aiff.
        rate: Sampling rate to resample to, in hertz.
        start: Where the utterance begins, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        max_seconds: Keep at most this many seconds from the utterance's beginning.

    Returns:
        Shape (S,), float32 in [-1, 1]: the mean of the channels, resampled.

    Raises:
        DataError: Where the file can no longer be decoded.
    """
    import soundfile
    import torch

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            if max_seconds is not None:
                end = min(end or float("inf"), start + max_seconds)
            first, count = _span(file, start, end)
            file.seek(first)
            samples = file.read(count, dtype="float32", always_2d=True)
            file_rate = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(
            f"Cannot decode {path}: {error}. Run again to check it."
        ) from error
    mono = torch.from_numpy(samples.mean(axis=1))
    if file_rate != rate:
        mono = _resampler(file_rate, rate)(mono)
    return mono.clamp(-1.0, 1.0)


def _span(
    file: soundfile.SoundFile, start: float, end: float | None
) -> tuple[int, int]:
    """Return an utterance's first frame in its file and its number of frames."""
    first = min(round(start * file.samplerate), file.frames)
    last = file.frames
    if end is not None and end != float("inf"):
        last = min(round(end * file.samplerate), file.frames)
    return first, max(last - first, 0)


@functools.lru_cache(maxsize=16)
def _resampler(source: int, target: int) -> Callable[[Tensor], Tensor]:
    """Build torchaudio's windowed sinc resampler at high quality.

    The default filter is 3.7 dB down at 7.5 kHz and passes aliases at -8 dB. This one,
    with the parameters of resampy's ``kaiser_best`` (torchaudio's resampling tutorial),
    is flat to 7 kHz and attenuates aliases by 144 dB.
    """
    from torchaudio.transforms import Resample

    resample: Callable[[Tensor], Tensor] = Resample(
        source,
        target,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        beta=14.769656459379492,
    )
    return resample


def _is_cut_off(path: Path) -> bool:
    """Return whether a RIFF or AIFF file ends before its sound chunk does.

    libsndfile reads such files without an error.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(12)
        order = {b"RIFF": "<", b"FORM": ">"}.get(magic[:4])
        if order is None:
            return False
        while len(header := file.read(8)) == 8:
            name, length = header[:4], struct.unpack(f"{order}I", header[4:])[0]
            if name in (b"data", b"SSND"):
                return length not in SIZE_UNKNOWN and file.tell() + length > size
            file.seek(length + length % 2, 1)
    return False
