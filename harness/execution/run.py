"""Do what is asked for: prepare, plan, and run the tasks of the plan."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness.data.corpora import LocalCorpora
from harness.errors import CheckpointError, HarnessError, StoreError
from harness.execution import cost
from harness.execution.claims import Claim, Claims
from harness.execution.events import notify
from harness.execution.executors import started
from harness.execution.forecast import speed_of
from harness.execution.nodes import Cluster, ask_nodes, needed_by
from harness.execution.planner import make_plan
from harness.execution.scheduler import run_tasks
from harness.execution.tasks import work_of, write_payloads
from harness.features.checkpoints import find_checkpoint
from harness.features.device import is_gpu, named
from harness.features.extraction import store_of
from harness.features.packing import MANY, pack, remove_retired, stop_reading
from harness.files import replacing
from harness.leftovers import forget
from harness.memory import FOLDER, Memory
from harness.training.task import state_of
from harness.types import (
    CellFailed,
    CellFinished,
    Result,
    RunFinished,
    RunStarted,
    RunStarting,
    silence,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harness.execution.plan import Job, Pair, Plan
    from harness.execution.request import Request
    from harness.execution.scheduler import Outcome
    from harness.execution.tasks import Work
    from harness.features.store import FeatureStore
    from harness.registry import Registry
    from harness.types import Cell, Pool, Stages, Task


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where and how a plan is done.

    Attributes:
        executor: Name of an executor.
        workers: How many tasks at once; 0 lets the machine decide.
        device: A torch device, or ``auto``.
        keep_going: Go on with other cells when one fails; ``None`` for a suite only.
        keep_features: ``all``, or ``pooled`` to drop the frames of an
            (upstream × corpus) when its last cell is done.
        max_hours: Start no task after so long; what runs then is finished and kept.
    """

    executor: str = "local"
    workers: int = 0
    device: str = "auto"
    keep_going: bool | None = None
    keep_features: str = "all"
    max_hours: float | None = None

    def goes_on(self, request: Request) -> bool:
        """Whether the cells that are left are computed when one has failed."""
        suite = request.suite is not None
        return suite if self.keep_going is None else self.keep_going


def run(
    request: Request, registry: Registry, place: RunOptions, stages: Stages = silence
) -> RunFinished:
    """Compute the cells of a request that have no result yet.

    Returns:
        What was done; the results themselves went to ``harness_result``.

    Raises:
        HarnessError: Where something that the user can fix is in the way.
        Exception: What a task raised, unless ``place.keep_going``.
    """
    hook = registry.hook
    registry.executors[place.executor]
    _require_results_kept(request, registry)
    require_gpu(request, place)
    plan = make_plan(request, registry, stages=stages)
    running = _Running(plan, registry, place, stages)
    try:
        notify(hook.harness_run_starting, RunStarting(runs=request.runs))
        running.prepare()
        running.go()
    except BaseException:
        running.stopped = True
        raise
    finally:
        report = running.report()
        notify(hook.harness_run_finished, report)
    return report


def _require_results_kept(request: Request, registry: Registry) -> None:
    if registry.hook.harness_finished_runs(runs=request.runs) is None:
        raise HarnessError(
            "No plugin stores results, so all work would be lost; "
            "'harness list plugins' says which plugins are left out, and why."
        )


def require_gpu(request: Request, place: RunOptions) -> None:
    """Refuse a device that is not here, and less than float32 without a GPU."""
    if place.executor not in ("local", "serial"):
        return
    gpus = [one for one in named(place.device) if is_gpu(one)]
    if not gpus and request.precision != "float32":
        raise HarnessError(
            f"--precision {request.precision} needs a GPU: on a CPU it would be "
            "slower and less exact. Leave it out, or add --device cuda."
        )


def workers_at(place: RunOptions) -> int:
    """Return how many tasks are in flight at once: one a GPU, or one a core."""
    if place.workers:
        return place.workers
    if place.executor in ("local", "serial"):
        places = named(place.device)
        if is_gpu(places[0]):
            return len(places)
    return os.cpu_count() or 1


