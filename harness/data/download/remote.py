"""Files on servers: asked for, fetched from where they broke off, and verified."""

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

from harness.data.download.archive import CHUNK, MEGA, MOST_BYTES
from harness.errors import DataError
from harness.files import sha256_bytes
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from harness.types import Archive, Stages

ATTEMPTS = 5
"""How often a connection may break off before the user must ask again."""
WAIT = 1.0
"""Seconds before the second attempt; each later one waits as much longer."""
TIMEOUT = (15.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""


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
