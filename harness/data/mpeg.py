"""The frames of an MP3 file, counted: nothing else says how long such a file is.

A decoder takes the length from a tag in the first frame, and without one guesses it
from the size of the file and the bit rate of that frame.
"""

from __future__ import annotations

from dataclasses import dataclass

KBIT = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version and layer, and by the index in a frame's header less one
(ISO/IEC 11172-3 and 13818-3)."""

RATES = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
"""Sampling rates by the bits of the version: MPEG 1, 2 and 2.5."""

TRUNCATED = "truncated (the header promises more audio)"
LONGER = "damaged (the file holds more audio than its header promises)"

JUNK = 1 << 16
"""Bytes before the first frame, at most."""
TAIL = 4096
"""Bytes after the last frame that are no tag, at most."""


@dataclass(frozen=True, kw_only=True)
class Mpeg:
    """The frames of a file.

    Attributes:
        data: The bytes to decode: the file, or one of which the decoder decodes all.
        frames: Samples a channel, where the decoder's own number is not to be trusted.
        problem: What is wrong with the frames, or empty.
    """

    data: bytes
    frames: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A frame's header."""

    version: int
    layer: int
    rate: int
    channels: int
    size: int

    @property
    def samples(self) -> int:
        """Samples that it holds of each channel."""
        if self.layer == 1:
            return 384
        return 576 if self.layer == 3 and self.version != 3 else 1152

    @property
    def kind(self) -> tuple[int, int, int]:
        """What all frames of a file share."""
        return self.version, self.layer, self.rate

    @property
    def tag_at(self) -> int:
        """Where a Xing tag lies in it: after the side information of layer III."""
        if self.version == 3:
            return 4 + (17 if self.channels == 1 else 32)
        return 4 + (9 if self.channels == 1 else 17)


def tags_end(data: bytes, at: int = 0) -> int:
    """Return the offset after the ID3v2 tags that begin at an offset."""
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def read_mpeg(data: bytes) -> Mpeg | None:
    """Count the frames of an MP3 file; ``None`` for another file."""
    start = _first(data)
    first = None if start is None else _frame(data, start)
    if start is None or first is None:
        return None
    count, end, is_whole = _count(data, start, first)
    claimed = _claimed(data[start : start + first.size], first)
    count -= claimed is not None
    if not is_whole:
        is_cut = end + first.size + TAIL >= len(data)
        problem = TRUNCATED if is_cut else f"damaged (no MPEG frame at byte {end})"
    elif claimed and claimed != count:
        problem = TRUNCATED if claimed > count else LONGER
    else:
        problem = ""
    if claimed:
        return Mpeg(data=data, frames=0, problem=problem)
    frames = data[start + (first.size if claimed == 0 else 0) : end]
    tag = _empty_tag((count + 1) * (first.size + 1) - len(frames))
    return Mpeg(data=frames + tag, frames=count * first.samples, problem=problem)


def _first(data: bytes) -> int | None:
    """Return the offset of the first frame, one that another one follows, or ends."""
    start = tags_end(data)
    for at in range(start, min(start + JUNK, len(data) - 3)):
        if data[at] == 0xFF and (frame := _frame(data, at)):
            after = at + frame.size
            following = _frame(data, after)
            if (following and following.kind == frame.kind) or after == len(data):
                return at
    return None


def _count(data: bytes, at: int, first: _Frame) -> tuple[int, int, bool]:
    """Count frames from an offset on.

    Returns:
        Their number, the offset after the last one, and whether nothing but tags
        follows there.
    """
    count = 0
    while frame := _frame(data, at):
        if frame.kind != first.kind or at + frame.size > len(data):
            return count, at, False
        count += 1
        at += frame.size
        tagged = tags_end(data, at)
        if tagged != at and _frame(data, tagged):
            return count, at, False  # a second file behind the first
    return count, at, _is_tail(data, at)


def _is_tail(data: bytes, at: int) -> bool:
    """Return whether what follows the last frame is a tag, padding or nothing."""
    tags = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")
    rest = data[at:]
    return rest.startswith(tags) or not rest.strip(b"\0")


def _frame(data: bytes, at: int) -> _Frame | None:
    """Read the frame header at an offset, if there is one."""
    header = int.from_bytes(data[at : at + 4], "big")
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    index, rate = header >> 12 & 15, header >> 10 & 3
    is_frame = len(data) - at >= 4 and header >> 21 == 0x7FF
    if not is_frame or version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    bits = 1000 * KBIT[1 if version == 3 else 2, layer][index - 1]
    hertz, padding = RATES[version][rate], header >> 9 & 1
    if layer == 1:
        size = 4 * (12 * bits // hertz + padding)
    else:
        short = layer == 3 and version != 3
        size = (72 if short else 144) * bits // hertz + padding
    channels = 1 if header >> 6 & 3 == 3 else 2
    return _Frame(
        version=version, layer=layer, rate=hertz, channels=channels, size=size
    )


def _claimed(tag: bytes, first: _Frame) -> int | None:
    """Return the number of frames in a tag: 0 if it has none, ``None`` if no tag."""
    at = first.tag_at
    if tag[at : at + 4] in (b"Xing", b"Info"):
        has_count = tag[at + 7] & 1
        return int.from_bytes(tag[at + 8 : at + 12], "big") if has_count else 0
    return 0 if tag[36:40] == b"VBRI" else None


def _empty_tag(size: int) -> bytes:
    """Make an ID3v2 tag of at least a size: a decoder that guesses then guesses more.

    What it guesses is the most that it decodes.
    """
    size = max(size, 0)
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + digits + bytes(size)
