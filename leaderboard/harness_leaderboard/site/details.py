"""What stands behind the board's cells: pooled confusions and every prediction.

Predictions are many, so they are written small: utterances once a corpus, and of each
prediction the label's number and its score in percent, compressed.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness_leaderboard.analysis.figures import behind, current
from harness_leaderboard.site import learned as behind_it

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness_leaderboard.analysis.places import CorpusTask, Place
    from harness_leaderboard.analysis.question import Question

COLUMNS = (
    *("fold", "seed", "labels", "confusion", "predictions"),
    *behind_it.COLUMNS,
)
MOST = 2_000_000
"""Predictions that a page holds: about 4 MB, and 0.5 GB of memory to write it."""


def chosen(runs: pa.Table, question: Question, *, most: int = MOST) -> frozenset[str]:
    """Choose figures whose predictions a page can hold, those of small tests first.

    Args:
        runs: Results with what ``current`` reads, and ``n_test``.
        question: Whose metric says which results count.
        most: Predictions at most.

    Returns:
        The ``run_id`` of the results behind them.
    """
    kept = current(runs, question.metric)
    tested = kept.runs["n_test"].to_pylist()
    run_ids = kept.runs["run_id"].to_pylist()
    rows = behind(kept)
    sizes = {place: sum(tested[row] or 0 for row in of) for place, of in rows.items()}
    taken: set[str] = set()
    for place in sorted(sizes, key=lambda place: (sizes[place], repr(place))):
        most -= sizes[place]
        if most < 0:
            break
        taken.update(run_ids[row] for row in rows[place])
    return frozenset(taken)


def packed(
    runs: pa.Table,
    numbers: Mapping[Place, int],
    question: Question,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Pack results for the page's script.

    Args:
        runs: Those that were ``chosen``, with ``COLUMNS`` and what ``current`` reads.
        numbers: By which the page knows each figure.
        question: Whose metric says which results count.
        files: The file of a result below its folder, by ``run_id``, where it has one.

    Returns:
        ``tasks``, a list, and ``cells``, by number: all of them compressed JSON.
    """
    kept = current(runs, question.metric)
    corpora: dict[CorpusTask, dict[int, list[int]]] = defaultdict(dict)
    for place, members in kept.by_place().items():
        corpora[place.corpus][numbers[place]] = members
    written: dict[str, Any] = {"tasks": [], "cells": {}}
    for number, cells in enumerate(corpora.values()):
        of = _Corpus(kept.runs.take([row for rows in cells.values() for row in rows]))
        start = 0
        for cell, rows in cells.items():
            here = range(start, start + len(rows))
            found = {"task": number} | of.cell(here)
            found["files"] = [(files or {}).get(one, "") for one in found["ids"]]
            written["cells"][str(cell)] = _small(found)
            start += len(rows)
        written["tasks"].append(_small(of.shared()))
    return written


