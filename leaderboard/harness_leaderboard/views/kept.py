"""What is stored, result by result: lists of runs, one in full, one utterance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.text import counted
from harness.types import Condition, Entry, Table, leaf, leaves
from harness_leaderboard.analysis.facets import USUAL
from harness_leaderboard.render.entries import (
    NOTHING,
    Unit,
    number,
    percent,
    signed,
    unit_of,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness.types import Metric, Prediction, Result

SHORT = 8
"""Digits of a run's name that are printed; a command takes as many as tell it apart."""

LISTED = (
    *("run_id", "upstream", "feeding", "downstream", "corpus", "perturbation"),
    *("target", "split"),
)
"""The columns of results (see ``results.tables``) that say what a run is."""


SHARED = ("feeding", "perturbation", "target", "split")
"""Those of them that are said once, below, where they are the same for all."""


def listed(results: pa.Table, *metrics: Metric) -> Table:
    """List results, a row each, by what they are of.

    Args:
        results: As ``results.tables.as_results`` returns them.
        metrics: Which scores are shown; one that no result has is left out.
    """
    metrics = tuple(one for one in metrics if _has(results, one)) or metrics[:1]
    needed = (*LISTED, "fold", "seed", *(metric.name for metric in metrics))
    rows = results.select(needed).to_pylist()
    rows.sort(
        key=lambda row: [str(row[name]) for name in (*LISTED[1:], "fold", "seed")]
    )
    shared = {
        name: rows[0][name] for name in SHARED if len({r[name] for r in rows}) < 2
    }
    names = [name for name in LISTED[1:] if name not in shared]
    same = ", ".join(
        f"{name} {value}"
        for name, value in shared.items()
        if (name, value) not in (("target", USUAL), ("perturbation", None))
    )
    said = ", ".join(f"{one.title} {unit_of(one.bounds).said}" for one in metrics)
    return Table(
        title=f"{counted(len(rows), 'stored result')}, {said}",
        columns=("run", *names, "fold", "seed", *(one.title for one in metrics)),
        rows=tuple(_row(row, names, metrics) for row in rows),
        notes=(f"All of them: {same}.",) if same else (),
    )


def _has(results: pa.Table, metric: Metric) -> bool:
    return bool(results[metric.name].null_count < len(results))


def _row(
    row: Mapping[str, Any], names: Sequence[str], metrics: Sequence[Metric]
) -> tuple[Entry, ...]:
    return (
        Entry(text=row["run_id"][:SHORT], value=row["run_id"]),
        *(word(row[name]) for name in names),
        word(row["fold"]),
        number(row["seed"]),
        *(
            NOTHING
            if row[one.name] is None
            else unit_of(one.bounds).entry(row[one.name])
            for one in metrics
        ),
    )


# ---------------------------------------------------------------- one in full


def in_full(
    result: Result, paths: Mapping[str, str], units: Mapping[str, Unit]
) -> Iterator[Table]:
    """Yield the tables of a result: condition, scores, history, confusion, errors.

    Args:
        result: Which.
        paths: The files of utterances by id, as far as they are known.
        units: How metrics are printed, by name; others in percent.
    """
    yield _condition(result)
    yield _facts(result)
    yield _scores(result, units)
    if result.history:
        yield _history(result)
    if of_numbers(result):
        yield _numbers(result, paths)
    else:
        yield _confusion(result)
        yield _wrong(result, paths)


def of_numbers(result: Result) -> bool:
    """Say whether numbers were predicted."""
    return any(one.value is not None for one in result.predictions)


def _condition(result: Result) -> Table:
    of = {".".join(path): leaf(result.condition, path) for path in leaves(Condition)}
    more = {"fold": result.fold, "seed": result.seed}
    return _pairs(f"Run {result.run_id}: {result.cell}", {**of, **more})


def _facts(result: Result) -> Table:
    facts = {
        "utterances": f"{result.n_train} train, {result.n_valid} valid, "
        f"{result.n_test} test",
        "speakers of the test part": result.speakers_test,
        "labels that it lacks": result.labels_absent,
        "best epoch": f"{result.best_epoch} of {result.epochs}",
        "parameters": result.trainable_parameters,
        "validation predictions": f"{len(result.valid_predictions)} stored",
        "left out": result.skipped,
        **asdict(result.training),
        **{f"features: {name}": one for name, one in asdict(result.extraction).items()},
    }
    return _pairs("Where it comes from", facts)


def _pairs(title: str, facts: Mapping[str, object]) -> Table:
    """Lay facts out, a row each, but those that are empty."""
    rows = ((name, _said(value)) for name, value in facts.items())
    return Table(
        title=title,
        columns=("what", "is"),
        rows=tuple((word(name), word(text)) for name, text in rows if text),
    )


def _said(value: object) -> str:
    """Write a value of a condition or of a record; one that is empty is nothing."""
    match value:
        case None | "" | () | {}:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(map(_said, value))
        case dict():
            return ", ".join(f"{name} {_said(one)}" for name, one in value.items())
    return str(value)


def _scores(result: Result, units: Mapping[str, Unit]) -> Table:
    plain = [name for name in result.scores if not units.get(name, Unit()).percent]
    but = f", {', '.join(plain)} {units[plain[0]].said}" if plain else ""
    return Table(
        title=f"Scores of the test part in percent{but}",
        columns=("metric", "score"),
        rows=tuple(
            (word(name), units.get(name, Unit()).entry(one))
            for name, one in result.scores.items()
        ),
    )


