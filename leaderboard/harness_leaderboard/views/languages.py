"""The view ``languages``: corpora against upstreams, as in the paper's Table 3."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import words
from harness_leaderboard.analysis.matrix import is_control
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.analysis.validation import validated
from harness_leaderboard.render.entries import highest, unit_of, word
from harness_leaderboard.views.board import matrix_of
from harness_leaderboard.views.classifiers import HEADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from harness.types import UpstreamCondition
    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.question import Question

BASELINE, ENGLISH, MULTILINGUAL = "baseline", "English-only", "multilingual"
OTHER = "unknown"
GROUPS = (BASELINE, ENGLISH, MULTILINGUAL, OTHER)
CHOICES = {
    "validation": "Each upstream with the downstream that is best in validation",
    "test": "Each upstream with the downstream that is best on the test, as the paper "
    "chooses, which makes its figures somewhat too high",
}
MARKS = {"linear": "†", "multilayer": "‡", "nonlinear": "§"}


def languages(runs: pa.Table, question: Question) -> Table:
    """Show corpora against upstreams, each with the head that is best for it."""
    if question.against:
        from harness_leaderboard.views import against  # brings numpy

        return against.table_3(runs, question)
    matrix, notes = matrix_of(runs, question)
    reached = _reached(runs, matrix, question)
    chosen = sorted(
        _best_heads(matrix, question, reached),
        key=lambda system: (
            GROUPS.index(group_of(system, question)),
            matrix.systems[system],
        ),
    )
    body = []
    for task, corpus in matrix.corpora.items():
        column = matrix.column(task)
        row = {system: column[system] for system in chosen}
        body.append((_corpus(task, corpus), *_with_groups(row, question)))
    heads = {system.downstream.name for system in chosen}
    legend = ", ".join(f"{MARKS[head]} {head}" for head in HEADS if head in heads)
    return Table(
        title=matrix.title(" by language"),
        columns=("corpus", *(_heading(system, matrix) for system in chosen)),
        groups=("", *(group_of(system, question) for system in chosen)),
        heat=True,
        rows=tuple(body),
        notes=(
            f"{CHOICES[question.heads]}, of those that have the most corpora"
            f"{': ' + legend if legend else ''}. The {matrix.extreme} English-only "
            "and multilingual ones are marked, and what may be the best of all systems "
            "on the corpus.",
            *_unknown(chosen, reached, matrix),
            " ".join(filter(None, [matrix.legend, matrix.marks])),
            *matrix.doubts,
            *matrix.remarks,
            *notes,
        ),
    )


def group_of(system: System, question: Question) -> str:
    """Say what an upstream was pre-trained on: nothing, English alone, or more."""
    if is_control(system, question.controls):
        return BASELINE
    known = question.pretraining.get(system.upstream.name)
    if not known:
        return OTHER if known is None else BASELINE
    english = all(tag.split("-")[0] == "en" for tag in known)
    return ENGLISH if english else MULTILINGUAL


def _reached(
    runs: pa.Table, matrix: Matrix, question: Question
) -> Mapping[Place, float]:
    """Return the scores that heads are chosen by: in validation, or of the test."""
    if question.heads == "validation":
        return validated(runs, question.metric)
    return {place: matrix.better(one.mean) for place, one in matrix.figures.items()}


def _unknown(
    chosen: Sequence[System], reached: Mapping[Place, float], matrix: Matrix
) -> list[str]:
    """Name the upstreams of which nothing is stored that a head could be chosen by."""
    known = {place.system for place in reached}
    lacking = [
        one
        for one in chosen
        if one not in known
        and sum(one.upstream == other.upstream for other in matrix.systems) > 1
    ]
    names = ", ".join(matrix.systems[one][0] for one in lacking)
    said = f"{names}: no score in validation is stored to choose a downstream by."
    return [said] * bool(names)


def _best_heads(
    matrix: Matrix, question: Question, reached: Mapping[Place, float]
) -> list[System]:
    """Return of each upstream the system with the best head.

    A head that lacks corpora which another has is not ranked against it; a control is
    no head to choose; a classifier that is made for one upstream stands beside it.
    """
    of_upstream: dict[tuple[UpstreamCondition, str], list[System]] = defaultdict(list)
    chosen = []
    for system in matrix.systems:
        head = system.downstream.name
        if head not in question.controls:
            own = head if head in question.classifiers else ""
            of_upstream[system.upstream, own].append(system)
    if not of_upstream:
        raise HarnessError(
            "None of these results is of a head that an upstream could be shown with: "
            "all are controls. Choose others with --only, such as downstream=linear."
        )
    for systems in of_upstream.values():
        most = max(len(matrix.complete(system)) for system in systems)
        whole = [system for system in systems if len(matrix.complete(system)) == most]
        chosen.append(max(whole, key=_over_shared(matrix, whole, reached)))
    return chosen


def _over_shared(
    matrix: Matrix, systems: Sequence[System], reached: Mapping[Place, float]
) -> Callable[[System], tuple[float, str]]:
    """Rank heads by their mean over the corpora that all of them have.

    One that lacks a score in validation is never ahead of one that has them all.
    """
    common = [
        task
        for task in matrix.corpora
        if all(_complete(matrix, system, task) for system in systems)
    ]

    def rank(system: System) -> tuple[float, str]:
        return sum(
            reached.get(Place(system, task), -math.inf) for task in common
        ), repr(system)

    return rank


def _complete(matrix: Matrix, system: System, task: CorpusTask) -> bool:
    figure = matrix.figures.get(Place(system, task))
    return figure is not None and figure.complete


def _with_groups(row: Mapping[System, Entry], question: Question) -> list[Entry]:
    """Mark the best of each group of upstreams."""
    metric, seconds = question.metric, set()
    for group in (ENGLISH, MULTILINGUAL):
        seconds |= highest(
            {
                system: entry
                for system, entry in row.items()
                if group_of(system, question) == group
            },
            lowest=not metric.higher_is_better,
            unit=unit_of(metric.bounds),
        )
    return [replace(entry, second=system in seconds) for system, entry in row.items()]


def _heading(system: System, matrix: Matrix) -> str:
    upstream, downstream = matrix.systems[system]
    name = system.downstream.name
    if name in MARKS:
        return upstream + MARKS[name] + downstream.removeprefix(name)
    return f"{upstream} {downstream}"


def _corpus(task: CorpusTask, label: str) -> Entry:
    language = words(task.languages or ())
    text = f"{label} ({language})" if task.languages else label
    return word(text, key=task)