def _small(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


class _Corpus:
    """The results on one corpus, with everything that is named in them numbered."""

    def __init__(self, results: pa.Table) -> None:
        """Number the utterances, the speakers and the labels."""
        kept = ["seed", "fold", "labels", "confusion", *behind_it.COLUMNS]
        self.runs = results.select(kept).to_pylist()
        listed = results["predictions"].combine_chunks()
        self.ends = np.cumsum(_lengths(listed))
        said = pc.list_flatten(listed)
        self.utterances, self.utterance = _numbered(pc.struct_field(said, "utterance"))
        self.speakers, self.speaker = _numbered(pc.struct_field(said, "speaker"))
        known = [label for run in self.runs for label in run["labels"] or ()]
        label, predicted = (pc.struct_field(said, name) for name in _LABELS)
        self.labels = sorted({*known, *_names(label), *_names(predicted)})
        _, self.label = _numbered(label, self.labels)
        _, self.predicted = _numbered(predicted, self.labels)
        scores = pc.struct_field(said, "scores")
        self.widths = _lengths(scores)
        self.starts = np.cumsum(self.widths) - self.widths
        self.scores = pc.list_flatten(scores).to_numpy(zero_copy_only=False)
        self.true, self.said = (
            pc.struct_field(said, name).to_numpy(zero_copy_only=False)
            for name in ("value", "predicted_value")
        )
        self.numbers = bool(len(self.true)) and not np.isnan(self.true).any()
        self.tests: dict[bytes, tuple[int, list[int]]] = {}

    def shared(self) -> dict[str, Any]:
        """Return what the cells have in common."""
        _, first = np.unique(self.utterance, return_index=True)
        return {
            "labels": self.labels,
            "utterances": self.utterances,
            "speakers": self.speakers,
            "speaker": self.speaker[first].tolist(),
            "label": self.label[first].tolist(),
            "tests": [steps for _, steps in self.tests.values()],
            **({"value": _short(self.true[first])} if self.numbers else {}),
        }

    def cell(self, runs: Sequence[int]) -> dict[str, Any]:
        """Return what runs of one system predicted, and their confusions added up."""
        return {
            "confusion": self._confusion(runs),
            "runs": [self._run(run) for run in runs],
            **behind_it.learned([self.runs[run] for run in runs]),
        }

    def _confusion(self, runs: Iterable[int]) -> list[list[int]]:
        """Add up stored confusions, (C, C); rows are true labels."""
        total = np.zeros((len(self.labels), len(self.labels)), int)
        for run in runs:
            if counts := self.runs[run]["confusion"]:
                places = self._places(run)
                total[np.ix_(places, places)] += np.array(counts)
        return total.tolist()

    def _places(self, run: int) -> list[int]:
        return [self.labels.index(label) for label in self.runs[run]["labels"] or ()]

    def _run(self, run: int) -> dict[str, Any]:
        """Return a run's predictions in the order of their utterances' numbers."""
        rows = np.arange(self.ends[run - 1] if run else 0, self.ends[run])
        rows = rows[np.argsort(self.utterance[rows], kind="stable")]
        return {
            "seed": self.runs[run]["seed"],
            "fold": self.runs[run]["fold"],
            "test": self._test(self.utterance[rows]),
            "predicted": self.predicted[rows].tolist(),
            "score": self._percent(rows, self._places(run)),
            **({"number": _short(self.said[rows])} if self.numbers else {}),
        }

    def _test(self, utterances: NDArray[np.integer]) -> int:
        """Number a set of utterances; folds that are alike in all cells share one."""
        steps = np.diff(utterances, prepend=0).tolist()
        numbered = self.tests.setdefault(utterances.tobytes(), (len(self.tests), steps))
        return numbered[0]

    def _percent(
        self, rows: NDArray[np.integer], places: Sequence[int]
    ) -> list[int | None]:
        """Return the score of each predicted label, or nothing where none is stored."""
        order = np.full(len(self.labels), -1)
        order[list(places)] = np.arange(len(places))
        at = order[self.predicted[rows]]
        stored = (at >= 0) & (at < self.widths[rows])
        scores = np.full(len(rows), np.nan)
        scores[stored] = self.scores[(self.starts[rows] + at)[stored]]
        return [None if np.isnan(one) else round(100 * one) for one in scores.tolist()]


_LABELS = ("label", "predicted")


def _short(values: NDArray[np.floating]) -> list[float]:
    """Write numbers small, to four digits."""
    return [float(f"{value:.4g}") for value in values.tolist()]


def _lengths(lists: pa.Array) -> NDArray[np.integer]:
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False))


def _names(column: pa.Array) -> list[str]:
    return sorted(pc.unique(column).to_pylist())


def _numbered(
    column: pa.Array, names: list[str] | None = None
) -> tuple[list[str], NDArray[np.integer]]:
    """Number the values of a column by their place in the alphabet."""
    names = _names(column) if names is None else names
    codes = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return names, codes.to_numpy(zero_copy_only=False)
