"""A sound out of a file's bytes, decoded from the first frame to the last.

What is hashed is what is decoded, as both are done with bytes that were read once.
Nothing is sought: some codecs cannot, others land elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from harness.data.containers import read_claim
from harness.data.mpeg import TRUNCATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.data.containers import Claim

BLOCK = 1 << 16
"""Samples decoded at once: 4 s at 16 kHz."""

LONGEST = 1 << 29
"""Samples of a channel: 2 GiB when decoded, 3 hours at 48 kHz."""

RATES = (1_000, 768_000)
"""Sampling rates in hertz. Below the least, half of the rate is within a voice's first
harmonics; the largest is the highest that converters record at."""


Span = tuple[float, float | None]
"""Where an utterance begins and ends in its file, in seconds; ``None`` is its end."""


class DecodingError(Exception):
    """Bytes that are no sound, and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sound:
    """A decoded file.

    Attributes:
        sha256: Of its bytes.
        rate: Sampling rate, in hertz.
        channels: Number of channels.
        mono: Shape (S,), float32: the mean of the channels.
        problem: What is wrong with its length, or empty.
    """

    sha256: str
    rate: int
    channels: int
    mono: NDArray[np.float32]
    problem: str = ""

    @property
    def seconds(self) -> float:
        """Its duration, in seconds."""
        return len(self.mono) / self.rate


def part_of(span: Span, rate: int, frames: int) -> slice:
    """Return where an utterance's samples are in its decoded file."""
    start, end = span
    first = round(min(start * rate, frames))
    last = frames if end is None else round(min(end * rate, frames))
    return slice(first, max(first, last))


def decode(data: bytes, name: str, *, until: float = float("inf")) -> Sound:
    """Hash and decode the bytes of a file.

    Args:
        data: The bytes.
        name: The file's name, for advice.
        until: Decode no more than so many seconds; the rest is then not looked at.

    Raises:
        DecodingError: Where they are no sound.
    """
    with _opened(data, name) as (file, claim):
        wanted = round(min(until * file.samplerate, LONGEST + 1))
        blocks = [_mix(block) for block in _blocks(file, claim.frames, wanted)]
        mono = blocks[0] if len(blocks) == 1 else np.concatenate([_NOTHING, *blocks])
        is_cut = len(mono) == wanted <= LONGEST
        return Sound(
            sha256=hashlib.sha256(data).hexdigest(),
            rate=file.samplerate,
            channels=file.channels,
            mono=mono,
            problem="" if is_cut else _length_problem(file, claim, len(mono)),
        )


_NOTHING: NDArray[np.float32] = np.zeros(0, np.float32)


def read(path: Path) -> bytes:
    """Read a file; raises ``OSError``, for a name that no file can have, too."""
    try:
        return path.read_bytes()
    except ValueError as error:
        raise OSError(str(error)) from error


def decode_channels(data: bytes, name: str) -> tuple[int, NDArray[np.float32]]:
    """Decode the bytes of a file without mixing.

    Returns:
        Its rate in hertz, and samples of shape (S, channels).

    Raises:
        DecodingError: Where they are no sound.
    """
    with _opened(data, name) as (file, claim):
        none = np.zeros((0, file.channels), np.float32)
        return file.samplerate, np.concatenate(
            [none, *_blocks(file, claim.frames, LONGEST)]
        )


# ---------------------------------------------------------------- libsndfile


class _Bytes(io.BytesIO):
    """Bytes as a file; where it cannot go, it stays, as libsndfile expects."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its beginning to its end."""

    def seekable(self) -> bool:
        """Return that it is not, or soundfile seeks after every block."""
        return False


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[tuple[Any, Claim]]:
    """Open bytes as a sound.

    Raises:
        DecodingError: Where they are none, here or while they are decoded.
    """
    if not data:
        raise DecodingError("empty (zero bytes)")
    claim = read_claim(data)
    if claim.problem:
        raise DecodingError(claim.problem)
    try:
        file = _Forward(_Bytes(claim.data))
    except (soundfile.LibsndfileError, TypeError) as error:
        raise DecodingError(_refusal(data, name, error)) from error
    with file:
        _check_rate(file.samplerate)
        if not claim.is_checked:
            raise DecodingError(
                f"in a container whose length cannot be checked ({file.format}); "
                f"convert it: {_conversion(name)}"
            )
        yield file, claim


def _blocks(file: Any, promised: int, frames: int) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401 - soundfile is not typed
    """Yield decoded samples, (S, channels), until the file ends or there are enough.

    What cannot be decoded after all that was promised is no part of the sound.
    """
    done, size = 0, max(BLOCK // file.channels, 1)
    while done < frames:
        ahead = promised - done if done < promised else size
        try:
            count = min(size, ahead, frames - done)
            block = file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if 0 < promised <= done:
                return
            reason = error.error_string.rstrip(".")
            raise DecodingError(f"truncated or damaged ({reason})") from error
        if not len(block):
            return
        yield block
        done += len(block)


def _mix(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the channels; of a single one, the samples themselves."""
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)


def _check_rate(rate: int) -> None:
    least, most = RATES
    if not least <= rate <= most:
        raise DecodingError(
            f"sampled at {rate} Hz, by its header; speech is sampled at {least} to "
            f"{most} Hz, so correct the header"
        )


def _length_problem(file: Any, claim: Claim, frames: int) -> str:  # noqa: ANN401 - soundfile is not typed
    """Compare what was decoded with what was promised."""
    if frames > LONGEST:
        return f"longer than {LONGEST / file.samplerate / 3600:.1f} hours; cut it"
    if frames == 0:
        return "empty (no samples)"
    promised = claim.frames or (0 if file.format == "FLAC" else file.frames)
    return TRUNCATED if frames < promised else ""


# ---------------------------------------------------------------- refusals

OTHERS = {
    b"\xff\xf1": "AAC",
    b"\xff\xf9": "AAC",
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
    b"0&\xb2u\x8ef\xcf\x11": "WMA",
    b"MAC ": "Monkey's Audio",
    b"wvpk": "WavPack",
    b"#!SILK": "SILK",
    b"ajkg": "Shorten",
}
"""Formats that libsndfile does not decode, by how their files begin."""


def _refusal(data: bytes, name: str, error: Exception) -> str:
    """Say what undecodable bytes are, and what to do about it."""
    head = data[:512]
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of git-lfs, not the sound; fetch it: git lfs pull"
    if b"/annex/objects/" in head:
        return "a pointer of git-annex, not the sound; fetch it: git annex get"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not a sound; download the file again"
    if head.startswith((b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return "an archive, not a sound; unpack it"
    if head[4:8] == b"ftyp":
        return f"AAC or another codec in MP4; convert it: {_conversion(name)}"
    for magic, format in OTHERS.items():
        if head.startswith(magic):
            return f"{format}; convert it: {_conversion(name)}"
    reason = str(getattr(error, "error_string", "") or error).rstrip(".")
    return f"unreadable ({reason}); if it is a sound, convert it: {_conversion(name)}"


def _conversion(name: str) -> str:
    """Return the command that converts a file to one that is read."""
    ending = ".flac" if name.lower().endswith(".wav") else ".wav"
    source, target = shlex.quote(name), shlex.quote(Path(name).stem + ending)
    return f"ffmpeg -i {source} {target}"
