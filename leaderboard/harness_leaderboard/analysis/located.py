"""Where targets sit: what a head on each layer reaches, beyond what says nothing.

Targets have other classes, so their scores are not comparable as they are. Above chance
is (score − chance) / (1 − chance), 0 for guessing and 1 for perfection. Selectivity is
the score less that of the same head on permuted labels (Hewitt and Liang 2019): what a
probe finds in the features, and not in its own capacity.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError
from harness.training.metrics import ccc, macro_f1
from harness.types import DownstreamCondition, Predictions
from harness_leaderboard.analysis.facets import labels, system_names, title
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.analysis.layers import LOCATED, language_of
from harness_leaderboard.analysis.places import unmixed
from harness_leaderboard.results.columns import scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.types import Metric
    from harness_leaderboard.analysis.places import CorpusTask, System

    Floats = NDArray[np.floating]

ABOVE, SELECTIVE = "above chance", "selectivity"
ALL = "all"


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """What a head on each layer reaches for a target, by corpus.

    Attributes:
        names: Of its upstream and its downstream.
        target: What is predicted.
        measure: ``ABOVE`` or ``SELECTIVE``.
        corpora: (L,) means over runs, by corpus.
    """

    names: tuple[str, str]
    target: str
    measure: str
    corpora: Mapping[CorpusTask, Floats]

    @property
    def by_language(self) -> dict[str, list[Floats]]:
        """All corpora and, where there are several languages, those of each."""
        found: dict[str, list[Floats]] = defaultdict(list)
        for corpus, values in self.corpora.items():
            found[language_of(corpus)].append(values)
        everything = {ALL: list(self.corpora.values())}
        return everything | dict(sorted(found.items())) if len(found) > 1 else found


def located(runs: pa.Table) -> list[Located]:
    """Return what was measured, by upstream, downstream, measure and target.

    Args:
        runs: Results with the columns of figures of macro-F1 and CCC, and ``LOCATED``.

    Raises:
        HarnessError: Where there is none, or a corpus was measured in several ways.
    """
    scores, chances = _scores(runs)
    probes = {place for place in scores if not _permuted(place[0].downstream)}
    if not probes:
        raise HarnessError(
            "No stored result has a head on each layer. Run the downstream 'layerwise' "
            "with each --target, and 'permuted-layerwise' for the selectivity."
        )
    _require_one_way(probes)
    names = system_names(system for system, _ in probes)
    controls = {
        (system.upstream, _unpermuted(system.downstream), task): values
        for (system, task), values in scores.items()
        if _permuted(system.downstream)
    }
    found: dict[tuple[tuple[str, str], str, str], dict[CorpusTask, Floats]]
    found = defaultdict(dict)
    for system, task in probes:
        values, chance = scores[system, task], chances[system, task]
        key = names[system], task.target.name
        found[key[0], ABOVE, key[1]][task] = (values - chance) / (1 - chance)
        of = controls.get((system.upstream, _unpermuted(system.downstream), task))
        if of is not None and of.shape == values.shape:
            found[key[0], SELECTIVE, key[1]][task] = values - of
    return [
        Located(names=system, target=target, measure=measure, corpora=found[key])
        for key in sorted(found)
        for system, measure, target in [key]
    ]


Means = dict[tuple["System", "CorpusTask"], "Floats"]


def _scores(runs: pa.Table) -> tuple[Means, dict[tuple[System, CorpusTask], float]]:
    """Return the mean scores of layers, (L,), and the mean chance, by place."""
    scores: dict[Any, list[Floats]] = defaultdict(list)
    chances: dict[Any, list[float]] = defaultdict(list)
    clean = unmixed(runs)
    there = (one for one in (macro_f1, ccc) if _has(clean, one))
    for metric in there:
        kept = current(clean, metric)
        for row in kept.runs.select(["place", *LOCATED]).to_pylist():
            if row["layer_scores"]:
                place = tuple(kept.places[row["place"]])
                scores[place].append(np.array(row["layer_scores"]))
                chances[place].append(_chance(row["confusion"]))
    means = {place: np.mean(of, axis=0) for place, of in scores.items()}
    return means, {place: float(np.mean(of)) for place, of in chances.items()}


def _has(runs: pa.Table, metric: Metric) -> bool:
    """Say whether some result has a metric."""
    return bool(runs[scored(metric)].null_count < len(runs))


def _chance(confusion: Sequence[Sequence[int]] | None) -> float:
    """Return the macro-F1 of guessing every class alike often; of numbers 0.

    CCC is 0 for whatever does not vary with the truth.
    """
    if not confusion:
        return 0.0
    true = np.sum(confusion, axis=1, dtype=float, keepdims=True)
    guessed = np.repeat(true, len(true), axis=1) / len(true)
    return float(macro_f1.score(Predictions(confusion=guessed)))


def _permuted(head: DownstreamCondition) -> bool:
    return head.recipe is not None and bool(head.recipe.permuted_labels)


def _unpermuted(head: DownstreamCondition) -> DownstreamCondition:
    """Return what a head shares with the same head on permuted labels."""
    recipe = head.recipe and replace(head.recipe, permuted_labels=False)
    return replace(head, name="", recipe=recipe)


def _require_one_way(probes: Iterable[tuple[System, CorpusTask]]) -> None:
    """Refuse a corpus that was measured in several ways for one target."""
    ways: dict[tuple[str, str], CorpusTask] = {}
    for _, task in probes:
        first = ways.setdefault((title(task), task.target.name), task)
        if first != task:
            several = " and ".join(sorted(labels([first, task]).values()))
            raise HarnessError(
                f"A map shows a corpus once, but for '{task.target.name}' there are "
                f"{several}. Choose with --only, for example --only split=loso."
            )
