"""Zip archives from strangers: every entry is checked before the first is written."""

from __future__ import annotations

import contextlib
import shutil
import stat
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import DataError, StoreError
from harness.types import silence

if TYPE_CHECKING:
    from pathlib import Path

    from harness.types import Stages

CHUNK = 1 << 16
"""Bytes at a time; of a download that breaks off, no more than this comes twice."""
MEGA = 1e6
MOST_BYTES = 40_000_000_000
"""No corpus that we know of has a tenth of that, packed or unpacked."""
MOST_FILES = 100_000
MOST_RATIO = 200
"""Speech packs to a half; only a bomb packs to less than this."""


def unpack(path: Path, folder: Path, *, stages: Stages = silence) -> None:
    """Unpack a zip archive below a folder, and nothing of it elsewhere.

    Names without a mark that they are UTF-8 are read as UTF-8 where they are that,
    else as code page 437, which the format prescribes.

    Raises:
        DataError: Where an entry leads out, is a link, comes twice, is encrypted or
            damaged, or where all of them unpack to more than any corpus has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive)
            total = sum(info.file_size for info in entries.values())
            _refuse_full_disk(folder, total)
            with stages("unpacking", total / MEGA, "MB") as advance:
                for name, info in entries.items():
                    _extract(archive, info, folder / name)
                    advance(info.file_size / MEGA)
    # zipfile raises NotImplementedError for a compression that it does not know
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise DataError(
            f"The archive is damaged ({error}); nothing of it was kept. Get it again."
        ) from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Check every entry before the first is written; give them by mended name."""
    entries: dict[str, zipfile.ZipInfo] = {}
    seen = set()
    for info in archive.infolist():
        name = _mended(info)
        path = PurePosixPath(name)
        if info.is_dir() or name.endswith("/") or "__MACOSX" in path.parts:
            continue
        problem = _hostile(info, path)
        if name.casefold() in seen:
            problem = "comes twice"
        if problem:
            raise DataError(
                f"The archive is not safe to unpack: '{name}' {problem}. Nothing of it "
                "was kept; tell the corpus' authors."
            )
        seen.add(name.casefold())
        entries[name] = info
    total = sum(info.file_size for info in entries.values())
    if len(entries) > MOST_FILES or total > MOST_BYTES:
        raise DataError(
            f"The archive is not safe to unpack: it holds {len(entries)} files of "
            f"{total / MEGA:.0f} MB in all. Nothing of it was kept."
        )
    return entries


def _mended(info: zipfile.ZipInfo) -> str:
    name = info.filename
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _hostile(info: zipfile.ZipInfo, path: PurePosixPath) -> str:
    """Say what is wrong with an entry, if anything is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "leads out of the folder"
    if not str(path).isprintable():
        return "has a name that no corpus needs"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.file_size > MOST_RATIO * max(info.compress_size, 1000):
        return "unpacks to far more than speech does"
    return ""


def _refuse_full_disk(folder: Path, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if total > free:
        raise StoreError(
            f"Unpacked, this takes {total / MEGA:.0f} MB, and {folder.parent} has "
            f"{free / MEGA:.0f} MB. Make room; what was fetched is kept."
        )


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry; zipfile never gives more bytes than were checked."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise zipfile.BadZipFile(f"'{info.filename}' is in its own way") from error
