"""Archives on servers: list them, download them resumably, and verify them."""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.data.download.archive import CHUNK, MAX_BYTES, MEGA
from harness.errors import DataError
from harness.files import sha256_bytes
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from harness.types import Archive, Corpus, Stages

ATTEMPTS = 5
"""Connections that may break off before the user must start the command again."""

WAIT = 1.0
"""Seconds before the second attempt; each later wait is as much longer."""

TIMEOUT = (15.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""

ZENODO_RECORD = "/api/records/"
"""What the address of a record's description contains."""

RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, kw_only=True)
class RemoteArchive:
    """A zip on a server.

    Attributes:
        url: Its address.
        name: Its file name.
        size: Size in bytes, or 0 where the server does not report it.
        digest: ``md5:…`` or ``sha256:…`` of its bytes, or empty.
    """

    url: str
    name: str
    size: int
    digest: str


def published_archives(corpus: Corpus, root: Path) -> tuple[Archive, ...]:
    """Return the downloads of a corpus.

    Raises:
        DataError: Where there are none, with how to get the corpus instead.
    """
    if not corpus.archives:
        raise DataError(
            f"{corpus.title} cannot be downloaded by a program: it needs a form, or "
            f"has no direct address. {corpus.obtain} Its folder is {root}; a zip is "
            f"unpacked there by 'harness corpus download {corpus.name} --from ZIP', "
            "and files that were unpacked by hand are checked by 'harness corpus check "
            f"{corpus.name}'."
        )
    return corpus.archives


def remote_archives(archives: Sequence[Archive]) -> list[RemoteArchive]:
    """List the files behind some downloads, with the sizes that the servers report.

    Raises:
        DataError: Where a server cannot be reached, or does not have them.
    """
    return [remote for archive in archives for remote in _files_of(archive)]


def _files_of(archive: Archive) -> Iterator[RemoteArchive]:
    """Yield the one file of a plain address, or the chosen ones of a record."""
    if ZENODO_RECORD in archive.url:
        yield from _files_of_record(archive)
        return
    yield RemoteArchive(
        url=archive.url,
        name=PurePosixPath(unquote(urlsplit(archive.url).path)).name,
        size=archive.size or _size(archive.url),
        digest=f"sha256:{archive.sha256}" if archive.sha256 else "",
    )


def _files_of_record(archive: Archive) -> Iterator[RemoteArchive]:
    """Yield the files of a Zenodo record whose names match.

    Raises:
        DataError: Where no name does.
    """
    chosen = [
        file
        for file in _record(archive.url)
        if re.fullmatch(archive.only, unicodedata.normalize("NFC", file["key"]))
    ]
    if not chosen:
        raise DataError(
            f"{archive.url} has no file '{archive.only}' any more. See its web page."
        )
    for file in chosen:
        yield RemoteArchive(
            url=file["links"]["self"],
            name=file["key"],
            size=file["size"],
            digest=file["checksum"],
        )


def _record(url: str) -> list[dict[str, Any]]:
    """Read Zenodo's description of a record's files."""
    with _request("GET", url) as answer:
        try:
            files: list[dict[str, Any]] = answer.json()["files"]
            for file in files:
                _ = file["key"], file["links"]["self"], file["size"], file["checksum"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{url} does not list files as Zenodo does. Download them by hand."
            ) from error
    return files


def _size(url: str) -> int:
    """Return a file's size in bytes, or 0 where the server does not report it."""
    try:
        with _request("HEAD", url) as answer:
            return int(answer.headers.get("Content-Length", 0))
    except DataError:  # some servers answer GET alone; the download reports errors
        return 0


