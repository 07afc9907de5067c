"""What is stored of layers: learned weights, and the scores of a head on each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.training.metrics import macro_f1
from harness_leaderboard.analysis.facets import USUAL, system_names
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.analysis.places import unmixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.analysis.places import CorpusTask, System

LAYERED = ("layer_weights", "layer_norms", "layer_scores")
LOCATED = ("layer_scores", "confusion")
"""What a map of targets reads."""
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a system has of layers 1…L on one corpus, a mean over its runs.

    Attributes:
        values: Learned weights, which sum to one, or the probes' test macro-F1, or CCC
            of numbers.
        norms: Mean norms of the layers' states, empty where they are not known.
    """

    values: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Values × norms where there are any, made to sum to one."""
        known = len(self.norms) == len(self.values)
        norms = self.norms if known else (1.0,) * len(self.values)
        scaled = [value * norm for value, norm in zip(self.values, norms, strict=True)]
        return tuple(value / (sum(scaled) or 1.0) for value in scaled)


@dataclass(frozen=True, kw_only=True)
class Layered:
    """A system with something for each layer.

    Attributes:
        names: Of its upstream and its downstream.
        target: What is predicted.
        probes: Whether its curves are scores of a head on each layer, not weights.
        corpora: A curve for each corpus condition.
    """

    names: tuple[str, str]
    target: str
    probes: bool
    corpora: Mapping[CorpusTask, Curve]

    @property
    def layers(self) -> int:
        """L."""
        return len(next(iter(self.corpora.values())).values)

    @property
    def by_language(self) -> dict[str, list[Curve]]:
        """All curves and, where there are several languages, those of each language."""
        found: dict[str, list[Curve]] = defaultdict(list)
        for corpus, curve in self.corpora.items():
            found[language_of(corpus)].append(curve)
        everything = {ALL: list(self.corpora.values())}
        return everything | dict(sorted(found.items())) if len(found) > 1 else found


def language_of(corpus: CorpusTask) -> str:
    """Name the languages of a corpus."""
    return ", ".join(corpus.languages or ("unknown",))


def layered(runs: pa.Table, metric: Metric = macro_f1) -> list[Layered]:
    """Return each system with weights or scores of layers, by target and name.

    Args:
        runs: Results with the columns of the metric's figures and ``LAYERED``.
        metric: What layers are scored by: CCC, or macro-F1.
    """
    kept = current(unmixed(runs), metric)
    found: dict[tuple[str, System], dict[CorpusTask, list[Curve]]] = defaultdict(
        lambda: defaultdict(list)
    )
    probing = set()
    for row in kept.runs.select(["place", *LAYERED]).to_pylist():
        if values := row["layer_scores"] or row["layer_weights"]:
            system, corpus = kept.places[row["place"]]
            curve = Curve(values=tuple(values), norms=tuple(row["layer_norms"] or ()))
            found[corpus.target.name, system][corpus].append(curve)
            if row["layer_scores"]:
                probing.add(system)
    names = system_names(system for _, system in found)
    return [
        Layered(
            names=names[system],
            target=target,
            probes=system in probing,
            corpora={task: _pooled(curves) for task, curves in corpora.items()},
        )
        for (target, system), corpora in sorted(
            found.items(), key=lambda one: (one[0][0], names[one[0][1]])
        )
    ]


def targets_of(systems: Iterable[Layered]) -> tuple[str, ...]:
    """Return the targets, sorted; none where it is the emotion alone."""
    found = sorted({system.target for system in systems})
    return () if found == [USUAL] else tuple(found)


def _pooled(curves: Sequence[Curve]) -> Curve:
    return Curve(
        values=mean([curve.values for curve in curves]),
        norms=mean([curve.norms for curve in curves]),
    )


def mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Average curves of the same length; those of another length do not belong."""
    alike = [row for row in rows if len(row) == len(rows[0])]
    return tuple(sum(column) / len(alike) for column in zip(*alike, strict=True))
