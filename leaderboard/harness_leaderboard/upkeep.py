"""Folders of results: checked against themselves, merged, and packed."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from harness_leaderboard import store
from harness_leaderboard.tables import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.types import Result

SAME = 1e-6  # how far a metric may be from what its predictions give
VERIFIED = 200  # results in memory at once


def verify(runs: Path) -> Iterator[str]:
    """Work every metric out again from stored predictions; name what does not match.

    Yields:
        A sentence for each file that is left out and for each result that contradicts
        itself.
    """
    for path in store.files(runs):
        table, left_out = store.read_file(path)
        yield from left_out
        for start in range(0, len(table), VERIFIED):
            for result in store.results(table.slice(start, VERIFIED)):
                for fault in faults(result):
                    yield f"{path}: run {result.run_id}: {fault}."


def faults(result: Result) -> Iterator[str]:
    """Say where a result contradicts itself."""
    import numpy as np

    from harness.metrics import score

    places = {label: place for place, label in enumerate(result.labels)}
    said = {label for one in result.predictions for label in (one.label, one.predicted)}
    if strangers := sorted(said - places.keys()):
        yield f"predictions have labels that it does not list: {', '.join(strangers)}"
        return
    if len(result.predictions) != result.n_test:
        yield f"{len(result.predictions)} predictions for {result.n_test} utterances"
    if len({one.utterance for one in result.predictions}) < len(result.predictions):
        yield "an utterance is predicted twice"
    if not result.predictions:
        return
    true = np.array([places[one.label] for one in result.predictions])
    predicted = np.array([places[one.predicted] for one in result.predictions])
    scores = score(true, predicted, classes=len(places))
    if scores.confusion != result.confusion:
        yield "the confusion is not that of the predictions"
    for metric in METRICS:
        stored, found = getattr(result, metric), getattr(scores, metric)
        if not math.isclose(stored, found, abs_tol=SAME):
            yield f"{metric} is {stored:.6f}, the predictions give {found:.6f}"
    speakers = {one.speaker for one in result.predictions}
    if speakers != set(result.speakers_test):
        yield "the predictions' speakers are not the test speakers"
    trained = {*result.speakers_train, *result.speakers_valid}
    if result.split != "stratified" and speakers & trained:
        yield f"speakers of the test part were trained on: {sorted(speakers & trained)}"


def merge(sources: Sequence[Path], runs: Path) -> tuple[int, int, list[str]]:
    """Copy files of several folders into one, unless it has their results already.

    Returns:
        How many results were new, how many were there already, and a sentence for each
        file that was left out.
    """
    known = set(store.finished_runs(runs))
    added, twice = 0, 0
    left_out: list[str] = []
    for path in (path for source in sources for path in store.files(source)):
        table, said = store.read_file(path, ["run_id"])
        left_out += said
        found = set(table["run_id"].to_pylist())
        twice += len(found & known)
        if new := found - known:
            store.copy_file(path, runs)
            added += len(new)
            known |= new
    return added, twice, left_out


def compact(runs: Path) -> tuple[int, int, list[str]]:
    """Pack files of one result into a file a corpus; nothing is lost.

    A small file is removed when the packed one was written and read back the same.

    Returns:
        How many results were packed into how many files, and a sentence for each file
        that was left as it is.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    left_out: list[str] = []
    for path in store.files(runs):
        if store.run_id_of(path):
            table, said = store.read_file(path, ["corpus"])
            left_out += said
            for corpus in table["corpus"].to_pylist():
                groups[corpus].append(path)
    for corpus, members in groups.items():
        store.pack(members, corpus, runs)
    return sum(map(len, groups.values())), len(groups), left_out
