"""The view ``robustness``: what perturbed recordings cost, against clean ones.

Each difference is paired: the same head, folds and seeds on the same utterances, so its
interval is that of ``harness compare``, and not the gap between two intervals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, Table
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.estimates import figure_of, gather, head, said
from harness_leaderboard.analysis.facets import labels
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, Unit, word
from harness_leaderboard.views.compare import Pair, pair_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from harness.types import Metric, PerturbationCondition
    from harness_leaderboard.analysis.estimates import Gathered
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.samples import Sample

LEGEND = (
    "Behind a score stands its difference to the clean one {points}, with the 95 % "
    "interval of a paired t test over units (folds where there are several, else test "
    "speakers) crossed with the seeds that both have; CSV has p, and p adjusted for "
    "all of the table (Holm). 'Clean' is the same condition with recordings as they "
    "are."
)

Changed = dict["PerturbationCondition | None", "Sample"]
"""What stands behind a row: the clean sample and each perturbed one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Robustness:
    """Scores of a system on a corpus, as it is and as it is perturbed.

    Attributes:
        place: With recordings as they are.
        clean: Its score; ``None`` where it was not measured.
        perturbed: By perturbation: the score, and how it is paired with the clean one
            where it can be.
    """

    place: Place
    clean: float | None
    perturbed: Mapping[PerturbationCondition, tuple[float, Pair | None]]


def robustness(runs: pa.Table, question: Question) -> Table:
    """Show, for each system and corpus, what each perturbation costs.

    Args:
        runs: Results with ``labels`` and ``predictions``.
        question: Says the metric, and which are controls.

    Raises:
        HarnessError: Where no result is of perturbed recordings.
    """
    gathered = gather(runs, question)
    matrix = gathered.matrix
    rows = measured(gathered, question.metric)
    changes = ordered(one for row in rows for one in row.perturbed)
    if not changes:
        raise HarnessError(
            "None of these results is of perturbed recordings. Make some with 'harness "
            "run … --perturb clean,noise:snr=10'; see 'harness list perturbations'."
        )
    corpora = labels(row.place.corpus for row in rows)
    rows.sort(key=lambda row: _order(row, gathered, corpora[row.place.corpus]))
    adjusted = _adjusted(rows)
    controls = sum(matrix.is_control(row.place.system) for row in rows)
    return Table(
        title=f"{question.metric.title} {matrix.unit.said} on perturbed recordings, "
        f"{head(gathered.samples.values())}",
        columns=("upstream", "downstream", "corpus", "clean", *names(changes)),
        heat=True,
        apart=controls if controls < len(rows) else 0,
        rows=tuple(
            (
                *matrix.names(row.place.system),
                word(corpora[row.place.corpus]),
                _clean(row, matrix.unit),
                *(_entry(row, one, matrix.unit, adjusted) for one in changes),
            )
            for row in rows
        ),
        notes=(
            LEGEND.format(points=matrix.unit.points),
            *_notes(rows, gathered, question.metric),
        ),
    )


def measured(gathered: Gathered, metric: Metric) -> list[Robustness]:
    """Pair each perturbed figure with the clean one of the same condition otherwise."""
    found: dict[Place, Changed] = {}
    for place, sample in gathered.samples.items():
        clean = Place(place.system, replace(place.corpus, perturbation=None))
        found.setdefault(clean, {})[place.corpus.perturbation] = sample
    return [
        _measured(place, samples, metric)
        for place, samples in found.items()
        if any(samples)
    ]


def _measured(place: Place, samples: Changed, metric: Metric) -> Robustness:
    clean = samples.get(None)
    return Robustness(
        place=place,
        clean=None if clean is None else figure_of(clean, metric),
        perturbed={
            change: (figure_of(sample, metric), _paired(sample, clean, metric))
            for change, sample in samples.items()
            if change is not None
        },
    )


def _paired(sample: Sample, clean: Sample | None, metric: Metric) -> Pair | None:
    if clean is None:
        return None
    try:
        return pair_of(sample, clean, metric)
    except ValueError:  # other seeds
        return None


# ---------------------------------------------------------------- rows and columns


def ordered(
    changes: Iterable[PerturbationCondition],
) -> list[PerturbationCondition]:
    """Sort perturbations by name, their levels as numbers, each once."""
    return sorted(set(changes), key=lambda one: (_levels(str(one)), repr(one)))


def _levels(name: str) -> list[tuple[str, float]]:
    """Split a name into words and the numbers behind them."""
    pieces = re.split(r"(-?\d+(?:\.\d+)?)", name)
    numbers = [float(piece) for piece in pieces[1::2]] + [0.0]
    return list(zip(pieces[::2], numbers, strict=True))


def names(changes: list[PerturbationCondition]) -> list[str]:
    """Name columns; perturbations of two versions are told apart by these."""
    plain = [str(one) for one in changes]
    return [
        name if plain.count(name) == 1 else f"{name}, version {one.version}"
        for name, one in zip(plain, changes, strict=True)
    ]


def _order(
    row: Robustness, gathered: Gathered, corpus: str
) -> tuple[bool, str, tuple[str, str]]:
    matrix, system = gathered.matrix, row.place.system
    return matrix.is_control(system), corpus, matrix.systems[system]


def _adjusted(rows: Iterable[Robustness]) -> dict[int, float]:
    """Adjust the p of all differences for each other (Holm), by the ids of pairs."""
    pairs = [
        pair
        for row in rows
        for _, pair in row.perturbed.values()
        if pair is not None and pair.estimate is not None
    ]
    found = statistics.holm([pair.p for pair in pairs])
    return {id(pair): p for pair, p in zip(pairs, found, strict=True)}


def _clean(row: Robustness, unit: Unit) -> Entry:
    if row.clean is None:
        return NOTHING
    return replace(unit.entry(row.clean), key=row.place)


def _entry(
    row: Robustness,
    change: PerturbationCondition,
    unit: Unit,
    adjusted: Mapping[int, float],
) -> Entry:
    """Print a score and, where it is known, its difference to the clean one."""
    if change not in row.perturbed:
        return NOTHING
    score, pair = row.perturbed[change]
    corpus = replace(row.place.corpus, perturbation=change)
    key = Place(row.place.system, corpus)
    if pair is None:
        return replace(unit.entry(score), key=key)
    text = f"{unit.text(score)} {unit.signed(pair.value)}"
    details: dict[str, float | str] = {"difference": pair.value}
    if pair.estimate is not None:
        low, high = statistics.interval_of_difference(pair.estimate)
        text += f" [{unit.signed(low)}, {unit.signed(high)}]"
        details |= {"low": low, "high": high, "p": pair.p}
        details |= {"p (Holm)": adjusted[id(pair)]}
    return Entry(text=text, value=score, details=details, key=key)


def _notes(rows: list[Robustness], gathered: Gathered, metric: Metric) -> Iterator[str]:
    """Say what has no clean counterpart, and why intervals lack."""
    alone = sum(pair is None for row in rows for _, pair in row.perturbed.values())
    if alone:
        yield (
            f"{alone} without a clean result of the same seeds: run the same command "
            "with --perturb clean."
        )
    samples = gathered.samples.values()
    yield from (f"{text}." for text in said(samples, metric))
    yield from gathered.matrix.remarks
    yield from gathered.notes
