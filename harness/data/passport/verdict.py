"""How a corpus on this disk compares with what was published, in sentences."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.data.passport.problems import ProblemKind, Severity
from harness.data.passport.reading import known_files_of_sibling

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.data.manifest import Manifest
    from harness.data.passport.problems import Problem
    from harness.types import Claim, Corpus, KnownFile, Utterance


class Agreement(StrEnum):
    """How certain it is that a corpus on disk is the published one.

    Attributes:
        VERIFIED: Every file is the published one, byte for byte.
        COMPLETE: Every file is there, by name.
        COUNTED: There are as many utterances as were published.
        UNKNOWN: Nothing is known to compare it with.
        DIFFERENT: It differs from what was published.
    """

    VERIFIED = "verified"
    COMPLETE = "complete"
    COUNTED = "counted"
    UNKNOWN = "unknown"
    DIFFERENT = "different"


def agreement_of(
    corpus: Corpus, known: Mapping[str, KnownFile], problems: Sequence[Problem]
) -> Agreement:
    """Return how far a corpus agrees with what was published.

    Args:
        corpus: The corpus.
        known: The published list of its files; may be empty.
        problems: What is wrong with its folder.
    """
    if not (known or corpus.counts or corpus.versions):
        return Agreement.UNKNOWN
    if any(problem.kind.severity is not Severity.NOTE for problem in problems):
        return Agreement.DIFFERENT
    if not known:
        return Agreement.COUNTED
    has_hashes = all(file.sha256 for file in known.values())
    return Agreement.VERIFIED if has_hashes else Agreement.COMPLETE


def verdict_on(
    manifest: Manifest, agreement: Agreement, problems: Sequence[Problem]
) -> str:
    """Return the verdict in sentences: the agreement, and each claim about the size."""
    corpus, number = manifest.corpus, len(manifest.utterances)
    first = f"{agreement}: {_comparison(corpus, number, agreement, problems)}"
    claims = (
        compare_claim(claim, number, len(manifest.labels)) for claim in corpus.claims
    )
    return " ".join((first, *claims))


def _comparison(
    corpus: Corpus, number: int, agreement: Agreement, problems: Sequence[Problem]
) -> str:
    """Return what was compared with the published corpus, as a sentence."""
    title = f"{corpus.title} ({corpus.version})"
    match agreement:
        case Agreement.VERIFIED:
            return f"all {number} files of {title}, byte for byte."
        case Agreement.COMPLETE:
            return f"all {number} files of {title}, by name."
        case Agreement.COUNTED:
            each = " of each label" if corpus.counts else ""
            return f"as many utterances{each} as {title} has."
        case Agreement.UNKNOWN:
            wrong = _number_of_each_kind(problems)
            listing = f"; {wrong}" if wrong else ""
            return f"nothing is known to compare {title} with{listing}."
        case Agreement.DIFFERENT:
            wrong = _number_of_each_kind(problems)
            other = _version_of_that_size(corpus, number)
            return f"this is not {title} as published: {wrong}.{other}"


def _number_of_each_kind(problems: Sequence[Problem]) -> str:
    """Return how many problems of each kind there are, without mere notes."""
    numbers = Counter(problem.kind for problem in problems)
    return ", ".join(
        f"{numbers[kind]} {kind}"
        for kind in ProblemKind
        if numbers[kind] and kind.severity is not Severity.NOTE
    )


def _version_of_that_size(corpus: Corpus, number: int) -> str:
    others = [
        version
        for version, count in corpus.versions.items()
        if count == number and version != corpus.version
    ]
    return f" Version '{others[0]}' has {number} utterances." if others else ""


def compare_claim(
    claim: Claim, utterances: int, labels: int, here: str = "here"
) -> str:
    """Return whether a published size is that of the corpus, and why it may not be.

    Args:
        claim: The published size.
        utterances: Number of utterances of the corpus.
        labels: Number of its labels.
        here: Where the corpus' own size comes from.
    """
    size = f"{claim.utterances} utterances of {claim.labels} labels"
    if (utterances, labels) == (claim.utterances, claim.labels):
        return f"{claim.source} has as many: {size}."
    actual = f"{here} are {utterances} of {labels}"
    return f"{claim.source} has {size}; {actual}. {claim.because}".strip()


def matching_variant(
    corpus: Corpus,
    siblings: Collection[Corpus],
    read: Mapping[str, Sequence[Utterance]],
    found: Sequence[Utterance] = (),
) -> str:
    """Return a sentence with the corpus whose files these are, if it is another one.

    Args:
        corpus: The corpus that the user named.
        siblings: Other corpora in the same folder.
        read: What each sibling reads there, by its name.
        found: What ``corpus`` reads there.
    """
    own = _known_ids(corpus)
    here = {utterance.id for utterance in found}
    for other in siblings:
        ids = {utterance.id for utterance in read[other.name]}
        is_complete = ids and ids == _known_ids(other)
        if is_complete and ids != own and here in (ids, set()):
            return f" These are the files of '{other.name}': use that name."
    return ""


def _known_ids(corpus: Corpus) -> set[str]:
    return set(known_files_of_sibling(corpus))
