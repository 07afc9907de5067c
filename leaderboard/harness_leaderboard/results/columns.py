"""The flat columns that results are read into: one for each leaf of a result.

Columns of the condition come from ``leaves(Condition)`` and from nowhere else, so that
a field that is added there is read, grouped by, and can be filtered by.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from harness.types import Condition, Prediction, Result, leaf, leaves
from harness.types.canonical import LATER
from harness_leaderboard.results.schema import arrow_type, hints, optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from harness.types import Metric

FieldPath = tuple[str, ...]
"""The names of the fields that lead from a ``Result`` to a value."""

SCORES = "scores_"
"""Before a metric's name, in the name of its column."""


def flat(path: FieldPath) -> str:
    """Name the column of a path: its parts, without ``condition`` and a last ``name``.

    ``("condition", "upstream", "name")`` is ``upstream``, and ``("condition",
    "downstream", "recipe", "optimiser", "learning_rate")`` is
    ``downstream_recipe_optimiser_learning_rate``.
    """
    return "_".join(_shown(path))


def _shown(path: FieldPath) -> FieldPath:
    start = 1 if path[0] == "condition" else 0
    return path[start:-1] if len(path) > 1 and path[-1] == "name" else path[start:]


@cache
def paths() -> Mapping[str, FieldPath]:
    """Return the path of every flat column, by its name."""
    found = {}
    for name, kind in hints(Result).items():
        nested = leaves(kind, (name,)) if is_dataclass(kind) else [(name,)]  # type: ignore[arg-type]
        found.update({flat(path): path for path in nested})
    return found


def path_of(column: str) -> FieldPath:
    """Return the path of a flat column or of a metric's."""
    known = paths().get(column)
    return known or ("scores", column.removeprefix(SCORES))


def scored(metric: Metric) -> str:
    """Name the column of a metric."""
    return SCORES + metric.name


KEYS = tuple(flat(path) for path in leaves(Condition, ("condition",)))
"""The columns of the condition: what two results must share to be averaged."""

ALIASES = {
    "corpus": "corpus_trained",
    "test_corpus": "corpus_tested",
    "split": "corpus_strategy",
    "language": "corpus_languages",
    "device": "training_device",
    "harness_version": "training_harness_version",
    "fold": "fold",
    "seed": "seed",
}
"""Further words that results are chosen by, and their columns."""


NONE = "none"
"""What is said, and asked for by ``--only``, where a result has no such value."""

ABSENT = {"perturbation": "clean"}
"""The words for it, where they are others, by column; of a part of the condition that
a result has not, boards else say ``no PART``."""


def absent(column: str) -> str:
    """Return what is said of a column where a result has no value."""
    return ABSENT.get(column, NONE)


GROUPS = tuple(
    name
    for name, kind in hints(Prediction).items()
    if kind in (str, str | None) and name not in ("utterance", "label", "predicted")
)
"""The fields of predictions that utterances are grouped by: names and codes."""


def short_names() -> dict[str, str]:
    """Return a column's last name, where it is unique in the condition, by column."""
    last = {name: _shown(paths()[name])[-1] for name in KEYS}
    counts = Counter(last.values())
    return {name: word for name, word in last.items() if counts[word] == 1}


def chosen_by() -> dict[str, str]:
    """Return the columns that ``--only`` takes, by the words that it takes them by."""
    short = {word: name for name, word in short_names().items()}
    return short | {name: name for name in KEYS} | ALIASES


def kind_of(path: FieldPath) -> Any:  # noqa: ANN401 - any type of a field
    """Return the type of the field at a path."""
    kind: Any = Result
    for name in path:
        within = get_args(kind)[0] if optional(kind) else kind
        kind = hints(within)[name]
    return kind


@cache
def column_type(path: FieldPath) -> pa.DataType:
    """Return what the column of a path holds."""
    import pyarrow as pa

    return pa.float64() if path[0] == "scores" else arrow_type(kind_of(path))


@cache
def default_of(path: FieldPath) -> Any:  # noqa: ANN401 - of any field's type
    """Return what results have that were stored before a field of the condition was.

    ``None`` where there is nothing of that kind.
    """
    kind: Any = Result
    for place, name in enumerate(path, start=1):
        within = get_args(kind)[0] if optional(kind) else kind
        if not is_dataclass(within):
            break
        (field,) = (one for one in fields(within) if one.name == name)
        if field.metadata == LATER:
            return leaf(field.default, path[place:])
        kind = hints(within)[name]  # type: ignore[arg-type]
    return None


# ---------------------------------------------------------------- conditions


def condition_of(row: Mapping[str, Any]) -> Condition:
    """Rebuild a condition from the columns ``KEYS``.

    What a file lacked stays ``None``, so that it is equal to nothing that is known.
    """
    condition: Condition = _rebuilt(("condition",), row)
    return condition


def _rebuilt(path: FieldPath, row: Mapping[str, Any]) -> Any:  # noqa: ANN401
    kind, below, fields = _layout(path)
    if below and all(row[column] is None for column in below):
        return None
    values = {}
    for name, column in fields:
        value = _rebuilt((*path, name), row) if column is None else row[column]
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


@cache
def _layout(
    path: FieldPath,
) -> tuple[Any, tuple[str, ...], tuple[tuple[str, str | None], ...]]:
    """Return a dataclass's type, the columns below it, and its fields.

    Columns are listed where the dataclass may be ``None``; a field comes with its flat
    column, or with ``None`` if it is a dataclass, too.
    """
    kind = kind_of(path)
    within = get_args(kind)[0] if optional(kind) else kind
    fields = tuple((name, column_of((*path, name))) for name in hints(within))
    below = [name for name, of in paths().items() if of[: len(path)] == path]
    return within, tuple(below) if optional(kind) else (), fields


def column_of(path: FieldPath) -> str | None:
    """Return the column of a path, ``None`` where it leads to a dataclass."""
    column = flat(path)
    return column if paths().get(column) == path else None
