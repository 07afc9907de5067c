"""Download a corpus that needs no form: fetch, verify, unpack, check, then keep it.

A partial download stays in the cache and is resumed. An archive that turns out to be
another one is deleted. A corpus' folder is either complete or absent.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.data.download.archive import unpack
from harness.data.download.remote import fetch
from harness.data.passport import examine
from harness.data.passport.problems import Severity
from harness.data.passport.reading import read_folder, read_sibling
from harness.errors import DataError, StoreError
from harness.files import scratch_beside, sweep
from harness.leftovers import DOWNLOADS
from harness.memory import Memory
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from harness.data.download.remote import RemoteArchive
    from harness.data.passport import Passport
    from harness.types import Corpus, Stages


def download(
    corpus: Corpus,
    files: Sequence[RemoteArchive],
    root: Path,
    cache: Path,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Download a corpus; its folder appears when it is complete.

    Args:
        corpus: The corpus.
        files: Its archives.
        root: Its folder (see ``install``).
        cache: Where partial downloads are kept.
        siblings: Its variants.
        stages: Progress reporting.

    Raises:
        DataError: Where the folder is not empty, or the archives hold something else.
        StoreError: Where the disk is full or a folder cannot be written.
    """
    _target(corpus, root, siblings)
    folder = cache / DOWNLOADS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{corpus.name}.lock", timeout=0):
            packed = [fetch(remote, folder, stages=stages) for remote in files]
            with _removing(packed):
                return install(corpus, packed, root, siblings=siblings, stages=stages)
    except Timeout as error:
        raise DataError(
            f"Another process is downloading {corpus.title}. Wait for it."
        ) from error
    except OSError as error:
        raise _unwritable(corpus, folder, error) from error


@contextmanager
def _removing(packed: Sequence[Path]) -> Iterator[None]:
    """Remove archives after they were installed, or refused for what they hold.

    After any other error, such as a full disk, they are kept for the next attempt.
    """
    try:
        yield
    except DataError:
        _remove(packed)
        raise
    _remove(packed)


def install(
    corpus: Corpus,
    packed: Sequence[Path],
    root: Path,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Unpack archives into a corpus' folder, which appears when it is complete.

    Args:
        corpus: The corpus.
        packed: Its archives, which are left as they are.
        root: Its folder; where a variant is already there, one level deeper.
        siblings: Its variants.
        stages: Progress reporting.

    Raises:
        DataError: Where the folder is not empty, or the archives hold something else.
        StoreError: Where the disk is full or a folder cannot be written.
    """

    def fill(fresh: Path) -> None:
        for path in packed:
            unpack(path, fresh, stages=stages)

    return put(corpus, fill, root, siblings=siblings, stages=stages)


def put(
    corpus: Corpus,
    fill: Callable[[Path], None],
    root: Path,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Fill a corpus' folder, which appears when it is complete.

    Args:
        corpus: The corpus.
        fill: Puts its files into an empty folder.
        root: Its folder; where a variant is already there, one level deeper.
        siblings: Its variants.
        stages: Progress reporting.

    Raises:
        DataError: Where the folder is not empty, or is filled with something else.
        StoreError: Where the disk is full or a folder cannot be written.
    """
    root = _target(corpus, root, siblings)
    try:
        with scratch_beside(root) as scratch:
            fresh = scratch / "fresh"
            fresh.mkdir()
            fill(fresh)
            passport = _examine_unpacked(
                corpus, fresh, Memory(scratch / "memory"), stages
            )
            if root.exists():
                root.rmdir()
            fresh.replace(root)
    except OSError as error:
        raise _unwritable(corpus, root, error) from error
    return passport


def _target(corpus: Corpus, root: Path, siblings: Collection[Corpus]) -> Path:
    """Return a folder to install a corpus into, which is absent or empty.

    What interrupted downloads left in it or beside it is removed first.

    Raises:
        DataError: Where there is none.
    """
    for folder in (root.parent, root):
        sweep(folder)
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return root
    deeper = root / corpus.name
    holds_variant = any(read_sibling(other, root) for other in siblings)
    if holds_variant and not read_folder(corpus, root)[0] and not deeper.exists():
        return deeper
    raise DataError(
        f"{root} is not empty. Move it away, or choose another --data-root."
    )


def _remove(packed: Sequence[Path]) -> None:
    for path in packed:
        path.unlink(missing_ok=True)


def _unwritable(corpus: Corpus, place: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot put {corpus.title} at {place}: {error.strerror or error}. Free some "
        "space or fix the folder's permissions; what was downloaded is kept."
    )


def _examine_unpacked(
    corpus: Corpus, fresh: Path, memory: Memory, stages: Stages
) -> Passport:
    """Compare an unpacked archive with the published corpus.

    Raises:
        DataError: Where it differs in more than its authors' own defects.
    """
    try:
        passport = examine(corpus, fresh, memory, stages=stages)
    except DataError as error:
        raise DataError(
            f"The archive holds nothing of {corpus.title}; nothing of it was kept. See "
            "the corpus' homepage."
        ) from error
    differences = [
        problem
        for problem in passport.problems
        if problem.kind.severity is Severity.DIFFERENCE
    ]
    if differences:
        first = differences[0]
        where = ", ".join(filter(None, (first.path, first.detail)))
        raise DataError(
            f"Nothing of the archive was kept. {passport.verdict} The first problem, "
            f"{first.kind}: {where}"
        )
    return passport
