"""The passport of a corpus: what is on this disk, and how far it is what was published.

Reading stops at nothing: a reader that refuses a folder after it gave what it knows
only adds a problem, so that a person sees all that is there and all that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.data.manifest import read_manifest
from harness.data.passport.levels import levels_of
from harness.data.passport.problems import (
    ORDER,
    collect,
    compared,
    duplicates,
    strangers_in,
    unusable,
)
from harness.data.passport.verdict import other_name, verdict_on
from harness.errors import DataError
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harness.data.manifest import Manifest
    from harness.data.passport.levels import Level
    from harness.data.passport.problems import Problem
    from harness.files import Memory
    from harness.types import Corpus, Stages


@dataclass(frozen=True, kw_only=True)
class Passport:
    """A corpus as it was found.

    Attributes:
        manifest: What can be used of it.
        levels: Of the manifest's recordings, in their order.
        problems: Sorted by kind, the worst first.
        left_out: Files that are there and known to be broken, with the reason.
        verdict: How it compares with what was published, in sentences; the first
            word is ``verified`` (byte for byte), ``complete`` (by name), ``counted``
            (by number), ``unknown`` (nothing to compare with) or ``different``.
    """

    manifest: Manifest
    levels: tuple[Level, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...]
    verdict: str

    @property
    def is_sound(self) -> bool:
        """Say whether there is nothing that the user should mend."""
        return all(problem.kind == "duplicate" for problem in self.problems)


def examine(
    corpus: Corpus,
    root: Path,
    memory: Memory,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Read a corpus and every one of its files, and compare it with what is known.

    Args:
        corpus: Its description.
        root: Its folder.
        memory: Remembers what files hold, so that they are decoded once.
        siblings: Other corpora that lie in the same folder, such as its variants:
            what they read is no stranger there.
        stages: Told of the progress.

    Raises:
        DataError: Where nothing of the corpus is there.
    """
    found, problems = collect(corpus, root)
    others = {other.name: collect(other, root)[0] for other in siblings}
    if not found and problems:
        raise DataError(problems[0].detail + other_name(corpus, siblings, others))
    lenient = replace(corpus, read=lambda root: found)
    manifest = read_manifest(lenient, root, memory, stages=stages)
    manifest = replace(manifest, corpus=corpus)
    problems += unusable(manifest)
    problems += duplicates(manifest)
    read = {u.path for these in (found, *others.values()) for u in these}
    read |= {one.path for one in problems if one.kind == "copy"}
    strangers, left_out = strangers_in(corpus, root, read)
    known = corpus.files() if corpus.files else {}
    problems += compared(manifest, known, found, strangers)
    problems.sort(key=lambda one: ORDER.index(one.kind))
    return Passport(
        manifest=manifest,
        levels=levels_of(manifest, memory, stages),
        problems=tuple(problems),
        left_out=tuple(left_out),
        verdict=verdict_on(manifest, known, problems)
        + other_name(corpus, siblings, others, found),
    )
