"""Get a corpus that needs no form: fetch, verify, unpack, check, and only then keep.

What breaks off is kept beside the cache and goes on from there; what turns out to be
something else is thrown away. A corpus' folder is either complete or not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import stat
import time
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from harness.errors import DataError, StoreError
from harness.files import Memory, sha256_bytes
from harness.passport import collect, examine
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import requests

    from harness.passport import Passport
    from harness.types import Archive, Corpus, Stages

ATTEMPTS = 5
"""How often a connection may break off before the user must ask again."""
WAIT = 1.0
"""Seconds before the second attempt; each later one waits as much longer."""
TIMEOUT = (15.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""
CHUNK = 1 << 16
"""Bytes at a time; of what breaks off, no more than this is fetched twice."""
MEGA = 1e6

MOST_BYTES = 40_000_000_000
"""No corpus that we know of has a tenth of that, packed or unpacked."""
MOST_FILES = 100_000
MOST_RATIO = 200
"""Speech packs to a half; only a bomb packs to less than this."""

HARMLESS = ("unusable", "duplicate")
"""Problems that a corpus may have as its authors published it."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on a server.

    Attributes:
        url: Where it is.
        name: What it is called.
        size: In bytes, or 0 where the server did not say.
        digest: ``md5:…`` or ``sha256:…`` of its bytes, or empty.
    """

    url: str
    name: str
    size: int
    digest: str


def remotes(archives: Sequence[Archive]) -> list[Remote]:
    """Ask the servers which files there are, and how large.

    Raises:
        DataError: Where a server cannot be reached, or does not have them.
    """
    return [remote for archive in archives for remote in _remotes(archive)]


def get(
    corpus: Corpus,
    files: Sequence[Remote],
    root: Path,
    folder: Path,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Download a corpus; its folder appears when it is complete.

    Args:
        corpus: Its description.
        files: What it comes as.
        root: Where it shall be; beside a variant that is there already, one deeper.
        folder: Where unfinished downloads wait to be gone on with.
        siblings: Its variants.
        stages: Told of the progress.

    Raises:
        DataError: Where something is there already, or what came is not the corpus.
        StoreError: Where the disk is full or a folder cannot be written.
    """
    root = _free_place(corpus, root, siblings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{corpus.name}.lock", timeout=0)
        prefix = f".{corpus.name}-"
        with lock, TemporaryDirectory(prefix=prefix, dir=root.parent) as scratch:
            packed = [fetch(remote, folder, stages=stages) for remote in files]
            try:
                passport = _unpack_all(corpus, packed, Path(scratch), stages)
            except DataError:
                _remove(packed)
                raise
            if root.exists():
                root.rmdir()
            Path(scratch, "fresh").replace(root)
            _remove(packed)
    except Timeout as error:
        raise DataError(
            f"Another process is downloading {corpus.title}. Wait for it."
        ) from error
    except OSError as error:
        raise StoreError(
            f"Cannot put {corpus.title} at {root}: {error.strerror or error}. Make "
            "room or mend the folder's permissions; what was fetched is kept."
        ) from error
    return passport


def _free_place(corpus: Corpus, root: Path, siblings: Collection[Corpus]) -> Path:
    """Choose a folder that is not there or empty."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return root
    deeper = root / corpus.name
    beside_variant = any(collect(other, root)[0] for other in siblings)
    if beside_variant and not collect(corpus, root)[0] and not deeper.exists():
        return deeper
    raise DataError(
        f"{root} is not empty. Move it away, or choose another --data-root."
    )


def _remove(packed: Sequence[Path]) -> None:
    for path in packed:
        path.unlink(missing_ok=True)


def _unpack_all(
    corpus: Corpus, packed: Sequence[Path], scratch: Path, stages: Stages
) -> Passport:
    """Unpack into ``scratch/fresh``, and see that this is the corpus as it is known."""
    fresh = scratch / "fresh"
    fresh.mkdir()
    for path in packed:
        unpack(path, fresh, stages=stages)
    try:
        passport = examine(corpus, fresh, Memory(scratch / "memory"), stages=stages)
    except DataError as error:
        raise DataError(
            f"What was downloaded holds nothing of {corpus.title}, and was thrown "
            "away. See the corpus' homepage."
        ) from error
    wrong = [one for one in passport.problems if one.kind not in HARMLESS]
    if wrong:
        first = ", ".join(filter(None, (wrong[0].path, wrong[0].detail)))
        raise DataError(
            f"What was downloaded was thrown away. {passport.verdict} The first "
            f"problem, {wrong[0].kind}: {first}"
        )
    return passport


# ---------------------------------------------------------------- asking


def _remotes(archive: Archive) -> Iterator[Remote]:
    if "/api/records/" not in archive.url:
        digest = f"sha256:{archive.sha256}" if archive.sha256 else ""
        name = PurePosixPath(unquote(urlsplit(archive.url).path)).name
        size = archive.size or _size(archive.url)
        yield Remote(url=archive.url, name=name, size=size, digest=digest)
        return
    found = 0
    for file in _record(archive.url):
        if re.fullmatch(archive.only, unicodedata.normalize("NFC", file["key"])):
            found += 1
            yield Remote(
                url=file["links"]["self"],
                name=file["key"],
                size=file["size"],
                digest=file["checksum"],
            )
    if not found:
        raise DataError(
            f"{archive.url} has no file '{archive.only}' any more. See its web page."
        )


def _record(url: str) -> list[dict[str, Any]]:
    """Read what Zenodo says of the files of a record."""
    with _ask("GET", url) as answer:
        try:
            files: list[dict[str, Any]] = answer.json()["files"]
            for file in files:
                _ = file["key"], file["links"]["self"], file["size"], file["checksum"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{url} does not list files as Zenodo does. Get them by hand."
            ) from error
    return files


def _size(url: str) -> int:
    """Ask for a file's size in bytes; 0 where the server does not say."""
    try:
        with _ask("HEAD", url) as answer:
            return int(answer.headers.get("Content-Length", 0))
    except DataError:  # some servers answer GET alone; fetching tells if it is gone
        return 0


def _ask(method: str, url: str, **headers: str) -> requests.Response:
    """Send a request.

    Raises:
        DataError: Where there is no answer, or one that says no.
    """
    import requests

    from harness import __version__

    fixed = {
        "User-Agent": f"speech-harness/{__version__}",
        "Accept-Encoding": "identity",  # or lengths would be those of packed bytes
    }
    try:
        answer = requests.request(
            method,
            url,
            headers=fixed | headers,
            stream=True,
            timeout=TIMEOUT,
            allow_redirects=True,
        )
    except requests.RequestException as error:
        raise DataError(f"Cannot reach {url}: {_reason(error)}. Try later.") from error
    if answer.status_code >= 400 and answer.status_code != 416:
        answer.close()
        raise DataError(
            f"{url} answers {answer.status_code} {answer.reason}. It may have moved: "
            "see the corpus' homepage."
        )
    return answer


def _reason(error: BaseException) -> str:
    """Give the innermost reason of an error, on one line."""
    while error.__context__ is not None:
        error = error.__context__
    return (getattr(error, "strerror", None) or str(error)).strip(".")


# ---------------------------------------------------------------- fetching


def fetch(remote: Remote, folder: Path, *, stages: Stages = silence) -> Path:
    """Download a file, going on where it broke off before, and verify it.

    Returns:
        Where it is: in ``folder``, under a name of its own.

    Raises:
        DataError: Where it breaks off too often, or is not what it should be.
    """
    stem = sha256_bytes(remote.url.encode(), remote.digest.encode())[:12]
    part, whole = folder / f"{stem}.part", folder / f"{stem}.zip"
    if not whole.exists():
        _fetch_all(remote, part, stages)
        _verify(remote, part)
        part.replace(whole)
        _tag(part).unlink(missing_ok=True)
    return whole


def _fetch_all(remote: Remote, part: Path, stages: Stages) -> None:
    """Ask again, from where it broke off, until the file is whole."""
    from requests import RequestException

    problem = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * WAIT)
        try:
            if _fetch_rest(remote, part, stages):
                return
            problem = "it ended before it was whole"
        except RequestException as error:
            problem = _reason(error)
    raise DataError(
        f"{remote.url} broke off {ATTEMPTS} times ({problem}). What came is kept; the "
        "same command goes on with it."
    )


