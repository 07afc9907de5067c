"""Manifests of utterances whose audio does not exist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import Corpus, Utterance
from harness.data.manifest import Manifest, Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEEPS = Corpus(
    name="beeps",
    title="Beeps",
    version="1.0",
    languages=("x-beeps",),
    labels=tuple("abcd"),
    licence="CC0-1.0",
    homepage="",
    citation="",
    obtain="",
    read=lambda root: (),
)


def manifest_of(
    utterances: Iterable[Utterance],
    contents: Mapping[str, str] | None = None,
    corpus: Corpus = BEEPS,
) -> Manifest:
    """Build a manifest; where no contents are given, no two are the same."""
    contents = contents or {}
    recordings = [
        Recording(
            utterance=one,
            path=Path(corpus.name, one.path),
            sha256=f"file {corpus.name} {one.path}",
            content=contents.get(one.id, f"content of {one.id}"),
            rate=16_000,
            channels=1,
            seconds=1.0,
            peak=0.5,
        )
        for one in utterances
    ]
    return Manifest(corpus, Path(corpus.name), tuple(recordings))
