"""How a corpus on this disk compares with what was published, in sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.data.passport.problems import ORDER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.data.manifest import Manifest
    from harness.data.passport.problems import Problem
    from harness.types import Claim, Corpus, KnownFile, Utterance


def verdict_on(
    manifest: Manifest, known: Mapping[str, KnownFile], problems: Sequence[Problem]
) -> str:
    """Compare with the known versions, and with what others say of the corpus."""
    corpus, number = manifest.corpus, len(manifest.utterances)
    title = f"{corpus.title} ({corpus.version})"
    kinds = Counter(problem.kind for problem in problems)
    wrong = [f"{kinds[kind]} {kind}" for kind in ORDER[:-1] if kinds[kind]]
    if wrong and not (known or corpus.counts or corpus.versions):
        words = (
            f"unknown: nothing is known to compare {title} with; {', '.join(wrong)}."
        )
    elif wrong:
        words = f"different: this is not {title} as published: {', '.join(wrong)}."
        words += _version_of_that_size(corpus, number)
    elif known and all(file.sha256 for file in known.values()):
        words = f"verified: all {number} files of {title}, byte for byte."
    elif known:
        words = f"complete: all {number} files of {title}, by name."
    elif corpus.counts:
        words = f"counted: as many utterances of each label as {title} has."
    elif corpus.versions:
        words = f"counted: as many utterances as {title} has."
    else:
        words = f"unknown: nothing is known to compare {title} with."
    claims = (judged(claim, number, len(manifest.labels)) for claim in corpus.claims)
    return " ".join((words, *claims))


def _version_of_that_size(corpus: Corpus, number: int) -> str:
    others = [
        version
        for version, count in corpus.versions.items()
        if count == number and version != corpus.version
    ]
    return f" Version '{others[0]}' has {number} utterances." if others else ""


def judged(claim: Claim, utterances: int, labels: int, here: str = "here") -> str:
    """Say whether a claim about a corpus holds for what is there, and why it may not.

    Args:
        claim: What somebody says.
        utterances: How many there are.
        labels: How many different ones.
        here: Where that is.
    """
    size = f"{claim.utterances} utterances of {claim.labels} labels"
    if (utterances, labels) == (claim.utterances, claim.labels):
        return f"{claim.source} has as many: {size}."
    ours = f"{here} are {utterances} of {labels}"
    return f"{claim.source} has {size}; {ours}. {claim.because}".strip()


def other_name(
    corpus: Corpus,
    siblings: Collection[Corpus],
    read: Mapping[str, Sequence[Utterance]],
    found: Sequence[Utterance] = (),
) -> str:
    """Say which other corpus the folder really is, if it is one."""
    mine = {utterance.id for utterance in found}
    for other in siblings:
        ids = {utterance.id for utterance in read[other.name]}
        is_whole = ids and ids == _known_ids(other)
        if is_whole and ids != _known_ids(corpus) and mine in (ids, set()):
            return f" These are the files of '{other.name}': ask for that."
    return ""


def _known_ids(corpus: Corpus) -> set[str]:
    return set(corpus.files()) if corpus.files else set()
