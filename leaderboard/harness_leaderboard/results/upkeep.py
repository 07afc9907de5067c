"""Folders of results: checked against themselves, merged, and packed."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.files import replacing, write_sealed
from harness.types import Predictions
from harness.types.canonical import sha256_json
from harness_leaderboard.results import folders, reading, store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from harness.types import Metric, Result
    from harness_leaderboard.results.folders import File, Folder

SAME = 1e-6  # how far a metric may be from that of its predictions
VERIFIED = 200  # results in memory at once


def verify(runs: Folder, metrics: Sequence[Metric]) -> Iterator[str]:
    """Compute metrics again from stored predictions; name what does not match.

    Args:
        runs: The folder.
        metrics: Those that are known; a stored score of another cannot be checked.

    Yields:
        A sentence for each file that is left out and for each result that contradicts
        itself.
    """
    for path in folders.files(runs):
        table, left_out = reading.read_whole(path)
        yield from left_out
        for start in range(0, len(table), VERIFIED):
            for result in reading.whole_results(table.slice(start, VERIFIED)):
                if isinstance(result, str):
                    yield f"{path}: {result}."
                    continue
                for fault in faults(result, metrics):
                    yield f"{path}: run {result.run_id}: {fault}."


def faults(result: Result, metrics: Sequence[Metric]) -> Iterator[str]:
    """Say where a result contradicts itself."""
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
    yield from _wrong_scores(result, metrics)
    name = "ccc" if result.predictions[0].value is not None else "macro_f1"
    chosen = dict(enumerate(result.layer_scores, start=1)).get(result.layer)
    if result.layer and chosen != result.scores.get(name):
        yield f"{name} is not the score of layer {result.layer}, which was chosen"
    speakers = {one.speaker for one in result.predictions}
    if speakers != set(result.speakers_test):
        yield "the predictions' speakers are not the test speakers"
    trained = {*result.speakers_train, *result.speakers_valid}
    if result.condition.corpus.speaker_independent and speakers & trained:
        yield f"speakers of the test part were trained on: {sorted(speakers & trained)}"


def _wrong_scores(result: Result, metrics: Sequence[Metric]) -> Iterator[str]:
    """Say which stored scores are not those of the stored predictions."""
    known = _numbers(result) or _classes(result)
    if known.confusion.astype(int).tolist() != [list(row) for row in result.confusion]:
        yield "the confusion is not that of the predictions"
    for metric in metrics:
        stored = result.scores.get(metric.name)
        if stored is None or metric.of_numbers != known.of_numbers:
            continue
        found = float(metric.score(known))
        if not math.isclose(stored, found, abs_tol=SAME):
            yield f"{metric.name} is {stored:.6f}, the predictions give {found:.6f}"


def _numbers(result: Result) -> Predictions | None:
    """Return the predicted numbers of a result that has some."""
    import numpy as np

    from harness.training.metrics import predictions_of_numbers

    pairs = [(one.value, one.predicted_value) for one in result.predictions]
    if pairs[0][0] is None:
        return None
    return predictions_of_numbers(*np.array(pairs, float).T)


def _classes(result: Result) -> Predictions:
    """Return the predicted classes of a result."""
    import numpy as np

    from harness.training.metrics import confusion_of

    places = {label: place for place, label in enumerate(result.labels)}
    true = np.array([places[one.label] for one in result.predictions])
    predicted = np.array([places[one.predicted] for one in result.predictions])
    scores = np.array([one.scores for one in result.predictions])
    confusion = confusion_of(true, predicted, classes=len(places))
    return Predictions(confusion=confusion, true=true, scores=scores)


def merge(sources: Sequence[Folder], runs: Path) -> tuple[int, int, list[str]]:
    """Copy files of several folders into one, unless it has their results already.

    Returns:
        How many results were new, how many were there already, and a sentence for each
        file that was left out.
    """
    known = set(store.finished_runs(runs))
    added, twice = 0, 0
    left_out: list[str] = []
    for path in (path for source in sources for path in folders.files(source)):
        table, said = reading.read_file(path, ())
        left_out += said
        found = set(table["run_id"].to_pylist())
        twice += len(found & known)
        if new := found - known:
            _copy(path, runs, sorted(found))
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
    for path in folders.walked(runs):
        if store.run_id_of(path):
            table, said = reading.read_file(path, ("corpus_trained", "corpus_tested"))
            left_out += said
            for row in table.to_pylist():
                names = (*(row["corpus_trained"] or ()), *(row["corpus_tested"] or ()))
                groups["-".join(names)].append(path)
    for corpus, members in groups.items():
        _pack(members, corpus, runs)
    return sum(map(len, groups.values())), len(groups), left_out


def _copy(path: File, runs: Path, run_ids: Collection[str]) -> None:
    """Copy a file of results into a folder, with a list beside it if it has many."""
    if not store.run_id_of(path):
        write_list(runs / path.name, run_ids)
    with replacing(runs / path.name) as beside:
        beside.write_bytes(path.read_bytes())


def write_list(packed: Path, run_ids: Collection[str]) -> None:
    """Write beside a file of many results which ones it holds."""
    data = "\n".join(run_ids).encode() + b"\n"
    write_sealed(packed.with_suffix(store.LISTED), data)


def _pack(paths: Sequence[Path], corpus: str, runs: Path) -> None:
    """Put files of one result into one, with every column that any of them has.

    Raises:
        StoreError: Where the packed file does not read back the same; nothing is
            removed then.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # each is read as it stands, so that columns of later versions are kept
    read = {path: reading.read_whole(path) for path in paths}
    tables = [table for table, left_out in read.values() if not left_out]
    joined = pa.concat_tables(tables, promote_options="default").combine_chunks()
    table = reading.once_each(joined)
    run_ids = table["run_id"].to_pylist()
    digest = sha256_json(sorted(run_ids))[:16]
    packed = runs / f"packed-{store.safe(corpus)}-{digest}.parquet"
    store.write_table(table, packed)
    if not pq.ParquetFile(packed).read().equals(table):
        packed.unlink()
        raise StoreError(
            f"{packed} did not read back as it was written; nothing was removed. "
            "Check the disk."
        )
    write_list(packed, run_ids)
    for path, (_, left_out) in read.items():
        if not left_out:
            path.unlink(missing_ok=True)
