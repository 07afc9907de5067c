"""Read a corpus as far as its plugin can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data.passport.problems import Problem, ProblemKind, printable
from harness.errors import DataError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.types import Corpus, KnownFile, Utterance


def read_folder(corpus: Corpus, root: Path) -> tuple[list[Utterance], list[Problem]]:
    """Read what a corpus' reader yields before it refuses the folder, if it does.

    Returns:
        The utterances, each id once, and problems of the kinds ``COPY`` and
        ``REFUSAL``; nothing where there is no folder.
    """
    if not root.is_dir():
        return [], []
    found: dict[str, Utterance] = {}
    problems = []
    try:
        for utterance in corpus.read(root):
            first = found.setdefault(utterance.id, utterance)
            if first is not utterance:
                problems.append(
                    Problem(
                        kind=ProblemKind.COPY,
                        path=printable(utterance.path),
                        detail=f"the same utterance as '{printable(first.path)}'",
                    )
                )
    except DataError as error:
        detail = printable(str(error))
        problems.append(Problem(kind=ProblemKind.REFUSAL, path="", detail=detail))
    return list(found.values()), problems


def read_sibling(corpus: Corpus, root: Path) -> list[Utterance]:
    """Read another corpus in the same folder, or nothing where its plugin fails."""
    try:
        return read_folder(corpus, root)[0]
    except PluginError:  # reported when that corpus itself is used
        return []


def known_files(corpus: Corpus) -> Mapping[str, KnownFile]:
    """Return the published list of a corpus' files, by id; empty if there is none."""
    return corpus.files() if corpus.files else {}


def known_files_of_sibling(corpus: Corpus) -> Mapping[str, KnownFile]:
    """Return another corpus' list of files, or nothing where its plugin fails."""
    try:
        return known_files(corpus)
    except PluginError:  # reported when that corpus itself is used
        return {}
