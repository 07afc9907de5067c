"""Corpora that are synthesised when they are first needed, such as ``demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.files import scratch_beside

if TYPE_CHECKING:
    from pathlib import Path

    from harness.types import Corpus


def synthesise(corpus: Corpus, root: Path) -> None:
    """Synthesise a corpus into its folder, unless the folder exists.

    The folder appears when it is complete. Several processes may do this at once: the
    first one to finish wins. Nothing happens for a corpus that cannot be synthesised.

    Raises:
        StoreError: Where the disk is full or the folder above cannot be written.
    """
    if corpus.make is None or root.exists():
        return
    try:
        with scratch_beside(root) as scratch:
            fresh = scratch / "fresh"
            fresh.mkdir()
            corpus.make(fresh)
            _rename(fresh, root)
    except OSError as error:
        raise StoreError(
            f"Cannot synthesise corpus '{corpus.base}' at {root}: "
            f"{error.strerror or error}. Free some space there, or choose another "
            "folder with --cache or --data-root."
        ) from error


def _rename(fresh: Path, root: Path) -> None:
    """Rename a finished folder into place, unless another process was faster."""
    try:
        fresh.replace(root)
    except OSError:
        if not root.exists():
            raise
