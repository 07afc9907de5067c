"""Do what a plan says: for each (upstream × corpus) extract, then train its cells."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import __version__
from harness.errors import HarnessError
from harness.features.extraction import Extraction, chunks, extract
from harness.files import replacing
from harness.types import Report, silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.data.manifest import Recording
    from harness.execution.plan import Job, Pair, Plan
    from harness.registry import Registry
    from harness.training.task import Training
    from harness.types import Cell, Map, Stages
    from harness.types.request import Request


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how a plan is done.

    Attributes:
        executor: Name of an executor.
        workers: How many tasks at once; 0 lets the machine decide.
        device: A torch device, or ``auto``.
        keep_going: Go on with other cells when one fails.
        keep_features: ``all``, or ``pooled`` to drop the frames of an
            (upstream × corpus) when its last cell is done.
    """

    executor: str = "local"
    workers: int = 0
    device: str = "auto"
    keep_going: bool = False
    keep_features: str = "all"


def run_plan(plan: Plan, registry: Registry, place: Place, stages: Stages) -> Report:
    """Compute the cells that have no result yet.

    Returns:
        What was done; the results themselves went to ``harness_result``.

    Raises:
        HarnessError: Where something that the user can mend is in the way.
        Exception: What a cell raised, unless ``place.keep_going``.
    """
    request, hook = plan.request, registry.hook
    executor = registry.executors[place.executor]
    if hook.harness_finished_runs(runs=request.runs) is None:
        raise HarnessError(
            "No plugin stores results, so all work would be lost; "
            "'harness list plugins' tells which plugins are left out, and why."
        )
    hook.harness_run_started(
        cells=plan.cells, finished=len(plan.cells) - len(plan.jobs), runs=request.runs
    )
    if request.suite is not None:
        with replacing(request.runs / f"_{request.suite.name}") as beside:
            beside.write_bytes(request.suite.read_bytes())
    failed: list[tuple[Cell, str]] = []
    computed = 0
    if plan.jobs:
        device = _device(place.device)
        if device == "cpu" and request.precision != "float32":
            raise HarnessError(
                f"--precision {request.precision} needs a GPU: on a CPU it would be "
                "slower and less exact. Leave it out, or add --device cuda."
            )
        workers = place.workers or (1 if device != "cpu" else os.cpu_count() or 1)
        threads = max(1, (os.cpu_count() or 1) // workers)
        with executor.start(workers) as map_tasks:
            for pair in plan.pairs:
                if not pair.jobs:
                    continue
                _extract(pair, request, map_tasks, stages, device, threads)
                for cell, error in _train(
                    pair, request, registry, map_tasks, stages, device, threads
                ):
                    if error is None:
                        computed += 1
                        continue
                    hook.harness_cell_failed(cell=cell, error=error)
                    if not place.keep_going:
                        raise error
                    failed.append((cell, str(error)))
                if place.keep_features == "pooled":
                    drop_frames(pair, request)
    report = Report(
        runs=request.runs, cells=plan.cells, computed=computed, failed=tuple(failed)
    )
    hook.harness_run_finished(report=report)
    return report


def _device(name: str) -> str:
    """Resolve ``auto``, and see that the device is there."""
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise HarnessError(
            f"There is no device '{name}' here. Use --device auto or --device cpu."
        ) from error
    return name


def _extract(
    pair: Pair,
    request: Request,
    map_tasks: Map,
    stages: Stages,
    device: str,
    threads: int,
) -> None:
    """Store the features that the pair's jobs read and that are not stored yet."""
    missing = {recording.key for recording in pair.missing}
    certify = missing and not pair.source.store(request.cache).certificate
    tasks = [
        Extraction(
            source=pair.source,
            recordings=chunk,
            kinds=pair.kinds,
            cache=request.cache,
            device=device,
            threads=threads,
        )
        for chunk in chunks(pair.manifest.recordings)
        if any(recording.key in missing for recording in chunk)
    ]
    if not tasks:
        return
    if certify:
        tasks[0] = replace(tasks[0], certify=True)
    title = f"{pair.source.upstream.name} hears {pair.manifest.corpus.name}"
    with stages(title, sum(task.seconds for task in tasks), "audio") as advance:
        for _, outcome in map_tasks(extract, tasks):
            if isinstance(outcome, Exception):
                raise outcome
            advance(outcome)


def _train(
    pair: Pair,
    request: Request,
    registry: Registry,
    map_tasks: Map,
    stages: Stages,
    device: str,
    threads: int,
) -> Iterator[tuple[Cell, Exception | None]]:
    """Train the pair's jobs and pass their results on; give each cell as it ends."""
    from harness.training.task import train

    by_id = {r.utterance.id: r for r in pair.manifest.recordings}
    cells = {job.cell.run_id: job.cell for job in pair.jobs}
    tasks = [
        replace(
            _task(job, pair, request, registry, by_id, device, threads),
            quiet=stages is silence,
        )
        for job in pair.jobs
    ]
    title = f"heads on {pair.source.upstream.name} × {pair.manifest.corpus.name}"
    with stages(title, len(tasks), "cells") as advance:
        for task, outcome in map_tasks(train, tasks):
            if isinstance(outcome, Exception):
                yield cells[str(task.facts["run_id"])], outcome
            else:
                registry.hook.harness_result(result=outcome, runs=request.runs)
                task.state.unlink(missing_ok=True)
                yield cells[outcome.run_id], None
            advance(1)


def _task(
    job: Job,
    pair: Pair,
    request: Request,
    registry: Registry,
    by_id: Mapping[str, Recording],
    device: str,
    threads: int,
) -> Training:
    from harness.training.task import Training

    fold = job.fold
    return Training(
        source=pair.source,
        cache=request.cache,
        downstream=job.downstream,
        train=tuple(by_id[utterance] for utterance in fold.train),
        valid=tuple(by_id[utterance] for utterance in fold.valid),
        test=tuple(by_id[utterance] for utterance in fold.test),
        labels=pair.manifest.labels,
        selection=request.selection,
        seed=job.cell.seed,
        device=device,
        threads=threads if job.downstream.reads.frames else 1,
        facts=_facts(job, pair, request, registry),
    )


def _facts(
    job: Job, pair: Pair, request: Request, registry: Registry
) -> dict[str, object]:
    """Give the columns of a result that are known before training."""
    cell, source, manifest = job.cell, pair.source, pair.manifest
    corpora = dict.fromkeys(str(registry.corpora.plugin(c)) for c in manifest.parts)
    plugins = {
        "upstream": str(registry.upstreams.plugin(cell.upstream)),
        "downstream": str(registry.downstreams.plugin(cell.downstream)),
        "corpus": ", ".join(corpora),
    }
    return {
        "run_id": cell.run_id,
        "upstream": cell.upstream,
        "upstream_revision": source.checkpoint.revision,
        "upstream_feeding": source.fed,
        "checkpoint_sha256": source.checkpoint.sha256,
        "downstream": cell.downstream,
        "recipe": job.downstream.recipe.name,
        "recipe_deviations": job.downstream.recipe.deviations,
        "selection": request.selection,
        "corpus": cell.corpus,
        "corpus_version": manifest.corpus.version,
        "manifest_sha256": manifest.sha256,
        "language": ", ".join(manifest.spoken),
        "max_seconds": source.max_seconds,
        "split": pair.split.strategy,
        "split_sha256": pair.split.sha256,
        "fold": cell.fold,
        "folds": len(pair.split.folds),
        "seed": cell.seed,
        "skipped": manifest.bad,
        "harness_version": __version__,
        "plugin": plugins,
        "certificate": source.store(request.cache).certificate,
    }


def drop_frames(pair: Pair, request: Request) -> int:
    """Remove the stored frames of an (upstream × corpus); give the bytes freed."""
    store = pair.source.store(request.cache)
    keys = [recording.key for recording in pair.manifest.recordings]
    return store.drop("last", keys) + store.drop("all", keys)
