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
    from collections.abc import Iterator, Sequence

    from harness.data.manifest import Recording
    from harness.data.perturbing import Perturber
    from harness.execution.plan import Job, Pair, Plan
    from harness.registry import Registry
    from harness.types import Fold


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
    listed = {
        of: stored.key_of(plan.request.places, recordings, folds)
        for of, (recordings, folds) in _listed(plan).items()
    }
    for pair in plan.pairs:
        if not pair.todo:
            continue
        corpora = [listed[id(recordings)] for recordings in pair.lists]
        tasks_of = _Tasks(plan, pair, corpora, registry, device, quiet)
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
        places = plan.request.places
        corpora = [stored.store(places, recordings, ()) for recordings in pair.lists]
        made = _Tasks(plan, pair, corpora, registry, device, quiet)
        tasks |= {task.id: task for task in made.features()}
    return Work(tasks=tuple(tasks.values()), jobs={})


def chunks(
    pair: Pair, device: str = "cpu", recordings: Sequence[Recording] | None = None
) -> Iterator[tuple[int, int]]:
    """Divide a corpus into the tasks of its extraction.

    Yields the place of the first utterance of each, and the place after the last. They
    depend on the corpus, the upstream and the kind of device alone, so that equal
    commands claim the same utterances.

    Args:
        pair: Says how the corpus is extracted.
        device: A torch device, or ``auto``.
        recordings: Those of the corpus, by default as they are.
    """
    gpu = devices.kind_of(device) == "cuda"
    clips = [[recording] for recording in recordings or pair.manifest.recordings]
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
    for recordings, folds in _listed(plan).values():
        stored.store(plan.request.places, recordings, folds)


def _listed(plan: Plan) -> dict[int, tuple[Sequence[Recording], Sequence[Fold]]]:
    """List the recordings that are still needed, each list once: many pairs share one.

    With the folds that they are in; by the ids of the lists in this process.
    """
    return {
        id(recordings): (recordings, pair.division.split.folds)
        for pair in plan.pairs
        if pair.todo
        for recordings in pair.lists
    }


class _Tasks:
    """The tasks of one pair."""

    def __init__(
        self,
        plan: Plan,
        pair: Pair,
        corpora: Sequence[str],
        registry: Registry,
        device: str,
        quiet: bool,
    ) -> None:
        self.plan, self.pair, self.registry = plan, pair, registry
        self.corpora = corpora
        self.quiet = quiet
        self.identity = sha256_json(asdict(pair.condition))[:16]
        self.certified = f"certify {self.identity}"
        self.extracted = [self._stage(recordings) for recordings in pair.lists]
        self.use = Use(
            upstream=pair.upstream,
            condition=pair.condition,
            plugin=str(registry.upstreams.plugin(pair.upstream.name)),
            places=plan.request.places,
            device=device,
        )

    def _stage(self, recordings: Sequence[Recording]) -> str:
        """Name the extraction of a list of recordings."""
        keys = [recording.key for recording in recordings]
        return f"extract {sha256_json([self.identity, keys, self.pair.kinds])[:16]}"

    @property
    def perturber(self) -> Perturber | None:
        """What perturbs the recordings that are marked so."""
        return self.pair.perturbed.by if self.pair.perturbed else None

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
        for place, recordings in enumerate(pair.lists):
            yield from self._extractions(place, recordings)

    def _extractions(
        self, place: int, recordings: Sequence[Recording]
    ) -> Iterator[Task]:
        """Yield the tasks that extract what is missing of the list at a place."""
        missing = {recording.key for recording in self.pair.missing}
        for first, last in chunks(self.pair, self.use.device, recordings):
            chunk = recordings[first:last]
            if any(recording.key in missing for recording in chunk):
                yield Task(
                    id=f"{self.extracted[place]} from {first}",
                    stage=self.extracted[place],
                    resources=self._of(cost.extracting(self.pair, chunk)),
                    function=extract,
                    payload=Extraction(
                        use=self.use,
                        corpus=self.corpora[place],
                        first=first,
                        last=last,
                        kinds=self.pair.kinds,
                        seconds=sum(recording.seconds for recording in chunk),
                        perturber=self.perturber,
                    ),
                )

    def training(self, job: Job) -> Task:
        """Return the task that fits and scores a cell."""
        name = job.cell.run_id
        numbers = self.registry.targets[job.cell.condition.target.name].numbers
        return Task(
            id=f"fit {name}",
            stage=f"fit {name}",
            needs=(self.certified, *self.extracted),
            resources=self._of(
                cost.fitting(self.pair, job.downstream, parts=cost.shares(self.pair))
            ),
            function=train,
            payload=Training(
                cell=job.cell,
                use=self.use,
                downstream=job.downstream,
                corpus=self.corpora[0],
                tested=self.corpora[-1],
                perturber=self.perturber,
                labels=self.pair.manifest.labels,
                metrics=tuple(
                    one for one in self.registry.metrics if one.of_numbers == numbers
                ),
                quiet=self.quiet,
                skipped=self.pair.manifest.bad,
                language=self.pair.manifest.corpus.languages[0],
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
