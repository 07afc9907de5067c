"""Say where a figure rests on one speaker, or on one class a fold; and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.splits.transfer import Division
    from harness.types import Result

FEWEST = 3
"""Speakers that a speaker-independent split needs: one for each part."""


def remarks(division: Division) -> Iterator[str]:
    """Yield what a division lets a figure rest on, a sentence each."""
    for remark in (_thin_parts(division), _single_classes(division)):
        if remark:
            yield remark


def _single_classes(division: Division) -> str:
    """Say how many folds test one class alone."""
    label_of = {u.id: u.label for u in division.manifest.utterances if u.value is None}
    folds = division.split.folds
    tested = [{label_of.get(id) for id in fold.test} for fold in folds]
    alone = sum(len(of) == 1 for of in tested if None not in of)
    if not alone:
        return ""
    each = "Each fold tests" if alone == len(folds) else f"{alone} of {len(folds)} test"
    return (
        f"{each} one class alone, so that macro-F1 averages over no other there: "
        "take --split kfold, or score all folds as one part by 'harness leaderboard "
        "--pooled'."
    )


def _thin_parts(division: Division) -> str:
    """Say which parts of a division have one speaker, in all of its folds together."""
    speaker_of = {u.id: u.speaker for u in division.manifest.utterances}
    folds = division.split.folds
    tested = {speaker_of[id] for fold in folds for id in fold.test}
    valid = {speaker_of[id] for fold in folds for id in fold.valid}
    return _remark(
        {"validation": valid, "test": tested},
        transfer=bool(division.tested),
        speakers=len(set(speaker_of.values())),
    )


def thin_result(result: Result) -> str:
    """Say the same of a result whose split has no other fold."""
    if result.condition.corpus.folds > 1:
        return ""
    parts = {"validation": result.speakers_valid, "test": result.speakers_test}
    speakers = {*result.speakers_train, *result.speakers_valid, *result.speakers_test}
    transfer = bool(result.condition.corpus.tested)
    return _remark(parts, transfer=transfer, speakers=len(speakers))


def _remark(
    parts: Mapping[str, Iterable[str]], *, transfer: bool, speakers: int
) -> str:
    thin = [part for part, voices in parts.items() if len(set(voices)) == 1]
    if not thin:
        return ""
    noun = "parts rest" if len(thin) > 1 else "part rests"
    out = (
        "--split loso, or kfold, averages over all of them"
        if speakers >= FEWEST and not transfer
        else "compare several --split-seed"
    )
    return (
        f"The {' and the '.join(thin)} {noun} on one speaker"
        f"{' each' if len(thin) > 1 else ''}, so another split may score quite "
        f"differently: {out}."
    )
