"""The description of a corpus, for which the corpus need not be on this machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.passport.forms import describe_intensities, intensities
from harness.data.passport.reading import (
    known_files,
    known_files_of_sibling,
    read_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.types import Corpus, Utterance


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """What a corpus' reader finds on this machine, audio unopened.

    Attributes:
        root: The corpus' folder, which may not exist.
        utterances: What is read there.
        problem: Why the folder is not the corpus, or empty.
    """

    root: Path
    utterances: Sequence[Utterance]
    problem: str = ""

    @classmethod
    def of(cls, corpus: Corpus, root: Path) -> OnDisk:
        """Read a corpus' folder."""
        utterances, problems = read_folder(corpus, root)
        problem = problems[0].detail if problems else ""
        return cls(root=root, utterances=utterances, problem=problem)

    def __str__(self) -> str:
        """Return a sentence for ``harness corpus info``."""
        if not self.root.is_dir():
            return f"not at {self.root}"
        number = f"{len(self.utterances)} utterances in {self.root}"
        return f"{number}; {self.problem}" if self.problem else number


def describe(corpus: Corpus, on_disk: OnDisk) -> dict[str, object]:
    """Return the description of a corpus as a JSON value."""
    others = {v: n for v, n in corpus.versions.items() if v != corpus.version}
    size = corpus.versions.get(corpus.version)
    download = f" Or: harness corpus download {corpus.name}" if corpus.archives else ""
    return {
        "corpus": corpus.name,
        "title": corpus.title,
        "version": corpus.version + (f", {size} utterances" if size else ""),
        "other versions": "; ".join(f"{v}: {n} utterances" for v, n in others.items())
        or "none known",
        "languages": ", ".join(corpus.languages),
        "licence": corpus.licence,
        "homepage": corpus.homepage,
        "citation": corpus.citation,
        "how to get it": corpus.obtain + download,
        "defects": "; ".join(f"{id} {what}" for id, what in corpus.defects.items())
        or "none known beyond those described above",
        "labels": {label: corpus.counts.get(label) for label in corpus.labels},
        "claims": [vars(claim) for claim in corpus.claims],
        "on this machine": str(on_disk),
        "intensities": intensities(on_disk.utterances),
    }


def description_rows(corpus: Corpus, on_disk: OnDisk) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table that describes a corpus."""
    for key, value in describe(corpus, on_disk).items():
        if isinstance(value, str):
            yield key, value
    if on_disk.utterances:
        yield "intensities", describe_intensities(on_disk.utterances)


def side_by_side(
    corpus: Corpus, siblings: Sequence[Corpus]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the columns and rows of a table that compares variants of a corpus."""
    listed = {other.name: known_files_of_sibling(other) for other in siblings}
    listed[corpus.name] = known_files(corpus)
    variants = sorted([corpus, *siblings], key=lambda variant: variant.name)
    labels = sorted({label for variant in variants for label in variant.labels})
    files = [list(listed[variant.name].values()) for variant in variants]
    parts = [Counter(file.part for file in known) for known in files]
    rows = [
        ("version", *(one.version for one in variants)),
        *(
            (label, *(str(one.counts.get(label, "–")) for one in variants))
            for label in labels
        ),
        ("all", *(str(one.versions.get(one.version, "–")) for one in variants)),
        ("speakers", *(str(len({f.speaker for f in one}) or "–") for one in files)),
        *(
            (f"published {part}", *(str(count[part] or "–") for count in parts))
            for part in ("train", "valid", "test")
        ),
    ]
    return ("corpus", *(one.name for one in variants)), rows
