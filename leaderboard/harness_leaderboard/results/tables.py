"""Results and predictions as Arrow tables, for people and for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Prediction
from harness_leaderboard.results import reading
from harness_leaderboard.results.columns import KEYS, SCORES, paths
from harness_leaderboard.results.schema import hints

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from harness_leaderboard.results.folders import Folder

PREDICTIONS = "predictions"
VALID = "valid_predictions"
NAMES = ("run_id", "upstream", "feeding", "downstream", "corpus", "split")
"""What stands first: what a person calls a result."""

RENAMED = {"upstream_feeding": "feeding", "corpus_strategy": "split"}
"""The short words that ``--only`` takes, too."""

SCORE = "score_"
"""Before a label, in the name of the column of its probabilities."""

ROWS = 2000
"""Results whose predictions are put into columns at once."""


def columns_of_results() -> tuple[str, ...]:
    """Name the flat columns of everything but predictions and scores."""
    others = (PREDICTIONS, VALID, "scores")
    return tuple(name for name in paths() if name not in others)


def as_results(table: pa.Table) -> pa.Table:
    """Put flat columns into the order and under the names that Python has.

    Args:
        table: With the columns ``columns_of_results`` and those of metrics.
    """
    named = table.rename_columns([_renamed(name) for name in table.column_names])
    if "corpus" not in named.column_names:
        named = named.append_column("corpus", _corpora(table))
    metrics = [_renamed(n) for n in table.column_names if n.startswith(SCORES)]
    first = [*NAMES, "fold", "seed", *metrics]
    rest = [name for name in named.column_names if name not in first]
    return named.select([*first, *rest])


def empty(columns: Iterable[str]) -> pa.Table:
    """Return flat columns of no result."""
    return reading.empty(columns)


def _renamed(column: str) -> str:
    return RENAMED.get(column, column.removeprefix(SCORES))


def _corpora(table: pa.Table) -> pa.Array:
    """Name what is trained on and, if it is something else, what is tested on."""
    import pyarrow as pa

    pairs = zip(
        table["corpus_trained"].to_pylist(),
        table["corpus_tested"].to_pylist(),
        strict=True,
    )
    names = [_corpus(trained or (), tested or ()) for trained, tested in pairs]
    return pa.array(names, pa.string()).dictionary_encode()


def _corpus(trained: Iterable[str], tested: Iterable[str]) -> str:
    joined = " + ".join(trained)
    return f"{joined} → {' + '.join(tested)}" if tested else joined


# ---------------------------------------------------------------- predictions


def predictions_of(
    runs: Folder, results: pa.Table, column: str = PREDICTIONS
) -> pa.Table:
    """Read one row a prediction of some results.

    Args:
        runs: The folder that they are in.
        results: As ``as_results`` returns them.
        column: ``PREDICTIONS`` or ``VALID``.
    """
    import pyarrow as pa

    of_classes = zip(
        results["labels"].to_pylist(), results["confusion"].to_pylist(), strict=True
    )
    known = sorted({one for of, counts in of_classes if counts for one in of or ()})
    pieces = [
        _piece(runs, results.slice(start, ROWS), known, column)
        for start in range(0, max(len(results), 1), ROWS)
    ]
    return pa.concat_tables(pieces).unify_dictionaries().combine_chunks()


def _piece(
    runs: Folder, results: pa.Table, labels: Sequence[str], column: str
) -> pa.Table:
    """Put the predictions of a few results into columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = results["run_id"].to_pylist()
    read, _ = reading.read_runs(runs, ("labels", column), run_ids=frozenset(ids))
    place = {run_id: row for row, run_id in enumerate(read["run_id"].to_pylist())}
    there = [row for row, run_id in enumerate(ids) if run_id in place]
    picked = pa.array([place[ids[row]] for row in there], pa.int64())
    stored = read.take(picked).combine_chunks()
    held = stored[column].combine_chunks()
    owner = pc.list_parent_indices(held)
    said = held.flatten()
    above = (
        results.take(pa.array(there, pa.int64())).select(_above(results)).take(owner)
    )
    fields = {name: pc.struct_field(said, name) for name in _said()}
    scores = _scores(stored["labels"].to_pylist(), owner, said, labels)
    columns = dict(zip(above.column_names, above.columns, strict=True))
    return pa.table({**columns, **fields, **scores})


def _said() -> tuple[str, ...]:
    return tuple(name for name in hints(Prediction) if name != "scores")


def _above(results: pa.Table) -> list[str]:
    """Name the columns of a result that stand beside each of its predictions."""
    import pyarrow as pa

    kept = {*NAMES, "fold", "seed", *map(_renamed, KEYS)}
    return [
        name
        for name in results.column_names
        if name in kept and not pa.types.is_list(results.schema.field(name).type)
    ]


def _scores(
    listed: Sequence[Sequence[str]],
    owner: pa.Array,
    said: pa.Array,
    labels: Sequence[str],
) -> dict[str, pa.Array]:
    """Return the probability of each label, null where the corpus has no such label."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    scores = pc.struct_field(said, "scores")
    counts = np.array(pc.list_value_length(scores).to_pylist(), int)
    values = np.append(scores.flatten().to_numpy(), np.nan)  # the last for none
    starts = np.cumsum([0, *counts])[:-1]
    found = {}
    for label in labels:
        at = np.array([_index(of, label) for of in listed], int)[owner.to_numpy()]
        lacks = (at < 0) | (counts == 0)  # numbers have no probabilities
        picked = values[np.where(lacks, -1, starts + at)]
        found[SCORE + label] = pa.array(picked, pa.float64(), mask=lacks)
    return found


def _index(labels: Sequence[str], label: str) -> int:
    return labels.index(label) if label in labels else -1