@contextmanager
def pool_for(
    plan: Plan, work: Work, registry: Registry, place: RunOptions
) -> Iterator[Pool]:
    """Start the executor of a run; the nodes of a cluster are asked first."""
    executor = registry.executors[place.executor]
    with started(executor, workers_at(place)) as pool:
        if executor.everywhere is None:
            yield pool
        else:
            needed = needed_by(plan, work, registry)
            ask_nodes(executor, pool, needed, work)
            yield Cluster(executor, pool, needed)


class _Running:
    """A plan that is being done."""

    def __init__(
        self, plan: Plan, registry: Registry, place: RunOptions, stages: Stages
    ) -> None:
        self.plan, self.registry, self.place = plan, registry, place
        self.request, self.stages = plan.request, stages
        self.claims = Claims(self.request.cache, self._finished)
        self.failed: list[tuple[Cell, str]] = []
        self.computed = self.ended = self.late = 0
        self.stopped = self.waiting = False
        self.keep_going = place.goes_on(self.request)

    # ------------------------------------------------------------ before

    def prepare(self) -> None:
        """Make and fetch what is not here, and plan again with it."""
        if self.plan.unmade:
            corpora = LocalCorpora(
                registry=self.registry,
                data_root=self.request.data_root,
                cache=self.request.cache,
            )
            for corpus in self.plan.unmade:
                corpora.root(corpus)
            self._plan_again()
        if self.plan.absent:
            self._plan_again(self._fetch())
        if self.stages is not silence:
            sys.stderr.writelines(f"{sentence}\n" for sentence in self.plan.outdated)
        cells = self.plan.cells
        todo = {job.cell.run_id for job in self.plan.todo}
        forget(self.request.cache, {cell.run_id for cell in cells} - todo)
        started = RunStarted(
            runs=self.request.runs, cells=cells, finished=len(cells) - len(todo)
        )
        notify(self.registry.hook.harness_run_started, started)
        if self.request.suite is not None:
            copy = self.request.runs / f"_{self.request.suite.name}"
            with replacing(copy) as beside:
                beside.write_bytes(self.request.suite.read_bytes())

    def _plan_again(self, unavailable: Mapping[str, str] | None = None) -> None:
        self.plan = make_plan(
            self.request, self.registry, stages=self.stages, unavailable=unavailable
        )

    def _fetch(self) -> dict[str, str]:
        """Fetch checkpoints; return why some cannot be had, where that is allowed."""
        memory = Memory(self.request.cache / FOLDER)
        unavailable = {}
        for upstream in self.plan.absent:
            try:
                find_checkpoint(
                    upstream, self.request.checkpoints, memory, download=True
                )
            except CheckpointError as error:
                if not (self.request.skip_missing or self.keep_going):
                    raise
                unavailable[upstream.name] = str(error)
        return unavailable

    # ------------------------------------------------------------ the work

    def go(self) -> None:
        """Run the tasks."""
        work = work_of(
            self.plan,
            self.registry,
            device=self.place.device,
            quiet=self.stages is silence,
        )
        if not work.tasks:
            return
        write_payloads(self.plan)
        executor = self.registry.executors[self.place.executor]
        workers = workers_at(self.place)
        memory = cost.free_memory() if executor.window is None else None
        titles = ("extracting", sum(work.audio.values()), "audio")
        times = self._forecast(work, workers)
        cells = ("fitting heads", len(work.jobs), "cells", sum(times.values()))
        features = _Features(self.plan, self.place)
        with (
            closing(features),
            closing(self.claims),
            pool_for(self.plan, work, self.registry, self.place) as pool,
        ):
            outcomes = run_tasks(
                work.tasks,
                pool,
                window=executor.window or workers,
                memory=memory,
                claim=partial(self._claim, work),
                until=self._deadline(),
                alone=executor.everywhere is None,
            )
            with (
                self.stages(*titles) as extracted,
                self.stages(*cells) as fitted,
                closing(outcomes),  # cancels what waits where one cell ends it all
            ):
                for outcome in outcomes:
                    job = work.jobs.get(outcome.task.id)
                    seconds = times.get(outcome.task.id, 0.0)
                    if job is None:
                        extracted(work.audio.get(outcome.task.id, 0.0))
                        fitted(0, seconds)
                        continue
                    self.ended += 1
                    self._end(job, outcome)
                    features.release(job)
                    fitted(1, seconds)
                    if outcome.error is not None and not self.keep_going:
                        raise outcome.error
        self.late = len(work.jobs) - self.ended

    def _deadline(self) -> float | None:
        """Return when no further task is started, by ``time.monotonic``."""
        hours = self.place.max_hours
        return None if hours is None else time.monotonic() + hours * 3600

    def _forecast(self, work: Work, workers: int) -> dict[str, float]:
        """Forecast what each task adds to the time of the run, by its id."""
        if self.stages is silence:
            return {}
        speed = speed_of(self.place.device)
        return {task.id: speed.seconds(task) / workers for task in work.tasks}

    def _claim(self, work: Work, task: Task) -> Claim:
        """Claim a cell; features are claimed where they are extracted."""
        job = work.jobs.get(task.id)
        if job is None:
            return Claim.OURS
        claim = self.claims.take(job.cell.run_id)
        if claim is Claim.ELSEWHERE and not self.waiting:
            self.waiting = True
            if self.stages is not silence:
                sys.stderr.write("another run computes some of these cells: waiting\n")
        return claim

    def _finished(self) -> Collection[str]:
        """List the runs that have a result by now."""
        found = self.registry.hook.harness_finished_runs(runs=self.request.runs)
        return (found or frozenset()) - self.plan.again

    def _end(self, job: Job, outcome: Outcome) -> None:
        """Pass on a result, or that there is none."""
        hook, error = self.registry.hook, outcome.error
        if error is not None:
            self.failed.append((job.cell, f"{type(error).__name__}: {error}"))
            notify(hook.harness_cell_failed, CellFailed(cell=job.cell, error=error))
        elif isinstance(outcome.value, Result):
            finished = CellFinished(
                runs=self.request.runs,
                result=outcome.value,
                again=job.cell.run_id in self.plan.again,
            )
            notify(hook.harness_result, finished)
            state_of(self.request.places, job.cell).unlink(missing_ok=True)
            self.computed += 1
        self.claims.release(job.cell.run_id)

    def report(self) -> RunFinished:
        """Say how it went so far."""
        return RunFinished(
            runs=self.request.runs,
            cells=self.plan.cells,
            computed=self.computed,
            failed=tuple(self.failed),
            missing=self.plan.missing,
            stopped=self.stopped,
            late=self.late,
        )


