"""What every split must keep, whoever made it: no leak, and the corpus' own ids."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Hashable,
        Iterator,
        Mapping,
        Set,
    )

    from harness.data.manifest import Manifest, Recording
    from harness.types import Fold, Split

    Recordings = Mapping[str, Recording]
    PartOf = Mapping[str, str]


def check(split: Split, manifest: Manifest) -> None:
    """Refuse a split that leaks, or that does not fit the corpus.

    Args:
        split: Made here or read from a file.
        manifest: The whole corpus.

    Raises:
        DataError: Where the corpus has a single label; the same audio, or the same take
            in another form, utterances of one file that overlap or, in a split that is
            speaker-independent, the same speaker are in two parts; a label of valid or
            test is not in train; a part is empty; or the ids are not those of the
            corpus, each once, or where the split leaves some out at most once.
    """
    recordings = {one.utterance.id: one for one in manifest.recordings}
    labels = {one.utterance.label for one in manifest.recordings}
    if len(labels) < 2:
        raise DataError(
            f"'{manifest.corpus.name}' has utterances of one label, "
            f"'{''.join(labels)}': there is nothing to recognise. Add some of another."
        )
    overlaps = list(_overlaps(manifest))
    alike = [pair for pair in manifest.alike if recordings.keys() >= {*pair}]
    for fold in split.folds:
        for problem in _problems(fold, split, recordings, overlaps, alike):
            raise DataError(f"Split '{split.strategy}', fold '{fold.name}': {problem}")


def _problems(
    fold: Fold,
    split: Split,
    recordings: Recordings,
    overlaps: Collection[tuple[str, str]],
    alike: Collection[tuple[str, str]],
) -> Iterator[str]:
    """Say what is wrong with a fold, one sentence each; the first one is enough."""
    yield from _misplaced(fold, recordings.keys(), leaves_out=split.leaves_out)
    part_of = {id: part for part, ids in fold.parts() for id in ids}
    if pair := _in_two_parts(recordings, part_of, lambda one: one.content):
        yield f"the same audio is in {pair}. Remove one of the two files."
    if split.speaker_independent and (
        pair := _in_two_parts(recordings, part_of, lambda one: one.utterance.speaker)
    ):
        yield (
            f"the same speaker is in {pair}. Give all utterances of a speaker to one "
            "part."
        )
    yield from _untrained_labels(fold, recordings, part_of)
    for one, other in alike:
        if part_of[one] != part_of[other]:
            yield (
                f"'{one}' in {part_of[one]} and '{other}' in {part_of[other]} are one "
                "recording in two forms (gain, rate, codec or trim). Remove one of the "
                "two files."
            )
    for one, other in overlaps:
        if part_of[one] != part_of[other]:
            yield (
                f"'{one}' in {part_of[one]} and '{other}' in {part_of[other]} overlap. "
                "Give both to one part, or cut them apart."
            )


def _misplaced(fold: Fold, known: Set[str], *, leaves_out: bool) -> Iterator[str]:
    """Find empty parts, and utterances that are not in one part of the fold."""
    part_of: dict[str, str] = {}
    for part, ids in fold.parts():
        if not ids:
            yield f"{part} is empty. Give it some utterances."
        for id in ids:
            if id not in known:
                yield (
                    f"{part} has '{id}', which is not in the corpus. Make the split "
                    "anew, or use the corpus that it was made for."
                )
            if id in part_of:
                yield (
                    f"'{id}' is in {part_of[id]} and again in {part}. Leave it in one "
                    "of them."
                )
            part_of[id] = part
    if not leaves_out and (missing := sorted(known - part_of.keys())):
        yield (
            f"utterances are in no part: {len(missing)} of {len(known)}, the first is "
            f"'{missing[0]}'. Make the split anew."
        )


def _in_two_parts(
    recordings: Recordings, part_of: PartOf, key: Callable[[Recording], Hashable]
) -> str:
    """Name two recordings with the same key in different parts, if there are any."""
    first: dict[Hashable, str] = {}
    for id, part in part_of.items():
        other = first.setdefault(key(recordings[id]), id)
        if part_of[other] != part:
            return f"{part_of[other]} ('{other}') and in {part} ('{id}')"
    return ""


def _untrained_labels(
    fold: Fold, recordings: Recordings, part_of: PartOf
) -> Iterator[str]:
    """Find utterances whose label train lacks; a number may be a new one."""
    trained = {recordings[id].utterance.label for id in fold.train}
    for id, part in part_of.items():
        utterance = recordings[id].utterance
        label = utterance.label
        if label not in trained and utterance.value is None:
            yield (
                f"label '{label}' of {part} ('{id}') is not in train. Give some of its "
                "utterances to train, or leave it out."
            )


def _overlaps(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Find utterances of one file that overlap, each with what began before it.

    A copy of a file is the same one, whatever its name and container.
    Of what began before it, the one that lasts longest is enough: where all such pairs
    are in one part, so are all that overlap.
    """
    spans = sorted(
        (
            r.source or r.sha256,
            r.utterance.start,
            r.utterance.end or inf,
            r.utterance.id,
        )
        for r in manifest.recordings
    )
    longest = ("", 0.0, 0.0, "")
    for span in spans:
        (file, start, end, id), (other_file, _, other_end, other) = span, longest
        if file == other_file and start < other_end:
            yield other, id
            if end <= other_end:
                continue
        longest = span
