"""What was read, the paper's Table 1, and what stands behind each figure."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.types import Entry, Table
from harness_leaderboard import published
from harness_leaderboard.analysis.facets import (
    CORPUS,
    Key,
    System,
    labels,
    place_of,
    system_names,
)
from harness_leaderboard.analysis.tables import current
from harness_leaderboard.render.entries import NOTHING, number, spans, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.tables import Question


PARTS = ("train", "valid", "test")
HASHES = ("checkpoint_sha256", "manifest_sha256", "split_sha256")
VARIANT = r"@[\w-]+$"
"""Of a corpus' name: a variant stands beside the figures of its corpus."""
READ = ("corpus", "language", "corpus_version", "manifest_sha256")


def corpora(runs: pa.Table, question: Question) -> Table:
    """Show what was really read of each corpus."""
    printed = {row.corpus: row for row in published.corpora()}
    source = f"Published: {published.CITATION}, Table 1."
    notes = {source: None} if question.against else {}
    body = []
    for row, count in _firsts(runs, READ):
        speakers = {name for part in PARTS for name in row[f"speakers_{part}"] or ()}
        utterances = sum(row[f"n_{part}"] or 0 for part in PARTS)
        emotions = len(row["labels"] or ())
        entries = [*map(word, (row[name] for name in READ[:-1]))]
        entries += [*map(number, (utterances, emotions, len(speakers)))]
        entries += [*map(number, (len(row["skipped"] or ()), count))]
        entries += [Entry(text=str(row[READ[-1]])[:8], value=row[READ[-1]])]
        paper = printed.get(re.sub(VARIANT, "", row["corpus"]))
        if paper and (utterances, emotions) != (paper.utterances, paper.emotions):
            notes[_difference(row["corpus"], utterances, emotions, paper)] = None
        if question.against:
            entries += _beside(utterances, paper.utterances if paper else None)
            entries += _beside(emotions, paper.emotions if paper else None)
        body.append(tuple(entries))
    extra = ("published utterances", "difference", "published emotions", "difference")
    return Table(
        title="Corpora as they were read",
        columns=(
            *("corpus", "language", "version"),
            *("utterances", "emotions", "speakers", "skipped", "runs", "data"),
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


def _firsts(runs: pa.Table, keys: Sequence[str]) -> list[tuple[dict[str, Any], int]]:
    """Give one row for every combination of keys, and how many rows have it."""
    import pyarrow as pa

    rows = runs.append_column("row", pa.array(range(len(runs))))
    grouped = rows.group_by(list(keys)).aggregate([("row", "min"), ("row", "count")])
    grouped = grouped.sort_by([(key, "ascending") for key in keys])
    taken: list[dict[str, Any]] = runs.take(grouped["row_min"]).to_pylist()
    return list(zip(taken, grouped["row_count"].to_pylist(), strict=True))


def _beside(ours: int, theirs: int | None) -> list[Entry]:
    """Print a published count and how far ours is from it."""
    if theirs is None:
        return [NOTHING, NOTHING]
    gap = ours - theirs
    return [number(theirs), Entry(text=f"{gap:+d}" if gap else "0", value=gap)]


def provenance(runs: pa.Table, question: Question) -> Table:
    """Show what stands behind each figure: seeds, folds, sizes, versions, dates."""
    kept, notes = current(runs, question.metric)
    groups: dict[tuple[System, Key], list[dict[str, Any]]] = defaultdict(list)
    for row in kept.to_pylist():
        groups[place_of(row)].append(row)
    names = system_names(system for system, _ in groups)
    tasks = labels(CORPUS, (task for _, task in groups))
    body = []
    for (system, task), rows in groups.items():
        versions = [dict(row["versions"] or ()) for row in rows]
        folds = {row["fold"] for row in rows}
        texts = [
            *names[system],
            tasks[task],
            spans(row["seed"] for row in rows),
            f"{len(folds)} of {rows[0]['folds']}",
            _several(
                f"{row['n_train']}/{row['n_valid']}/{row['n_test']}" for row in rows
            ),
            _several(row["harness_version"] for row in rows),
            _several(version.get("torch") for version in versions),
            _several(row["device"] for row in rows),
            _several((row["created"] or "")[:10] for row in rows),
            rows[0]["split"],
        ]
        hashes = [rows[0][name] for name in HASHES]
        body.append(
            (
                *(*map(word, texts[:3]), number(len(rows)), *map(word, texts[3:])),
                *(Entry(text=(full or "")[:8], value=full or "") for full in hashes),
                _packages(row["plugin"] or () for row in rows),
            )
        )
    return Table(
        title="What stands behind each figure",
        columns=(
            *("upstream", "downstream", "corpus", "runs", "seeds", "folds"),
            *("train/valid/test", "harness", "torch", "device", "created"),
            *("split", "weights", "data", "split file", "plugins"),
        ),
        rows=tuple(sorted(body, key=lambda row: [entry.text for entry in row[:3]])),
        notes=tuple(notes),
    )


def _packages(plugins: Iterable[Iterable[tuple[str, str]]]) -> Entry:
    """Name the packages that plugins came from; the value names the plugins too."""
    named = sorted({name for of_run in plugins for _, name in of_run})
    packages = {name.partition("(")[2].removesuffix(")") or name for name in named}
    return Entry(text=_several(packages), value=", ".join(named))


def _several(values: Iterable[str | None]) -> str:
    """List what differs, or the first and the last of many."""
    distinct = sorted({value or "unknown" for value in values})
    if len(distinct) > 2:
        return f"{distinct[0]} … {distinct[-1]}"
    return ", ".join(distinct)
