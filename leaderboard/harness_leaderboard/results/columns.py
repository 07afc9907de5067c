"""The flat columns that results are read into: one for each leaf of a result.

Columns of the condition come from ``leaves(Condition)`` and from nowhere else, so that
a field that is added there is read, grouped by, and can be filtered by.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args
from typing import get_type_hints as hints

from harness.types import Condition, Result, leaves
from harness_leaderboard.results.schema import arrow_type, optional

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from harness.types import Metric

Path = tuple[str, ...]
"""The names of the fields that lead from a ``Result`` to a value."""

SCORES = "scores_"
"""Before a metric's name, in the name of its column."""


def flat(path: Path) -> str:
    """Name the column of a path: its parts, without ``condition`` and a last ``name``.

    ``("condition", "upstream", "name")`` is ``upstream``, and ``("condition",
    "downstream", "recipe", "optimiser", "learning_rate")`` is
    ``downstream_recipe_optimiser_learning_rate``.
    """
    return "_".join(_shown(path))


def _shown(path: Path) -> Path:
    start = 1 if path[0] == "condition" else 0
    return path[start:-1] if len(path) > 1 and path[-1] == "name" else path[start:]


@cache
def paths() -> Mapping[str, Path]:
    """Return the path of every flat column, by its name."""
    found = {}
    for name, kind in hints(Result).items():
        nested = leaves(kind, (name,)) if is_dataclass(kind) else [(name,)]  # type: ignore[arg-type]
        found.update({flat(path): path for path in nested})
    return found


def path_of(column: str) -> Path:
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


def short_names() -> dict[str, str]:
    """Return a column's last name, where it is unique in the condition, by column."""
    last = {name: _shown(paths()[name])[-1] for name in KEYS}
    counts = Counter(last.values())
    return {name: word for name, word in last.items() if counts[word] == 1}


def chosen_by() -> dict[str, str]:
    """Return the columns that ``--only`` takes, by the words that it takes them by."""
    short = {word: name for name, word in short_names().items()}
    return short | {name: name for name in KEYS} | ALIASES


def kind_of(path: Path) -> Any:  # noqa: ANN401 - any type of a field
    """Return the type of the field at a path."""
    kind: Any = Result
    for name in path:
        within = get_args(kind)[0] if optional(kind) else kind
        kind = hints(within)[name]
    return kind


@cache
def column_type(path: Path) -> pa.DataType:
    """Return what the column of a path holds."""
    import pyarrow as pa

    return pa.float64() if path[0] == "scores" else arrow_type(kind_of(path))


# ---------------------------------------------------------------- conditions


def condition_of(row: Mapping[str, Any]) -> Condition:
    """Rebuild a condition from the columns ``KEYS``.

    What a file lacked stays ``None``, so that it is equal to nothing that is known.
    """
    condition: Condition = _rebuilt(Condition, row, ("condition",))
    return condition


def _rebuilt(kind: type[Any], row: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401
    values = dict(_values(kind, row, path))
    absent = all(value is None for value in values.values())
    return None if absent and optional(kind_of(path)) else kind(**values)


def _values(
    kind: type[Any], row: Mapping[str, Any], path: Path
) -> Iterator[tuple[str, Any]]:
    for name, of in hints(kind).items():
        nested = next(filter(is_dataclass, (of, *get_args(of))), None)
        if nested is not None:
            yield name, _rebuilt(nested, row, (*path, name))  # type: ignore[arg-type]
        else:
            value = row[flat((*path, name))]
            yield name, tuple(value) if isinstance(value, list) else value
