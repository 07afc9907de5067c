"""Get a corpus that needs no form: fetch, verify, unpack, check, and only then keep.

What breaks off is kept in the cache and goes on from there; what turns out to be
something else is thrown away. A corpus' folder is either complete or not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.data.download.archive import unpack
from harness.data.download.remote import fetch
from harness.data.passport import examine
from harness.data.passport.problems import collect
from harness.errors import DataError, StoreError
from harness.files import Memory, scratch_beside
from harness.leftovers import DOWNLOADS
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from harness.data.download.remote import Remote
    from harness.data.passport import Passport
    from harness.types import Corpus, Stages

HARMLESS = ("unusable", "duplicate")
"""Problems that a corpus may have as its authors published it."""


def get(
    corpus: Corpus,
    files: Sequence[Remote],
    root: Path,
    cache: Path,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Download a corpus; its folder appears when it is complete.

    Args:
        corpus: Its description.
        files: What it comes as.
        root: Where it shall be (see ``install``).
        cache: Where unfinished downloads wait to be gone on with.
        siblings: Its variants.
        stages: Told of the progress.

    Raises:
        DataError: Where something is there already, or what came is not the corpus.
        StoreError: Where the disk is full or a folder cannot be written.
    """
    _free_place(corpus, root, siblings)
    folder = cache / DOWNLOADS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{corpus.name}.lock", timeout=0):
            packed = [fetch(remote, folder, stages=stages) for remote in files]
            try:
                passport = install(
                    corpus, packed, root, siblings=siblings, stages=stages
                )
            except DataError:
                _remove(packed)
                raise
            _remove(packed)
    except Timeout as error:
        raise DataError(
            f"Another process is downloading {corpus.title}. Wait for it."
        ) from error
    except OSError as error:
        raise _unwritable(corpus, folder, error) from error
    return passport


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
        corpus: Its description.
        packed: Its archives, which are left as they are.
        root: Where it shall be; beside a variant that is there already, one deeper.
        siblings: Its variants.
        stages: Told of the progress.

    Raises:
        DataError: Where something is there already, or this is not the corpus.
        StoreError: Where the disk is full or a folder cannot be written.
    """
    root = _free_place(corpus, root, siblings)
    try:
        with scratch_beside(root) as scratch:
            fresh = scratch / "fresh"
            fresh.mkdir()
            for path in packed:
                unpack(path, fresh, stages=stages)
            passport = _checked(corpus, fresh, Memory(scratch / "memory"), stages)
            if root.exists():
                root.rmdir()
            fresh.replace(root)
    except OSError as error:
        raise _unwritable(corpus, root, error) from error
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


def _unwritable(corpus: Corpus, place: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot put {corpus.title} at {place}: {error.strerror or error}. Make room "
        "or mend the folder's permissions; what was fetched is kept."
    )


def _checked(corpus: Corpus, fresh: Path, memory: Memory, stages: Stages) -> Passport:
    """See that a folder is the corpus as it is known."""
    try:
        passport = examine(corpus, fresh, memory, stages=stages)
    except DataError as error:
        raise DataError(
            f"The archive holds nothing of {corpus.title}; nothing of it was kept. See "
            "the corpus' homepage."
        ) from error
    wrong = [one for one in passport.problems if one.kind not in HARMLESS]
    if wrong:
        first = ", ".join(filter(None, (wrong[0].path, wrong[0].detail)))
        raise DataError(
            f"Nothing of the archive was kept. {passport.verdict} The first problem, "
            f"{wrong[0].kind}: {first}"
        )
    return passport
