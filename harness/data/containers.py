"""The length that an audio file claims, compared with the bytes that it has.

libsndfile believes a header, or cuts it down to the file without a word. Here each
container's own count is read first: a file that ends early is named, a count that its
writer did not know (it wrote to a pipe) is filled in, and a container whose count is
not known here is left to be refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import TYPE_CHECKING, Literal

from harness.data.mpeg import LONGER, TRUNCATED, read_mpeg, tags_end

if TYPE_CHECKING:
    from collections.abc import Iterator

Order = Literal["little", "big"]
UNKNOWN_FROM = {4: 0x70000000, 8: 1 << 62}
"""Sizes of chunks, by their width in bytes, that stand for «not known»: 0x7FFFF000 of
sox, 0x80000000 of arecord, 0xFFFFFFFF of ffmpeg and what is near them."""

PADDING = 4096
"""Bytes after the last chunk that may be anything: programs fill a block of a disk."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a container says of its length.

    Attributes:
        data: The bytes to decode: the file's, with a length that was not known.
        problem: What is wrong with the length, or empty.
        frames: Frames that the header promises, where the decoder is not to be asked.
        is_checked: Whether this container's length is understood.
    """

    data: bytes
    problem: str = ""
    frames: int = 0
    is_checked: bool = True


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """How a family of containers writes its chunks: name, size, content.

    Attributes:
        order: Of the bytes of a size.
        sound: Name of the chunk that holds the samples.
        first: Offset of the first chunk.
        width: Bytes of a size.
        counts_header: Whether a size counts the name and the size, too.
        align: Chunks begin at multiples of so many bytes.
    """

    order: Order = "little"
    sound: bytes = b"data"
    first: int = 12
    width: int = 4
    counts_header: bool = False
    align: int = 2

    @property
    def header(self) -> int:
        """Bytes of a name and a size."""
        return len(self.sound) + self.width

    def read(self, data: bytes, at: int) -> int:
        """Return the size in the header that begins at an offset."""
        at += len(self.sound)
        size = int.from_bytes(data[at : at + self.width], self.order)
        return size - self.header if self.counts_header else size

    def write(self, data: bytes, at: int, size: int) -> bytes:
        """Return a copy with a size in the header that begins at an offset."""
        at += len(self.sound)
        size += self.header if self.counts_header else 0
        written = size.to_bytes(self.width, self.order)
        return data[:at] + written + data[at + self.width :]

    def walk(self, data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield name, offset and size of each chunk; stop after one of no size."""
        while at + self.header <= len(data):
            size = self.read(data, at)
            yield bytes(data[at : at + len(self.sound)]), at, size
            if size < 0:
                return
            at += self.header + size
            if self.align > 2 or data[at : at + 1] == b"\0":  # some forget to align
                at += -size % self.align


W64_SOUND = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
FAMILIES = {
    b"RIFF": Chunks(),
    b"RIFX": Chunks(order="big"),
    b"RF64": Chunks(),
    b"BW64": Chunks(),
    b"FORM": Chunks(order="big", sound=b"SSND"),
    b"riff": Chunks(sound=W64_SOUND, first=40, width=8, counts_header=True, align=8),
    b"caff": Chunks(order="big", first=8, width=8, align=1),
}
"""By the first four bytes of a file."""


def read_claim(data: bytes) -> Claim:
    """Compare the length that a file claims with its bytes."""
    content = data[tags_end(data) :]  # libsndfile skips tags before some containers
    magic = content[:4]
    if magic in FAMILIES:
        return _chunked(content, FAMILIES[magic])
    if magic in READERS:
        return READERS[magic](content)
    mpeg = read_mpeg(data)
    if mpeg is None:
        return Claim(data=content, is_checked=False)
    return Claim(data=mpeg.data, problem=mpeg.problem, frames=mpeg.frames)


# ---------------------------------------------------------------- chunks


def _chunked(data: bytes, family: Chunks) -> Claim:
    """Find the chunk that holds the samples, and compare its size with the file."""
    sizes = family
    size_at = None
    for name, at, size in family.walk(data, family.first):
        if name == b"ds64":  # RF64: sizes of 64 bits, the second is that of the sound
            size_at, sizes = at + 12, Chunks(width=8)
        if name == family.sound:
            if size_at is None or size != 0xFFFFFFFF:
                size_at, sizes = at, family
            else:
                size = sizes.read(data, size_at)
            begin = at + family.header
            return _compared(data, begin, size, family, size_at, sizes)
    return Claim(data=data, is_checked=False)


