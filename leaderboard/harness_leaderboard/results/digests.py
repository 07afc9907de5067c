"""A digest in each Parquet file, of all its bytes, so that a flipped bit is seen.

It stands in the file's key-value metadata, so it stays where the file is renamed,
copied or merged. Parquet's own page checksums see neither the header of a page nor the
footer.
"""

from __future__ import annotations

import zlib

MARK = b"harness.crc32:"
"""Before the digest, in the value of ``KEY``."""

KEY = b"harness.digest"
UNKNOWN = b"00000000"
"""In the place of the digest, until the file's other bytes are known."""

MAGIC = b"PAR1"
ENDING = 8
"""Bytes at a Parquet file's end: the length of its footer, and ``MAGIC``."""


def unmarked() -> dict[bytes, bytes]:
    """Return the metadata of a file whose digest is not known yet."""
    return {KEY: MARK + UNKNOWN}


def marked(data: bytes) -> bytes:
    """Put the digest into a file that was written with ``unmarked`` metadata."""
    at = _place(memoryview(data))
    digest = _digest(memoryview(data), at)
    return data[:at] + digest + data[at + len(digest) :]


def damage(data: memoryview) -> bool | None:
    """Return whether a file's bytes are others than those that were written.

    ``None`` stands for a file without a digest, of which nothing can be said.
    """
    if bytes(data[-len(MAGIC) :]) != MAGIC:
        return True
    at = _place(data)
    if at < 0:
        return None
    return bytes(data[at : at + len(UNKNOWN)]) != _digest(data, at)


def _place(data: memoryview) -> int:
    """Return where the digest begins, -1 where there is none.

    It is in the footer, after whatever a corpus may have named.
    """
    length = int.from_bytes(data[-ENDING : -len(MAGIC)], "little")
    start = max(len(data) - ENDING - length, 0)
    at = bytes(data[start:]).rfind(MARK)
    return -1 if at < 0 else start + at + len(MARK)


def _digest(data: memoryview, at: int) -> bytes:
    """Return the digest of all bytes but its own."""
    value = zlib.crc32(data[at + len(UNKNOWN) :], zlib.crc32(data[:at]))
    return f"{value:08x}".encode()
