"""A part of a corpus for a first try, spread over labels and speakers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.types import Utterance


def spread(utterances: Sequence[Utterance], limit: int | None) -> list[Utterance]:
    """Keep so many utterances, in their order.

    Labels take turns, within a label speakers do, and within both the ids are in their
    order: what is kept depends on the corpus and the number alone.
    """
    if limit is None or limit >= len(utterances):
        return list(utterances)
    of_label: dict[str, list[Utterance]] = defaultdict(list)
    for one in utterances:
        of_label[one.label].append(one)
    turns = [in_turn(of_label[label]) for label in sorted(of_label)]
    ranked = sorted(
        (rank, place, one.id)
        for place, of in enumerate(turns)
        for rank, one in enumerate(of)
    )
    kept = {id for _, _, id in ranked[:limit]}
    return [one for one in utterances if one.id in kept]


def in_turn(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Order the utterances of a label so that speakers take turns."""
    seen: dict[str, int] = defaultdict(int)
    ranked = []
    for one in sorted(utterances, key=lambda one: one.id):
        ranked.append((seen[one.speaker], one.speaker, one.id, one))
        seen[one.speaker] += 1
    return [one for *_, one in sorted(ranked, key=lambda row: row[:3])]
