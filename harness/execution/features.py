"""Features of a corpus without a head: extracted where they are missing, and opened."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.data.corpora import LocalCorpora
from harness.execution import cost
from harness.execution.grids import corpora_of
from harness.execution.perturbations import Perturbations
from harness.execution.planner import plan_features
from harness.execution.run import pool_for, require_gpu, workers_at
from harness.execution.scheduler import run_tasks
from harness.execution.tasks import extraction_of
from harness.features.arrays import Features as Features
from harness.features.checkpoints import find_checkpoint
from harness.features.extraction import store_of
from harness.memory import FOLDER, Memory
from harness.types import silence

if TYPE_CHECKING:
    from harness.execution.plan import Plan
    from harness.execution.request import Request
    from harness.execution.run import RunOptions
    from harness.features.shards import Kind
    from harness.registry import Registry
    from harness.types import Stages


def extract_features(
    request: Request,
    registry: Registry,
    place: RunOptions,
    kind: Kind,
    stages: Stages = silence,
) -> Features:
    """Return the features of an upstream on a corpus, extracted where they lack.

    Args:
        request: Has one grid, of one upstream and one corpus, and no downstream.
        registry: What the plugins offer.
        place: Where and how it is done.
        kind: Which features.
        stages: Where progress is reported.

    Raises:
        HarnessError: Where something that the user can fix is in the way.
    """
    registry.executors[place.executor]
    require_gpu(request, place)
    _make_ready(request, registry)
    plan = plan_features(request, registry, (kind,), stages)
    _extract(plan, registry, place, stages)
    (pair,) = plan.pairs
    (recordings,) = pair.lists
    keys = [recording.key for recording in recordings]
    return Features(
        condition=pair.condition,
        kind=kind,
        manifest=replace(pair.manifest, recordings=recordings),
        perturbation=Perturbations(request, registry).condition(pair.perturbed),
        reader=store_of(pair.condition, request.cache).read(kind, keys),
    )


def _make_ready(request: Request, registry: Registry) -> None:
    """Synthesise the corpora that are made, and fetch the checkpoint."""
    (grid,) = request.grids
    corpora = LocalCorpora(
        registry=registry, data_root=request.data_root, cache=request.cache
    )
    for name in corpora_of(grid.corpora[0]):
        corpora.root(corpora[name])
    upstream = registry.upstreams[grid.upstreams[0]]
    memory = Memory(request.cache / FOLDER)
    find_checkpoint(upstream, request.checkpoints, memory, download=True)
    memory.save()


def _extract(plan: Plan, registry: Registry, place: RunOptions, stages: Stages) -> None:
    """Run the tasks of what is missing."""
    work = extraction_of(plan, registry, device=place.device, quiet=stages is silence)
    if not any(pair.missing for pair in plan.pairs):
        return
    executor, workers = registry.executors[place.executor], workers_at(place)
    memory = cost.free_memory() if executor.window is None else None
    with (
        pool_for(plan, work, registry, place) as pool,
        stages("extracting", sum(work.audio.values()), "audio") as extracted,
        closing(
            run_tasks(
                work.tasks,
                pool,
                window=executor.window or workers,
                memory=memory,
                alone=executor.everywhere is None,
            )
        ) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            extracted(work.audio.get(outcome.task.id, 0.0))