def _fetch_rest(remote: Remote, part: Path, stages: Stages) -> bool:
    """Fetch what is missing of a file, and say whether that is all of it."""
    have = part.stat().st_size if part.exists() else 0
    tag = _tag(part).read_text("ascii") if _tag(part).exists() else ""
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and tag:
        headers["If-Range"] = tag
    with _ask("GET", remote.url, **headers) as answer:
        if answer.status_code == 416:  # nothing is left, or it is another file now
            if have != remote.size:
                part.unlink()
            return have == remote.size
        if answer.status_code != 206 or _begins_elsewhere(answer, have):
            have = 0
        expected = remote.size or have + int(answer.headers.get("Content-Length", 0))
        _tag(part).write_text(answer.headers.get("ETag", ""), "ascii", "replace")
        with (
            stages(f"fetching {remote.name}", expected / MEGA, "MB") as advance,
            part.open("ab" if have else "wb") as file,
        ):
            advance(have / MEGA)
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                advance(len(chunk) / MEGA)
                _refuse_endless(remote, expected, have, part)
    return have == expected or not expected


def _tag(part: Path) -> Path:
    """Name the file that remembers which version of a file a part is of."""
    return part.with_suffix(".etag")


def _begins_elsewhere(answer: requests.Response, have: int) -> bool:
    """Say whether a server sends another range than it was asked for."""
    return not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _refuse_endless(remote: Remote, expected: int, have: int, part: Path) -> None:
    if have > (expected or MOST_BYTES):
        part.unlink()
        raise DataError(
            f"{remote.url} sends more than the {expected} bytes that it should have. "
            "It is another file now: see the corpus' homepage."
        )


def _verify(remote: Remote, part: Path) -> None:
    """Compare size and digest; throw away what differs."""
    size = part.stat().st_size
    problem = ""
    if remote.size and size != remote.size:
        problem = f"it has {size} bytes instead of {remote.size}"
    elif remote.digest:
        kind, _, expected = remote.digest.partition(":")
        with part.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
        if found != expected:
            problem = f"its {kind} is {found} instead of {expected}"
    if not problem and not zipfile.is_zipfile(part):
        problem = "it is no zip archive, perhaps a web page"
    if problem:
        part.unlink()
        raise DataError(
            f"{remote.url} is not the file that it should be: {problem}. It was thrown "
            "away; see the corpus' homepage."
        )


# ---------------------------------------------------------------- unpacking


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
            f"The archive is damaged ({error}) and was thrown away. Try again."
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
