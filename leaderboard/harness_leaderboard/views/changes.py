"""What moved between two folders of results, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.types import Condition, ExtractionRecord, Provenance, Table, leaf, leaves
from harness_leaderboard.analysis.facets import facets, title, words
from harness_leaderboard.analysis.places import BESIDES
from harness_leaderboard.render.entries import signed, unit_of, word
from harness_leaderboard.results.columns import KEYS, condition_of, flat, paths, scored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question

MEASURED = {"created", "seconds", "peak_memory", "first", "last", "certificate"}
"""Fields of the provenance that differ between any two runs, or follow from others."""

PROVENANCE = tuple(
    flat(path)
    for part, kind in (("training", Provenance), ("extraction", ExtractionRecord))
    for path in leaves(kind, (part,))
    if path[-1] not in MEASURED
)
BESIDE = tuple(name for name in KEYS if paths()[name][1] in BESIDES)
CELL = ("upstream_feeding", "corpus_strategy", "fold", "seed")
"""With the three names: what two results share that are set side by side."""

WHY = (
    "Why lists what differs between the two results; where nothing does, the cause is "
    "not among what is stored."
)
STILL = 5e-7  # a figure that moved by less did not move


@dataclass(frozen=True, kw_only=True)
class Row:
    """A result of one of the two folders."""

    condition: Condition
    values: Mapping[str, Any]

    @property
    def cell(self) -> tuple[object, ...]:
        """What it shares with the result that it is set beside."""
        of = self.condition
        names = (title(of.upstream), title(of.downstream), title(of.corpus))
        return (*names, *(self.values[name] for name in (*CELL, *BESIDE)))


def columns(question: Question) -> tuple[str, ...]:
    """Return the columns that ``changes`` reads."""
    more = ("fold", "seed", "training_created", scored(question.metric))
    return (*KEYS, *PROVENANCE, *more)


def changes(old: pa.Table, new: pa.Table, question: Question) -> Table:
    """Show the cells whose figure moved, the furthest first, and what else changed.

    Args:
        old: Results with at least ``columns(question)``.
        new: The same of another folder.
        question: Says the metric.
    """
    before, after = _cells(old), _cells(new)
    pairs = [
        pair
        for cell in before.keys() & after.keys()
        for pair in _pairs(before[cell], after[cell])
    ]
    metric, unit = scored(question.metric), unit_of(question.metric.bounds)
    moved = []
    for was, now in pairs:
        then, since = was.values[metric], now.values[metric]
        if then is not None and since is not None and abs(since - then) > STILL:
            moved.append((since - then, was, now))
    moved.sort(key=lambda one: (-abs(one[0]), repr(one[2].cell)))
    fresh, gone = (sum(map(len, of.values())) - len(pairs) for of in (after, before))
    return Table(
        title=f"{question.metric.title} {unit.said}: what moved",
        columns=("upstream", "downstream", "cell", "old", "new", "difference", "why"),
        rows=tuple(
            (
                *_names(now),
                unit.entry(was.values[metric]),
                unit.entry(now.values[metric]),
                signed(gap, unit, digits=2),
                word(", ".join(_causes(was, now)) or "nothing that is stored"),
            )
            for gap, was, now in moved
        ),
        notes=(
            f"{len(moved)} of {len(pairs)} cells moved; {fresh} are new, {gone} are "
            "gone.",
            *([WHY] if moved else []),
        ),
    )


def _cells(runs: pa.Table) -> dict[tuple[object, ...], list[Row]]:
    """Group results by cell, the newest alone of each condition."""
    rows = runs.sort_by("training_created").to_pylist()
    newest: dict[tuple[tuple[object, ...], Condition], Row] = {}
    for values in rows:
        row = Row(condition=condition_of(values), values=values)
        newest[row.cell, row.condition] = row
    found: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in newest.values():
        found[row.cell].append(row)
    return found


def _pairs(old: list[Row], new: list[Row]) -> Iterator[tuple[Row, Row]]:
    """Pair results of a cell, those whose conditions differ least first."""
    apart = sorted(
        (len(list(_differing(was, now))), before, after)
        for before, was in enumerate(old)
        for after, now in enumerate(new)
    )
    paired_old: set[int] = set()
    paired_new: set[int] = set()
    for _, before, after in apart:
        if before not in paired_old and after not in paired_new:
            paired_old.add(before)
            paired_new.add(after)
            yield old[before], new[after]


def _names(row: Row) -> tuple[Any, ...]:
    of, values = row.condition, row.values
    where = f"{title(of.corpus)} · {of.corpus.strategy} {values['fold']}"
    return (
        word(f"{title(of.upstream)} · {of.upstream.feeding}"),
        word(title(of.downstream)),
        word(f"{where} · seed {values['seed']}"),
    )


# ---------------------------------------------------------------- causes


def _causes(was: Row, now: Row) -> Iterator[str]:
    """Say what differs: leaves of the condition, then of the provenance."""
    for axis, path, noun in _differing(was, now):
        old, new = (leaf(getattr(of.condition, axis), path) for of in (was, now))
        yield f"{axis} {noun} {words(old)} → {words(new)}"
    for name in PROVENANCE:
        old, new = (_plain(of.values[name]) for of in (was, now))
        if old != new:
            yield f"{name.replace('_', ' ')} {_difference(old, new)}"


def _differing(was: Row, now: Row) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for axis in ("upstream", "downstream", "corpus"):
        old, new = (getattr(of.condition, axis) for of in (was, now))
        for path, facet in facets(axis):
            if leaf(old, path) != leaf(new, path):
                yield axis, path, facet.noun


def _plain(value: Any) -> Any:  # noqa: ANN401 - a text, a list or a map's pairs
    """Return a map as one, and a list as a tuple."""
    if not isinstance(value, list):
        return value
    pairs = value and isinstance(value[0], tuple)
    return dict(value) if pairs else tuple(value)


def _difference(old: object, new: object) -> str:
    """Say which value became which; of a map, those that differ by name."""
    if not (isinstance(old, dict) or isinstance(new, dict)):
        return f"{words(old)} → {words(new)}"
    before, after = (of if isinstance(of, dict) else {} for of in (old, new))
    return ", ".join(
        f"{name} {before.get(name, 'none')} → {after.get(name, 'none')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
