"""The view ``runs``: what stands behind each figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import labels, system_names, words
from harness_leaderboard.analysis.figures import columns, current, folds_of
from harness_leaderboard.render.entries import number, spans, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.question import Question

SIZES = ("n_train", "n_valid", "n_test")
TRAINING = tuple(
    f"training_{name}"
    for name in ("harness_version", "versions", "device", "created", "plugins")
)
HEADINGS = (
    *("upstream", "downstream", "corpus", "runs", "seeds", "folds"),
    *("train/valid/test", "harness", "torch", "device", "created"),
    *("split", "weights", "data", "split file", "plugins"),
)


def needed(question: Question) -> tuple[str, ...]:
    """Return the columns that ``provenance`` reads."""
    return (*columns(question.metric), *SIZES, *TRAINING)


def provenance(runs: pa.Table, question: Question) -> Table:
    """Show what stands behind each figure: seeds, folds, sizes, versions, dates."""
    kept = current(runs, question.metric)
    rows = kept.runs.select(["fold", "seed", *SIZES, *TRAINING]).to_pylist()
    groups = kept.by_place()
    systems = system_names(place.system for place in groups)
    corpora = labels(place.corpus for place in groups)
    body = []
    for place, members in groups.items():
        names = (
            *map(word, systems[place.system]),
            word(corpora[place.corpus], key=place),
        )
        body.append((*names, *_behind(place, [rows[member] for member in members])))
    return Table(
        title="What stands behind each figure",
        columns=HEADINGS,
        rows=tuple(sorted(body, key=lambda row: [entry.text for entry in row[:3]])),
        notes=kept.notes,
    )


def _behind(place: Place, rows: Sequence[dict[str, Any]]) -> tuple[Entry, ...]:
    folds = {row["fold"] for row in rows}
    torch = (dict(row["training_versions"] or ()).get("torch") for row in rows)
    sizes = ("/".join(str(row[size]) for size in SIZES) for row in rows)
    texts = (
        spans(row["seed"] for row in rows),
        f"{len(folds)} of {folds_of(place.corpus)}",
        _several(sizes),
        _several(row["training_harness_version"] for row in rows),
        _several(torch),
        _several(row["training_device"] for row in rows),
        _several((row["training_created"] or "")[:10] for row in rows),
        place.corpus.strategy or "unknown",
    )
    hashes = (
        place.system.upstream.checkpoint,
        place.corpus.manifest,
        place.corpus.division,
    )
    return (
        number(len(rows)),
        *map(word, texts),
        *(Entry(text=words(full or ""), value=full or "") for full in hashes),
        _packages(row["training_plugins"] or () for row in rows),
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
