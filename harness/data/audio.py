"""From a file to samples: decode, downmix, resample; and find what is wrong with it."""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from typing import TYPE_CHECKING, TypedDict

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import soundfile
    from torch import Tensor

VERSION = 1
"""Raised when this module's samples change."""

MAX_SECONDS = 300.0
"""An utterance is one person's turn; a longer file is most likely a whole recording."""

ROUNDING = 0.1
"""Seconds that a span may reach beyond its file: where it ends is often rounded."""

SILENT_PEAK = 1e-4
"""-80 dB of full scale: no microphone is that quiet."""

UNSCALED_PEAK = 4.0
"""A float file that goes this far beyond ±1 holds integers (lossy decoders and float
recordings overshoot ±1 a little, which is cut off)."""

BLOCK = 1 << 16
SIZE_UNKNOWN = (0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF)
"""What programs that write to a pipe put where a chunk's size belongs."""


class Probe(TypedDict):
    """What a file's audio is, as a JSON value.

    ``content`` is the hash of the decoded, downmixed samples at the file's own rate
    (the same audio in another container has the same), ``peak`` the largest magnitude,
    and ``problem`` says why the audio cannot be used, or is empty.
    """

    sha256: str
    content: str
    rate: int
    channels: int
    seconds: float
    peak: float
    problem: str


def probe(path: Path, *, start: float = 0.0, end: float | None = None) -> Probe:
    """Decode a file once, block by block, and describe it. Never raises for bad audio.

    Args:
        path: The file.
        start: Where the utterance begins, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
    """
    import numpy as np
    import soundfile

    found: Probe = {
        "sha256": "",
        "content": "",
        "rate": 0,
        "channels": 0,
        "seconds": 0.0,
        "peak": 0.0,
        "problem": "",
    }
    try:
        if path.stat().st_size == 0:
            return found | {"problem": "empty (zero bytes)"}
        with path.open("rb") as raw:
            found["sha256"] = hashlib.file_digest(raw, "sha256").hexdigest()
        with soundfile.SoundFile(os.fsencode(path)) as file:
            found["rate"], found["channels"] = file.samplerate, file.channels
            length = file.frames / file.samplerate
            first, wanted = _span(file, start, end)
            file.seek(first)
            digest, read, finite = (
                hashlib.sha256(str(file.samplerate).encode()),
                0,
                True,
            )
            while read < wanted:
                block = file.read(
                    min(BLOCK, wanted - read), dtype="float32", always_2d=True
                )
                if not len(block):
                    break
                mono = block.mean(axis=1)
                digest.update(mono.astype("<f4").tobytes())
                finite = finite and bool(np.isfinite(mono).all())
                found["peak"] = max(found["peak"], float(np.abs(mono).max()))
                read += len(block)
    except FileNotFoundError:
        return found | {"problem": "missing"}
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        return found | {"problem": f"unreadable ({reason.rstrip('.')})"}
    found["content"], found["seconds"] = digest.hexdigest(), read / found["rate"]
    if (last := start if end is None else end) > length + ROUNDING:
        found["problem"] = (
            f"reaches to {last:g} s where the file ends at {length:.2f} s"
        )
    elif read == 0:
        found["problem"] = "empty (no samples)"
    elif read < wanted or _cut_off(path):
        found["problem"] = "truncated (the header promises more audio)"
    elif not finite:
        found["peak"] = 0.0
        found["problem"] = "holds NaN or infinite samples"
    elif found["peak"] < SILENT_PEAK:
        found["problem"] = "silent"
    elif found["peak"] > UNSCALED_PEAK:
        found["problem"] = f"not scaled to ±1 (peak {found['peak']:.0f})"
    return found


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
        rate: Wanted sampling rate, in hertz.
        start: Where the utterance begins, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        max_seconds: Keep no more than this from the utterance's beginning.

    Returns:
        Shape (S,), float32 in [-1, 1]: the mean of the channels, resampled.

    Raises:
        DataError: Where the file cannot be decoded any more.
    """
    import soundfile
    import torch

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            if max_seconds is not None:
                end = min(end or float("inf"), start + max_seconds)
            first, wanted = _span(file, start, end)
            file.seek(first)
            samples = file.read(wanted, dtype="float32", always_2d=True)
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
    """Give an utterance's first frame in its file and how many frames it has."""
    first = min(round(start * file.samplerate), file.frames)
    last = file.frames
    if end is not None and end != float("inf"):
        last = min(round(end * file.samplerate), file.frames)
    return first, max(last - first, 0)


@functools.lru_cache(maxsize=16)
def _resampler(source: int, target: int) -> Callable[[Tensor], Tensor]:
    """Build torchaudio's windowed sinc at high quality.

    The default filter is 3.7 dB down at 7.5 kHz and lets aliases through at -8 dB; this
    one, with the parameters of resampy's ``kaiser_best``, is flat to 7 kHz and stops
    aliases at -144 dB. Source: torchaudio's resampling tutorial.
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


def _cut_off(path: Path) -> bool:
    """Tell whether a RIFF or AIFF file ends before its sound chunk does.

    libsndfile reads such files without a word.
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
