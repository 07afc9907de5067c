"""Every leaf of the condition keeps results apart; nothing of the provenance does."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
from harness_leaderboard.analysis.facets import facets
from harness_leaderboard.analysis.figures import columns, figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.analysis.places import BESIDES
from harness_leaderboard.results import reading, store
from harness_leaderboard.results.columns import KEYS, chosen_by, kind_of, paths
from study import perturbed, put

from harness.training.metrics import macro_f1
from harness.types import Condition, ExtractionRecord, Provenance, leaf, leaves

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Result

LEAVES = [("condition", *path) for path in leaves(Condition)]


def other(value: Any, kind: Any) -> Any:
    """Another value of a field's type."""
    if isinstance(value, tuple):
        return (*value, other(None, get_args(kind)[0]))
    if isinstance(value, bool) or kind is bool:
        return not value
    if get_origin(kind) is not None and str in map(type, get_args(kind)):
        return next(one for one in get_args(kind) if one != value)
    if isinstance(value, str) or kind is str:
        return f"other {value}"
    if hasattr(value, "items"):
        return {**value, "other": 2.0 if float in get_args(kind) else "2"}
    return (value or 0) + 1


def grid_of(*results: Result) -> Matrix:
    table = reading.flattened(store.table_of(results), columns(macro_f1))
    return Matrix(figures(table, macro_f1)[0], macro_f1)


def changed(result: Result, path: tuple[str, ...]) -> Result:
    made: Result = put(result, path, other(leaf(result, path), kind_of(path)))
    return replace(made, run_id=made.cell.run_id, scores={"macro_f1": 0.2})


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_a_leaf_of_the_condition_makes_another_cell_and_another_place(
    path: tuple[str, ...], make_result: MakeResult
):
    result = make_result()
    if path[1] == "perturbation":
        result = perturbed(result, "noise:snr=0")
    result = replace(result, run_id=result.cell.run_id)
    another = changed(result, path)
    assert another.run_id != result.run_id
    matrix = grid_of(result, another)
    axis = path[1] in ("upstream", "downstream")
    labels = matrix.systems if axis else matrix.corpora
    assert len(matrix.figures) == len(labels) == len(set(labels.values())) == 2
    assert {figure.runs for figure in matrix.figures.values()} == {1}


PROVENANCE = [
    (part, field.name)
    for part, kind in (("training", Provenance), ("extraction", ExtractionRecord))
    for field in fields(kind)
]


@pytest.mark.parametrize("path", PROVENANCE, ids=".".join)
def test_provenance_makes_no_other_cell_and_no_other_place(
    path: tuple[str, str], make_result: MakeResult
):
    result = make_result()
    another = changed(result, path)
    assert another.run_id == result.cell.run_id
    matrix = grid_of(result, replace(another, seed=1))
    (figure,) = matrix.figures.values()
    assert figure.runs == 2
    assert list(matrix.systems.values()) == [("whisper-base", "linear")]


def test_folds_and_seeds_are_of_the_same_place(make_result: MakeResult):
    results = [
        make_result(folds=2, fold=fold, seed=seed) for fold in "01" for seed in (0, 1)
    ]
    assert len(grid_of(*results).figures) == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("a", "b"), ("a,b",)),
        (("a\nb",), ("a", "b")),
        ((), ("",)),
        (("a", "b"), ("b", "a")),
    ],
)
def test_lists_that_read_alike_are_not_the_same(one, two, make_result: MakeResult):
    results = [make_result(deviations=one), make_result(deviations=two)]
    assert len(grid_of(*results).figures) == 2


def test_every_leaf_has_a_column_a_filter_and_a_facet():
    assert [paths()[name] for name in KEYS] == LEAVES
    assert set(KEYS) <= chosen_by().keys()
    shown = {
        ("condition", *(() if path[0] in BESIDES else (axis,)), *path)
        for axis in ("upstream", "downstream", "corpus")
        for path, _ in facets(axis)
    }
    assert shown == set(LEAVES)