class _Features:
    """Which pairs still have cells to compute, to tidy the features of the others."""

    def __init__(self, plan: Plan, place: RunOptions) -> None:
        self.dropping = place.keep_features == "pooled"
        self.plan = plan
        self.left = Counter(id(pair) for pair in plan.pairs for _ in pair.todo)
        self.pair_of = {
            job.cell.run_id: pair for pair in plan.pairs for job in pair.todo
        }

    def release(self, job: Job) -> None:
        """Note that a cell is done; tidy the features of its pair if it was the last.

        Means are packed where that is worth it, and frames dropped if so asked.
        """
        pair = self.pair_of[job.cell.run_id]
        self.left[id(pair)] -= 1
        if self.left[id(pair)]:
            return
        if self.dropping:
            self.drop(pair)
        with suppress(StoreError):  # a full disk: they stay as they are
            pack(self._store(pair).folder / "pooled", least=MANY)

    def close(self) -> None:
        """Remove the shards that were packed, now that no worker is left."""
        for folder in {self._store(pair).folder for pair in self.plan.pairs}:
            remove_retired(folder)
        stop_reading()

    def _store(self, pair: Pair) -> FeatureStore:
        return store_of(pair.condition, self.plan.request.cache)

    def drop(self, pair: Pair) -> int:
        """Remove the frames of a pair that no other needs; return the bytes freed."""
        keys = {recording.key for of in pair.lists for recording in of}
        for other in self.plan.pairs:
            if self.left[id(other)] and other.condition == pair.condition:
                keys -= {recording.key for of in other.lists for recording in of}
        store = self._store(pair)
        return store.drop("last", keys) + store.drop("all", keys)