def _request(method: str, url: str, **headers: str) -> requests.Response:
    """Send a request.

    Raises:
        DataError: Where there is no answer, or one with an error status.
    """
    import requests

    from harness import __version__

    fixed = {
        "User-Agent": f"speech-harness/{__version__}",
        "Accept-Encoding": "identity",  # else lengths are those of compressed bytes
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
    if answer.status_code >= 400 and answer.status_code != RANGE_NOT_SATISFIABLE:
        answer.close()
        raise DataError(
            f"{url} answers {answer.status_code} {answer.reason}. It may have moved: "
            "see the corpus' homepage."
        )
    return answer


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error, on one line."""
    while error.__context__ is not None:
        error = error.__context__
    return (getattr(error, "strerror", None) or str(error)).strip(".")


def fetch(remote: RemoteArchive, folder: Path, *, stages: Stages = silence) -> Path:
    """Download a file, resuming an earlier attempt, and verify it.

    Returns:
        Its path: in ``folder``, under a name derived from its address and digest.

    Raises:
        DataError: Where the connection breaks off too often, or the file's size,
            digest or form is not the expected one.
    """
    stem = sha256_bytes(remote.url.encode(), remote.digest.encode())[:12]
    part, complete = folder / f"{stem}.part", folder / f"{stem}.zip"
    if not complete.exists():
        _fetch_all(remote, part, stages)
        _verify(remote, part)
        part.replace(complete)
        _etag_file(part).unlink(missing_ok=True)
    return complete


def _fetch_all(remote: RemoteArchive, part: Path, stages: Stages) -> None:
    """Resume the download until the file is complete."""
    from requests import RequestException

    problem = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * WAIT)
        try:
            if _fetch_rest(remote, part, stages):
                return
            problem = "it ended before the file was complete"
        except RequestException as error:
            problem = _reason(error)
    raise DataError(
        f"{remote.url} broke off {ATTEMPTS} times ({problem}). What was downloaded is "
        "kept; the same command resumes it."
    )


def _fetch_rest(remote: RemoteArchive, part: Path, stages: Stages) -> bool:
    """Download the rest of a file; return whether it is complete."""
    have = part.stat().st_size if part.exists() else 0
    tag = _etag_file(part).read_text("ascii") if _etag_file(part).exists() else ""
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and tag:
        headers["If-Range"] = tag
    with _request("GET", remote.url, **headers) as answer:
        if answer.status_code == RANGE_NOT_SATISFIABLE:  # complete, or another file
            if have != remote.size:
                part.unlink()
            return have == remote.size
        if answer.status_code != 206 or _starts_elsewhere(answer, have):
            have = 0
        expected = remote.size or have + int(answer.headers.get("Content-Length", 0))
        _etag_file(part).write_text(answer.headers.get("ETag", ""), "ascii", "replace")
        with (
            stages(f"downloading {remote.name}", expected / MEGA, "MB") as advance,
            part.open("ab" if have else "wb") as file,
        ):
            advance(have / MEGA)
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                advance(len(chunk) / MEGA)
                _refuse_excess(remote, expected, have, part)
    return have == expected or not expected


def _etag_file(part: Path) -> Path:
    """Return the path of the file with the ``ETag`` of a partial download."""
    return part.with_suffix(".etag")


def _starts_elsewhere(answer: requests.Response, have: int) -> bool:
    """Return whether a server sends another range than the requested one."""
    return not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _refuse_excess(remote: RemoteArchive, expected: int, have: int, part: Path) -> None:
    """Raise ``DataError`` where a server sends more than it should."""
    if have > (expected or MAX_BYTES):
        part.unlink()
        raise DataError(
            f"{remote.url} sends more than the expected {expected} bytes. It is "
            "another file now: see the corpus' homepage."
        )


def _verify(remote: RemoteArchive, part: Path) -> None:
    """Compare size, digest and form with the expected ones; delete what differs.

    Raises:
        DataError: Where one of them differs.
    """
    problem = _mismatch(remote, part)
    if not problem and not zipfile.is_zipfile(part):
        problem = "it is no zip archive, perhaps a web page"
    if problem:
        part.unlink()
        raise DataError(
            f"{remote.url} is not the expected file: {problem}. It was deleted; see "
            "the corpus' homepage."
        )


def _mismatch(remote: RemoteArchive, part: Path) -> str:
    """Return how size or digest differ from the expected ones, or nothing."""
    size = part.stat().st_size
    if remote.size and size != remote.size:
        return f"it has {size} bytes instead of {remote.size}"
    if not remote.digest:
        return ""
    algorithm, _, expected = remote.digest.partition(":")
    with part.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    return f"its {algorithm} is {found} instead of {expected}" * (found != expected)
