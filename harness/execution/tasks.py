"""From a plan to tasks: certify upstreams, extract shards of features, fit cells.

A task refers to utterances and folds by the hash of a file in the cache, so it is small
whatever the corpus; ``write_payloads`` writes these files before the first task runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness import __version__
from harness.data import stored
from harness.execution import cost
from harness.features import device as devices
from harness.features.extraction import (
    Extraction,
    Use,
    certify,
    extract,
    store_of,
)
from harness.training.task import Training, train
from harness.types import Resources, Task
from harness.types.canonical import sha256_json
from harness.verdicts import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.plan import Job, Pair, Plan
    from harness.registry import Registry
    from harness.splits.transfer import Division


CHUNKS = 16
"""Tasks of the extraction of a corpus, so that workers can share it, if each has work
enough."""

LEAST, MOST = 2.0, 20.0
"""Seconds of forecast work of such a task, and so of a shard: what a crash can cost."""

GPU = 300
"""How many cores a GPU is taken for when work is divided into tasks: an H100 does
20 TFLOP/s of float32 or more. Within a task, shards are written all along."""

BYTES = 256 * 2**20
"""Bytes of hidden states that such a task holds, unless one utterance has more."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """The tasks of a plan, in the order in which they are best done.

    Attributes:
        tasks: Each once, however many pairs need it.
        jobs: The cells, by the ids of the tasks that compute them.
    """

    tasks: tuple[Task, ...]
    jobs: dict[str, Job]

    @cached_property
    def audio(self) -> dict[str, float]:
        """Seconds of audio of each extraction, by the ids of the tasks."""
        return {
            task.id: task.payload.seconds
            for task in self.tasks
            if isinstance(task.payload, Extraction)
        }


def work_of(plan: Plan, registry: Registry, *, device: str, quiet: bool) -> Work:
    """List the tasks of what is to be done; nothing is written."""
    tasks: dict[str, Task] = {}
    jobs: dict[str, Job] = {}
    corpora = {
        id(division): stored.key_of(
            plan.request.places, division.manifest.recordings, division.split.folds
        )
        for division in _divisions(plan)
    }
    for pair in plan.pairs:
        if not pair.todo:
            continue
        corpus = corpora[id(pair.division)]
        tasks_of = _Tasks(plan, pair, corpus, registry, device, quiet)
        for task in tasks_of.features():
            tasks.setdefault(task.id, task)
        for job in pair.todo:
            task = tasks_of.training(job)
            tasks.setdefault(task.id, task)
            jobs[task.id] = job
    return Work(tasks=tuple(tasks.values()), jobs=jobs)


def extraction_of(plan: Plan, registry: Registry, *, device: str, quiet: bool) -> Work:
    """List the tasks of a plan's features alone, and write what they refer to.

    Raises:
        StoreError: Where the cache cannot be written.
    """
    tasks: dict[str, Task] = {}
    for pair in plan.pairs:
        corpus = stored.store(plan.request.places, pair.manifest.recordings, ())
        made = _Tasks(plan, pair, corpus, registry, device, quiet)
        tasks |= {task.id: task for task in made.features()}
    return Work(tasks=tuple(tasks.values()), jobs={})


def chunks(pair: Pair, device: str = "cpu") -> Iterator[tuple[int, int]]:
    """Divide a corpus into the tasks of its extraction.

    Yields the place of the first utterance of each, and the place after the last. They
    depend on the corpus, the upstream and the kind of device alone, so that equal
    commands claim the same utterances.
    """
    gpu = devices.kind_of(device) == "cuda"
    clips = [[recording] for recording in pair.manifest.recordings]
    work = [cost.extracting(pair, clip).seconds for clip in clips]
    share = min(max(sum(work) / CHUNKS, LEAST), MOST)
    if gpu:
        share = min(max(sum(work) / CHUNKS, GPU * LEAST), GPU * MOST)
    first, seconds, held = 0, 0.0, 0
    for place, clip in enumerate(clips):
        size = cost.states(pair, clip)
        full = held + size > BYTES and not gpu
        if place > first and (seconds + work[place] > share or full):
            yield first, place
            first, seconds, held = place, 0.0, 0
        seconds, held = seconds + work[place], held + size
    if clips:
        yield first, len(clips)


def write_payloads(plan: Plan) -> None:
    """Write what tasks refer to.

    Raises:
        StoreError: Where the cache cannot be written.
    """
    for division in _divisions(plan):
        recordings, folds = division.manifest.recordings, division.split.folds
        stored.store(plan.request.places, recordings, folds)


def _divisions(plan: Plan) -> list[Division]:
    """List the divisions that are still needed, each once: many pairs share one."""
    needed = {id(pair.division): pair.division for pair in plan.pairs if pair.todo}
    return list(needed.values())


class _Tasks:
    """The tasks of one pair."""

    def __init__(
        self,
        plan: Plan,
        pair: Pair,
        corpus: str,
        registry: Registry,
        device: str,
        quiet: bool,
    ) -> None:
        self.plan, self.pair, self.registry = plan, pair, registry
        self.corpus = corpus
        self.quiet = quiet
        self.recordings = pair.manifest.recordings
        self.identity = sha256_json(asdict(pair.condition))[:16]
        keys = [recording.key for recording in self.recordings]
        features = sha256_json([self.identity, keys, pair.kinds])[:16]
        self.certified = f"certify {self.identity}"
        self.extracted = f"extract {features}"
        self.use = Use(
            upstream=pair.upstream,
            condition=pair.condition,
            plugin=str(registry.upstreams.plugin(pair.upstream.name)),
            places=plan.request.places,
            device=device,
        )

    def features(self) -> Iterator[Task]:
        """Yield the tasks that the pair's cells need."""
        pair = self.pair
        store = store_of(pair.condition, self.plan.request.cache)
        certified = store.is_certified(devices.kind_of(self.use.device))
        if pair.upstream.reads == "waveforms" and not certified:
            yield Task(
                id=self.certified,
                stage=self.certified,
                resources=self._of(cost.certifying(pair)),
                function=certify,
                payload=self.use,
            )
        missing = {recording.key for recording in pair.missing}
        for first, last in chunks(pair, self.use.device):
            chunk = self.recordings[first:last]
            if any(recording.key in missing for recording in chunk):
                yield Task(
                    id=f"{self.extracted} from {first}",
                    stage=self.extracted,
                    resources=self._of(cost.extracting(pair, chunk)),
                    function=extract,
                    payload=Extraction(
                        use=self.use,
                        corpus=self.corpus,
                        first=first,
                        last=last,
                        kinds=pair.kinds,
                        seconds=sum(recording.seconds for recording in chunk),
                    ),
                )

    def training(self, job: Job) -> Task:
        """Return the task that fits and scores a cell."""
        name = job.cell.run_id
        numbers = self.registry.targets[job.cell.condition.target.name].numbers
        return Task(
            id=f"fit {name}",
            stage=f"fit {name}",
            needs=(self.certified, self.extracted),
            resources=self._of(cost.fitting(self.pair, job.downstream)),
            function=train,
            payload=Training(
                cell=job.cell,
                use=self.use,
                downstream=job.downstream,
                corpus=self.corpus,
                labels=self.pair.manifest.labels,
                metrics=tuple(
                    one for one in self.registry.metrics if one.of_numbers == numbers
                ),
                quiet=self.quiet,
                skipped=self.pair.manifest.bad,
                revision=self.pair.revision,
                harness_version=__version__,
                plugins=self._plugins(job),
                warnings=self._warnings(job),
            ),
        )

    def _of(self, resources: Resources) -> Resources:
        """Ask for no GPU where the CPU is asked for."""
        return replace(resources, gpu=resources.gpu and self.use.device != "cpu")

    def _plugins(self, job: Job) -> dict[str, str]:
        registry = self.registry
        corpora = [registry.corpora.plugin(name) for name in self.pair.manifest.names]
        return {
            "upstream": self.use.plugin,
            "downstream": str(registry.downstreams.plugin(job.downstream.name)),
            "corpus": ", ".join(dict.fromkeys(map(str, corpora))),
            "target": str(registry.targets.plugin(job.cell.condition.target.name)),
        }

    def _warnings(self, job: Job) -> tuple[str, ...]:
        """Say which rules the plugins of a cell broke when they were checked."""
        cache, registry = self.plan.request.cache, self.registry
        asked = (
            (registry.upstreams, self.pair.upstream),
            (registry.downstreams, job.downstream),
        )
        return tuple(
            f"{offer.name}: {rule}"
            for names, offer in asked
            for rule in broken_rules(
                cache, offer.name, offer.version, names.plugin(offer.name).identity
            )
        )
