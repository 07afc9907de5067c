"""The passport of a corpus: what is on this disk, compared with what was published.

A reader that refuses a folder after it has yielded some utterances only adds a problem,
so that the passport lists everything that is there and everything that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.data.manifest import read_manifest
from harness.data.passport.levels import measure_levels
from harness.data.passport.problems import (
    ProblemKind,
    Severity,
    cancelling,
    differences,
    duplicates,
    only_label,
    unread_audio,
    unusable,
)
from harness.data.passport.reading import known_files, read_folder, read_sibling
from harness.data.passport.verdict import (
    Agreement,
    agreement_of,
    matching_variant,
    verdict_on,
)
from harness.errors import DataError
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from harness.data.manifest import Manifest
    from harness.data.passport.levels import Level
    from harness.data.passport.problems import Problem
    from harness.memory import Memory
    from harness.types import Corpus, Stages, Utterance


@dataclass(frozen=True, kw_only=True)
class Passport:
    """A corpus as it is on this disk.

    Attributes:
        manifest: The recordings that can be used.
        levels: Loudness of the manifest's recordings, in their order.
        problems: Sorted by kind, the worst first.
        left_out: Files that are known to be damaged, each as ``path: reason``.
        agreement: How it compares with what was published.
        verdict: The same in sentences; the first word is the agreement.
    """

    manifest: Manifest
    levels: tuple[Level, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...]
    agreement: Agreement
    verdict: str

    @property
    def is_sound(self) -> bool:
        """Whether there is nothing that the user should fix."""
        return all(one.kind.severity is Severity.NOTE for one in self.problems)


def examine(
    corpus: Corpus,
    root: Path,
    memory: Memory,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Read a corpus and every one of its files, and compare it with what was published.

    Args:
        corpus: The corpus.
        root: Its folder.
        memory: Cache of what files hold, so that each is decoded once.
        siblings: Other corpora in the same folder, such as its variants: what they
            read there is not unexpected.
        stages: Progress reporting.

    Raises:
        DataError: Where nothing of the corpus is there.
    """
    found, problems = read_folder(corpus, root)
    others = {other.name: read_sibling(other, root) for other in siblings}
    if not found and problems:
        raise DataError(problems[0].detail + matching_variant(corpus, siblings, others))
    manifest = _manifest_of(corpus, found, root, memory, stages)
    known = known_files(corpus)
    read = {one.path for utterances in (found, *others.values()) for one in utterances}
    read |= {one.path for one in problems if one.kind is ProblemKind.COPY}
    unexpected, left_out = unread_audio(corpus, root, read)
    levels = measure_levels(manifest, memory, stages)
    problems += unusable(manifest)
    problems += cancelling(manifest, levels)
    problems += only_label(manifest)
    problems += duplicates(manifest)
    problems += differences(manifest, known, found, unexpected)
    agreement = agreement_of(corpus, known, problems)
    return Passport(
        manifest=manifest,
        levels=levels,
        problems=tuple(sorted(problems, key=lambda one: one.rank)),
        left_out=tuple(left_out),
        agreement=agreement,
        verdict=verdict_on(manifest, agreement, problems)
        + matching_variant(corpus, siblings, others, found),
    )


def _manifest_of(
    corpus: Corpus,
    found: Sequence[Utterance],
    root: Path,
    memory: Memory,
    stages: Stages,
) -> Manifest:
    """Check the files of utterances that were read already."""
    read_already = replace(corpus, read=lambda root: found)
    manifest = read_manifest(read_already, root, memory, stages=stages)
    return replace(manifest, corpus=corpus)