def _compared(
    data: bytes, begin: int, size: int, family: Chunks, size_at: int, sizes: Chunks
) -> Claim:
    """Compare the size of the samples, which begin at an offset, with the file."""
    rest = len(data) - begin
    if _is_unknown(data, begin, size, family, sizes.width):
        return Claim(data=sizes.write(data, size_at, rest))
    end = begin + size + -size % family.align
    if size <= rest and _are_chunks(data, end, family):
        problem = ""
    else:
        problem = _length_problem(data, begin, size)
    if family.counts_header:  # W64, which libsndfile decodes to the end of the file
        data = data[: begin + size]
    return Claim(data=data, problem=problem)


def _filled(data: bytes, begin: int, size: int) -> Claim:
    """Return the claim of a file that is decoded to its end, without what follows."""
    problem = _length_problem(data, begin, size)
    return Claim(data=data[: begin + size], problem=problem)


def _length_problem(data: bytes, begin: int, size: int) -> str:
    """Compare the bytes of samples, which begin at an offset, with those of the file.

    What follows them may be a tag or padding.
    """
    end = begin + size
    if end > len(data):
        return TRUNCATED
    is_over = (
        len(data) - end <= PADDING
        or data[end : end + 3] in (b"ID3", b"TAG")
        or data.count(0, end) == len(data) - end
    )
    return "" if is_over else LONGER


def _is_unknown(data: bytes, begin: int, size: int, family: Chunks, width: int) -> bool:
    """Return whether a size stands for one that its writer did not know.

    Zero does where no chunks follow, but samples.
    """
    rest = len(data) - begin
    if size <= 0:
        return rest > 0 and not _are_chunks(data, begin, family)
    return size > rest and size >= UNKNOWN_FROM[width]


def _are_chunks(data: bytes, at: int, family: Chunks) -> bool:
    """Return whether bytes from an offset on are a row of chunks without samples."""
    end = at
    for name, begin, size in family.walk(data, at):
        end = begin + family.header + size
        if name == family.sound or not _is_name(name) or not 0 <= size:
            return False
    return end > at and -PADDING <= len(data) - end <= PADDING


def _is_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name[:4])


# ---------------------------------------------------------------- others


def _au(data: bytes) -> Claim:
    """Compare the third number of a Sun or NeXT file, the bytes of its samples."""
    order: Order = "big" if data[:4] == b".snd" else "little"
    begin = int.from_bytes(data[4:8], order)
    size = int.from_bytes(data[8:12], order)
    if size == 0 or size >= UNKNOWN_FROM[4]:
        rest = max(len(data) - begin, 0).to_bytes(4, order)
        return Claim(data=data[:8] + rest + data[12:])
    return _filled(data, begin, size)


def _nist(data: bytes) -> Claim:
    """Compare a SPHERE header's samples, channels and bytes a sample with the file."""
    begin = int(re.sub(rb"\D", b"", data[8:16]) or b"0")
    counts = dict(re.findall(rb"(\w+) -i (\d+)", data[:begin]))
    names = (b"sample_count", b"channel_count", b"sample_n_bytes")
    samples, channels, width = (int(counts.get(name, b"1")) for name in names)
    if b"sample_count" not in counts or samples == 0:
        return Claim(data=data)
    return _filled(data, begin, samples * channels * width)


def _flac(data: bytes) -> Claim:
    """Take the number of samples out of STREAMINFO, so that all are decoded.

    It is 36 bits, the last ones of bytes 21 to 25 of the file.
    """
    frames = int.from_bytes(data[21:26], "big") & 0xFFFFFFFFF
    if len(data) < 26 or frames == 0:
        return Claim(data=data)
    unknown = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    return Claim(data=data[:21] + unknown + data[26:], frames=frames)


def _ogg(data: bytes) -> Claim:
    """Walk over the pages: the last one must be whole and say that it is the last."""
    flags, at = [], 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        segments = data[at + 27 : at + 27 + data[at + 26]]
        flags.append(data[at + 5])
        at += 27 + data[at + 26] + sum(segments)
    if at > len(data) or not flags or not flags[-1] & OGG_LAST:
        return Claim(data=data, problem=TRUNCATED)
    later = dropwhile(lambda flag: flag & OGG_FIRST, flags)
    several = any(flag & OGG_FIRST for flag in later)
    return Claim(data=data, problem="damaged (several sounds in one)" * several)


OGG_FIRST, OGG_LAST = 2, 4
"""Flags of the pages of a stream."""

READERS = {
    b"fLaC": _flac,
    b"OggS": _ogg,
    b".snd": _au,
    b"dns.": _au,
    b"NIST": _nist,
}
"""By the first four bytes of a file."""
