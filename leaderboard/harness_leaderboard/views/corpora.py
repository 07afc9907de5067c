"""The view ``corpora``: what was read of each, as in the paper's Table 1."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.training.metrics import ccc
from harness.types import PARTS, Entry, Table
from harness_leaderboard import published
from harness_leaderboard.analysis.facets import USUAL, title, words
from harness_leaderboard.analysis.places import placed
from harness_leaderboard.render.entries import NOTHING, number, word
from harness_leaderboard.results.columns import KEYS, scored

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question

NUMBERS = scored(ccc)
"""The column that results of numbers have a value in; their labels are bins."""
COUNTED = (
    *("labels", "skipped", NUMBERS),
    *(f"n_{part}" for part in PARTS),
    *(f"speakers_{part}" for part in PARTS),
)
COLUMNS = (*KEYS, *COUNTED)
VARIANT = r"@[\w-]+$"
"""Of a corpus' name: a variant stands beside the figures of its corpus."""

Read = tuple[str, str, str, str, str]
"""A corpus as it was read: its name, target, languages, version, hash of its data."""


def corpora(runs: pa.Table, question: Question) -> Table:
    """Show what was really read of each corpus."""
    printed = {row.corpus: row for row in published.corpora()}
    source = f"Published: {published.CITATION}, Table 1."
    notes = {source: None} if question.against else {}
    body = []
    read = _firsts(runs)
    targets = {target for (_, target, *_), *_ in read} != {USUAL}
    for (name, target, language, version, data), row, count in read:
        speakers = {who for part in PARTS for who in row[f"speakers_{part}"] or ()}
        utterances = sum(row[f"n_{part}"] or 0 for part in PARTS)
        emotions = len(row["labels"] or ())
        entries = [word(name), *[word(target)] * targets]
        entries += [*map(word, (language, version))]
        classes = NOTHING if row[NUMBERS] is not None else number(emotions)
        entries += [number(utterances), classes, number(len(speakers))]
        entries += [*map(number, (len(row["skipped"] or ()), count))]
        entries += [Entry(text=words(data), value=data)]
        paper = printed.get(re.sub(VARIANT, "", name)) if target == USUAL else None
        if paper and (utterances, emotions) != (paper.utterances, paper.emotions):
            notes[_difference(name, utterances, emotions, paper)] = None
        if question.against:
            entries += _beside(utterances, paper.utterances if paper else None)
            entries += _beside(emotions, paper.emotions if paper else None)
        body.append(tuple(entries))
    extra = ("published utterances", "difference", "published emotions", "difference")
    return Table(
        title="Corpora as they were read",
        columns=(
            *("corpus", *["target"] * targets, "language", "version"),
            *("utterances", "classes" if targets else "emotions"),
            *("speakers", "skipped", "runs", "data"),
            *(extra if question.against else ()),
        ),
        rows=tuple(body),
        notes=tuple(notes),
    )


def _difference(
    corpus: str, utterances: int, emotions: int, paper: published.PublishedCorpus
) -> str:
    return (
        f"{corpus}: {utterances} utterances of {emotions} emotions, in Table 1 of the "
        f"paper {paper.utterances} of {paper.emotions}; 'harness corpus info {corpus}' "
        "says why."
    )


def _firsts(runs: pa.Table) -> list[tuple[Read, dict[str, Any], int]]:
    """Return what was read, its first row, and how many rows have it."""
    import pyarrow as pa

    numbered, places = placed(runs)
    rows = numbered.append_column("row", pa.array(range(len(runs))))
    grouped = rows.group_by("place").aggregate([("row", "min"), ("row", "count")])
    first: dict[Read, int] = {}
    count: dict[Read, int] = defaultdict(int)
    for one in grouped.to_pylist():
        corpus = places[one["place"]].corpus
        read = (
            title(corpus),
            corpus.target.name,
            words(corpus.languages or ()),
            words(corpus.versions or ()),
            corpus.manifest or "unknown",
        )
        first[read] = min(first.get(read, one["row_min"]), one["row_min"])
        count[read] += one["row_count"]
    taken = numbered.select(COUNTED).take([first[read] for read in sorted(first)])
    found = zip(sorted(first), taken.to_pylist(), strict=True)
    return [(read, row, count[read]) for read, row in found]


def _beside(ours: int, theirs: int | None) -> list[Entry]:
    """Print a published count and how far ours is from it."""
    if theirs is None:
        return [NOTHING, NOTHING]
    gap = ours - theirs
    return [number(theirs), Entry(text=f"{gap:+d}" if gap else "0", value=gap)]