REACHED = {
    "valid_macro_f1": "macro-F1 in validation",
    "valid_uar": "UAR in validation",
    "valid_ccc": "CCC in validation",
}
"""The scores of a learning curve, and what they are called above it."""


def _history(result: Result) -> Table:
    reached = {
        name: title
        for name, title in REACHED.items()
        if any(getattr(one, name) is not None for one in result.history)
    }
    return Table(
        title=f"Learning curve; epoch {result.best_epoch} was tested",
        columns=(
            *("epoch", "learning rate", "loss in training", "loss in validation"),
            *reached.values(),
        ),
        rows=tuple(
            (
                number(one.epoch),
                _float(one.learning_rate),
                _float(one.train_loss),
                _float(one.valid_loss),
                *(_reached(getattr(one, name)) for name in reached),
            )
            for one in result.history
        ),
    )


def _reached(score: float | None) -> Entry:
    return NOTHING if score is None else percent(score)


def _float(value: float) -> Entry:
    return Entry(text=f"{value:.4g}", value=value)


def _confusion(result: Result) -> Table:
    return Table(
        title="Confusion: a row for each true label",
        columns=("label", *result.labels),
        rows=tuple(
            (word(label), *map(number, row))
            for label, row in zip(result.labels, result.confusion, strict=True)
        ),
    )


def _numbers(result: Result, paths: Mapping[str, str]) -> Table:
    """List all predictions of numbers, the furthest from the truth first."""
    listed = sorted(result.predictions, key=lambda one: -abs(_error(one)))
    return Table(
        title=f"{len(listed)} predictions, the furthest from the truth first",
        columns=("speaker", "gender", "true", "predicted", "error", "utterance"),
        rows=tuple(
            (
                *map(word, (one.speaker, one.gender)),
                *_pair(one),
                signed(_error(one), Unit(percent=False)),
                Entry(
                    text=paths.get(one.utterance, one.utterance), value=one.utterance
                ),
            )
            for one in listed
        ),
    )


def _error(one: Prediction) -> float:
    return (one.predicted_value or 0.0) - (one.value or 0.0)


def _pair(one: Prediction) -> tuple[Entry, Entry]:
    """Print the true number and the predicted one."""
    true, predicted = (
        Unit(percent=False).entry(value or 0.0)
        for value in (one.value, one.predicted_value)
    )
    return true, predicted


def _wrong(result: Result, paths: Mapping[str, str]) -> Table:
    wrong = [one for one in result.predictions if one.predicted != one.label]
    return Table(
        title=f"{len(wrong)} wrong predictions of {len(result.predictions)}",
        columns=(
            *("speaker", "gender", "label", "predicted", "utterance"),
            *("of the label", "of the predicted"),
        ),
        groups=(*[""] * 5, *["probability"] * 2),
        rows=tuple(_prediction(one, result.labels, paths) for one in wrong),
    )


def _prediction(
    one: Prediction, labels: Sequence[str], paths: Mapping[str, str]
) -> tuple[Entry, ...]:
    said = dict(zip(labels, one.scores, strict=True))
    shown = paths.get(one.utterance, one.utterance)
    return (
        *(word(name) for name in (one.speaker, one.gender, one.label, one.predicted)),
        Entry(text=shown, value=one.utterance),
        percent(said[one.label]),
        percent(said[one.predicted]),
    )


# ---------------------------------------------------------------- one utterance


def of_utterance(utterance: str, results: Iterable[Result], file: str) -> Table:
    """Show what each result predicted of one utterance.

    Args:
        utterance: Its id.
        results: Those that tested it, and others.
        file: Where it lies, empty where that is not known.
    """
    found = [
        (result, one)
        for result in results
        for one in result.predictions
        if one.utterance == utterance
    ]
    classes = [one for _, one in found if one.value is None]
    right = sum(one.predicted == one.label for one in classes)
    said = f"{right} of {len(classes)} results are right" if classes else ""
    targets = {result.condition.target.name for result, _ in found} != {USUAL}
    return Table(
        title=f"{utterance}: {said or counted(len(found), 'result')}",
        columns=(
            *("run", "upstream", "downstream", *["target"] * targets),
            *("split", "fold", "seed"),
            *("label", "predicted", "probability of the label"),
        ),
        rows=tuple(_spoken(result, one, targets=targets) for result, one in found),
        notes=(*_described(found), *[f"The file is {file}."] * bool(file)),
    )


def _described(found: Sequence[tuple[Result, Prediction]]) -> Iterator[str]:
    """Say what is stored of an utterance beside its label."""
    if found:
        one = found[0][1]
        names = ("speaker", "gender", "language", "sentence", "intensity")
        known = {name: getattr(one, name) for name in names}
        yield ", ".join(f"{n} {text}" for n, text in known.items() if text) + "."


def _spoken(result: Result, one: Prediction, *, targets: bool) -> tuple[Entry, ...]:
    of = result.condition
    texts: Sequence[str] = (
        *(of.upstream.name, of.downstream.name, *[of.target.name] * targets),
        *(of.corpus.strategy, result.fold),
    )
    of_label = dict(zip(result.labels, one.scores, strict=False)).get(one.label)
    said = (word(one.label), word(one.predicted)) if one.value is None else _pair(one)
    return (
        Entry(text=result.run_id[:SHORT], value=result.run_id),
        *map(word, texts),
        number(result.seed),
        *said,
        _reached(of_label),
    )
