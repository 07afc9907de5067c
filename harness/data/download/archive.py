"""Unpack zip archives; every entry is checked before the first is written."""

from __future__ import annotations

import contextlib
import errno
import lzma
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import DataError, StoreError
from harness.types import silence

if TYPE_CHECKING:
    from harness.types import Stages

CHUNK = 1 << 16
"""Bytes read at a time: at most this many of a download are fetched again."""

MEGA = 1e6

MAX_BYTES = 40_000_000_000
"""No corpus known to us has a tenth of that, packed or unpacked."""

MAX_FILES = 100_000
"""Ten times the number of files of the largest bundled corpus, DEMoS."""

MAX_RATIO = 200
"""Speech compresses to about a half; zeros, in a zip bomb, to a thousandth."""

MIN_PACKED = 1000
"""Smaller entries count as this many bytes, since short texts may pack well."""

DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, ValueError, OverflowError),
)
"""What ``zipfile`` and what it unpacks by raise for bytes that they cannot read; an
unknown method is a NotImplementedError, a name that is not UTF-8 a ValueError."""

UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1
"""Bits of an entry's flags, from the zip specification (APPNOTE.TXT, 4.4.4)."""


def existing_zip(source: str) -> Path:
    """Return the path of a zip that the user already has.

    Raises:
        DataError: Where it does not exist or is no zip archive.
    """
    path = Path(source).expanduser()
    if not zipfile.is_zipfile(path):
        what = "is no zip archive" if path.exists() else "does not exist"
        raise DataError(
            f"{path} {what}. Pass a zip by --from; unpack other formats by hand and "
            "check the result by 'harness corpus check'."
        )
    return path


def unpack(path: Path, folder: Path, *, stages: Stages = silence) -> None:
    """Unpack a zip archive below a folder, and nothing outside it.

    Names that are not flagged as UTF-8 are decoded as UTF-8 where that is valid, else
    as code page 437, which the format prescribes.

    Raises:
        DataError: Where an entry leaves the folder, is a link, occurs twice, is
            encrypted or damaged, or where the whole is too large for a corpus.
        StoreError: Where the disk is too small.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked_entries(archive)
            total = sum(info.file_size for info in entries.values())
            _require_space(folder, total)
            with stages("unpacking", total / MEGA, "MB") as advance:
                for name, info in entries.items():
                    _extract(archive, info, folder / name)
                    advance(info.file_size / MEGA)
    except DAMAGED as error:
        raise _damaged(error) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(error) from error  # as bz2 says it, and a seek to nowhere


def _damaged(error: Exception) -> DataError:
    return DataError(
        f"The archive is damaged ({error}); nothing of it was kept. Download it again."
    )


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the entries of an archive by their decoded names, each checked.

    Raises:
        DataError: Where one of them, or their total size, is not safe to unpack.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    seen = set()
    for info in archive.infolist():
        name = _decoded_name(info)
        path = PurePosixPath(name)
        if name.endswith("/") or "__MACOSX" in path.parts:
            continue
        problem = _unsafe(info, path)
        key = str(path).casefold()
        if key in seen:
            problem = "occurs twice"
        if problem:
            raise DataError(
                f"The archive is not safe to unpack: '{name}' {problem}. Nothing of it "
                "was kept; report it to the corpus' authors."
            )
        seen.add(key)
        entries[str(path)] = info
    total = sum(info.file_size for info in entries.values())
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise DataError(
            f"The archive is not safe to unpack: it holds {len(entries)} files of "
            f"{total / MEGA:.0f} MB in all. Nothing of it was kept."
        )
    return entries


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Return an entry's name in NFC, with ``/`` between folders."""
    name = info.filename
    if not info.flag_bits & UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _unsafe(info: zipfile.ZipInfo, path: PurePosixPath) -> str:
    """Return the reason why an entry is not safe to unpack, or nothing."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not path.parts:
        return "has no name"
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "leads out of the folder"
    if not str(path).isprintable():
        return "has unprintable characters in its name"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device"
    if info.flag_bits & ENCRYPTED_FLAG:
        return "is encrypted"
    if info.file_size > MAX_RATIO * max(info.compress_size, MIN_PACKED):
        return "is compressed far more than speech can be"
    return ""


def _require_space(folder: Path, total: int) -> None:
    """Raise ``StoreError`` where a disk has less than ``total`` free bytes."""
    free = shutil.disk_usage(folder).free
    if total > free:
        raise StoreError(
            f"Unpacked, this takes {total / MEGA:.0f} MB, and {folder.parent} has "
            f"{free / MEGA:.0f} MB. Free some space; the download is kept."
        )


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry; zipfile never writes more bytes than were checked."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise zipfile.BadZipFile(
            f"'{info.filename}' is a file and a folder at once"
        ) from error
