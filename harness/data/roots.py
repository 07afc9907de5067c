"""Where corpora lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.registry import Registry
    from harness.types import Corpus


def corpus_root(
    corpus: Corpus, registry: Registry, *, data_root: Path, cache: Path
) -> Path:
    """Say where a corpus lies: a plugin may answer, else below the data root.

    A variant such as ``oreau@v2`` lies in the folder of ``oreau``.
    """
    answer: Path | None = registry.hook.harness_corpus_root(corpus=corpus, cache=cache)
    return answer or data_root / corpus.name.partition("@")[0]
