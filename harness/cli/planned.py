"""A plan for a program: what ``harness plan --format json`` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.execution.forecast import Forecast
    from harness.execution.plan import Pair, Plan
    from harness.execution.run import RunOptions
    from harness.splits.transfer import Division

Facts = dict[str, object]


def as_json(todo: Plan, found: Forecast, place: RunOptions) -> Facts:
    """Write a plan as JSON has it, in seconds and bytes; shares are fractions of one.

    Args:
        todo: The plan.
        found: What it would take.
        place: Where and how it would be done.
    """
    cells = {cell.run_id: cell for cell in todo.cells}
    left = {job.cell.run_id for job in todo.todo}
    divisions = {
        (pair.manifest.sha256, pair.division.split.sha256): pair.division
        for pair in todo.pairs
    }
    return {
        "cells": len(cells),
        "done": len(cells) - len(left),
        "pairs": [_pair(pair) for pair in todo.pairs],
        "splits": [_split(division) for division in divisions.values()],
        "seeds": [
            {"seeds": seeds, "downstreams": heads}
            for seeds, heads in sorted(todo.seeds.items())
        ],
        "takes": _takes(todo, found),
        "way": {
            "executor": place.executor,
            "keep_going": place.goes_on(todo.request),
            "keep_features": place.keep_features,
            "max_hours": place.max_hours,
        },
        "download": [
            {
                "upstream": one.name,
                "checkpoint": one.checkpoint,
                "revision": one.revision,
            }
            for one in todo.absent
        ],
        "synthesise": [corpus.name for corpus in todo.unmade],
        "left_out": todo.missing,
        "doubts": todo.doubts,
        "runs": [
            {"run_id": name, "cell": str(cell), "done": name not in left}
            for name, cell in cells.items()
        ],
    }


def _pair(pair: Pair) -> Facts:
    from harness.execution import cost

    return {
        "upstream": pair.upstream.name,
        "feeding": pair.condition.feeding,
        "corpus": pair.manifest.corpus.name,
        "split": pair.division.split.strategy,
        "perturbed": pair.perturbed.name if pair.perturbed else None,
        "cells": len(pair.jobs),
        "done": len(pair.jobs) - len(pair.todo),
        "audio_to_extract_seconds": sum(one.seconds for one in pair.missing),
        "to_store_bytes": cost.disk(pair) if pair.missing else 0,
    }


def _split(division: Division) -> Facts:
    from harness.splits.balance import closeness

    manifest, split = division.manifest, division.split
    return {
        "corpus": manifest.corpus.name,
        "split": split.strategy,
        "folds": [asdict(fold) for fold in closeness(split, manifest.utterances)],
        "left_out": manifest.bad,
    }


def _takes(todo: Plan, found: Forecast) -> Facts:
    """State what is left, and what it takes of this machine."""
    from harness.execution import cost

    return {
        "tasks": found.tasks,
        "at_once": found.workers if found.tasks else 0,
        "seconds": found.seconds,
        "memory_bytes": found.memory,
        "disk_bytes": sum(map(cost.disk, todo.pairs)) if found.tasks else 0,
        "tasks_too_large": len(found.too_large),
        "not_measured": found.untried,
    }
