"""What moved between two folders of results, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.types import Entry, Table
from harness_leaderboard.analysis.tables import METRICS
from harness_leaderboard.render.entries import percent, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from harness_leaderboard.analysis.tables import Question

CELL = (
    *("upstream", "upstream_feeding", "downstream", "corpus"),
    *("split", "fold", "seed", "selection", "max_seconds"),
)
CAUSES = {
    "weights": ("checkpoint_sha256",),
    "data": ("corpus_version", "manifest_sha256", "skipped"),
    "split": ("split_sha256", "folds"),
    "recipe": ("recipe", "recipe_deviations"),
    "code": ("harness_version", "plugin"),
    "libraries": ("versions",),
    "device": ("device",),
}
WHY = (
    "Why lists what differs between the two results; where nothing does, the cause is "
    "not among what is stored."
)
STILL = 5e-7  # a figure that moved by less did not move


def columns(question: Question) -> tuple[str, ...]:
    """Give the columns that ``changes`` reads."""
    causes = (name for names in CAUSES.values() for name in names)
    return (*CELL, *causes, "created", question.metric)


def changes(old: pa.Table, new: pa.Table, question: Question) -> Table:
    """Show the cells whose figure moved, the furthest first, and what else changed.

    Args:
        old: Results with at least ``columns(question)``.
        new: The same of another folder.
        question: Says the metric.
    """
    before, after = _newest(old), _newest(new)
    both = before.keys() & after.keys()
    moved = []
    for cell in both:
        was, now = before[cell][question.metric], after[cell][question.metric]
        if was is not None and now is not None and abs(now - was) > STILL:
            moved.append((now - was, cell))
    moved.sort(key=lambda one: (-abs(one[0]), repr(one[1])))
    return Table(
        title=f"{METRICS[question.metric]} in percent: what moved",
        columns=("upstream", "downstream", "cell", "old", "new", "difference", "why"),
        rows=tuple(
            _row(gap, before[cell], after[cell], question.metric) for gap, cell in moved
        ),
        notes=(
            f"{len(moved)} of {len(both)} cells moved; {len(after.keys() - both)} are "
            f"new, {len(before.keys() - both)} are gone.",
            *([WHY] if moved else []),
        ),
    )


def _newest(runs: pa.Table) -> dict[tuple[object, ...], dict[str, Any]]:
    """Give the newest result of every cell."""
    rows: list[dict[str, Any]] = runs.sort_by("created").to_pylist()
    return {tuple(row[name] for name in CELL): row for row in rows}


def _row(
    gap: float, was: dict[str, Any], now: dict[str, Any], metric: str
) -> tuple[Entry, ...]:
    where = f"{now['corpus']} · {now['split']} {now['fold']} · seed {now['seed']}"
    return (
        word(f"{now['upstream']} · {now['upstream_feeding']}"),
        word(now["downstream"]),
        word(where),
        percent(was[metric]),
        percent(now[metric]),
        Entry(text=f"{100 * gap:+.2f}", value=gap),
        word(", ".join(_causes(was, now)) or "nothing that is stored"),
    )


def _causes(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for cause, names in CAUSES.items():
        if any(was[name] != now[name] for name in names):
            changed = _libraries(was, now) if cause == "libraries" else ""
            yield cause + (f" ({changed})" if changed else "")


def _libraries(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Name the libraries whose versions differ."""
    old, new = dict(was["versions"] or ()), dict(now["versions"] or ())
    return ", ".join(
        f"{name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
