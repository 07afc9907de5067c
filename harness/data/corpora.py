"""The corpora of this machine, by name, with their plugins isolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.isolation import guarded
from harness.data.manifest import read_manifest
from harness.data.passport import examine
from harness.data.synthesis import synthesise
from harness.errors import DataError
from harness.memory import FOLDER, Memory
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.data.manifest import Manifest
    from harness.data.passport import Passport
    from harness.registry import Registry
    from harness.types import Corpus, Stages


@dataclass(frozen=True, kw_only=True)
class LocalCorpora:
    """The corpora that plugins offer, and where this machine keeps them.

    Attributes:
        registry: Everything that the plugins offer.
        data_root: The folder with one folder a corpus.
        cache: A folder that may be written to.
        stages: Progress reporting.
    """

    registry: Registry
    data_root: Path
    cache: Path
    stages: Stages = silence

    def __iter__(self) -> Iterator[Corpus]:
        """Yield every corpus, sorted by name."""
        return (self[corpus.name] for corpus in self.registry.corpora)

    def __getitem__(self, name: str) -> Corpus:
        """Return the corpus of a name, or raise ``UnknownNameError``."""
        corpora = self.registry.corpora
        return guarded(corpora[name], corpora.plugin(name))

    def siblings(self, corpus: Corpus) -> list[Corpus]:
        """List the other variants of a corpus, which are in the same folder."""
        return [
            other
            for other in self
            if other.base == corpus.base and other.name != corpus.name
        ]

    def folder(self, corpus: Corpus) -> Path:
        """Return where a corpus lies, or will lie: variants share a folder.

        A plugin may say where; a relative answer, or none, is below the data root.
        """
        answer: Path | None = self.registry.hook.harness_corpus_root(
            corpus=corpus, cache=self.cache
        )
        return self.data_root / (answer or corpus.base)

    def root(self, corpus: Corpus) -> Path:
        """Return the folder of a corpus, synthesised where that is possible."""
        root = self.folder(corpus)
        synthesise(corpus, root)
        return root

    def manifest(self, corpus: Corpus) -> Manifest:
        """Read a corpus and every one of its files (see ``read_manifest``)."""
        memory = Memory(self.cache / FOLDER)
        return read_manifest(corpus, self.root(corpus), memory, stages=self.stages)

    def passport(self, corpus: Corpus) -> Passport:
        """Read a corpus and every one of its files (see ``examine``)."""
        return examine(
            corpus,
            self.root(corpus),
            Memory(self.cache / FOLDER),
            siblings=self.siblings(corpus),
            stages=self.stages,
        )

    def is_complete(self, corpus: Corpus) -> bool:
        """Return whether a corpus is there and nothing of it needs fixing."""
        try:
            return self.passport(corpus).is_sound
        except DataError:
            return False
