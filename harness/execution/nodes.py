"""Nodes of a cluster are asked, before any task, whether they can do the work.

Each says once which versions, folders, plugins and checkpoints it lacks. A node that
joins later is asked by the first task of each of its processes.
"""

from __future__ import annotations

import functools
import os
import pickle
import platform
import socket
import sys
import time
from collections import defaultdict
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from harness.data import stored
from harness.data.places import VARIABLES, Places
from harness.errors import CheckpointError, HarnessError
from harness.features import device as devices
from harness.features.extraction import find_source
from harness.registry.isolation import BUNDLED
from harness.training.task import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harness.execution.plan import Pair, Plan
    from harness.execution.tasks import Work
    from harness.registry import Registry
    from harness.types import Executor, Pool, Task

PATIENCE = 1.0
"""Seconds until a cluster that has no node yet is asked again."""

SHOWN = 3
"""So many of the nodes that lack the same are named."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What every node must have.

    Attributes:
        places: The folders, as the machine that submits names them.
        files: Of these folders, as ``Places.shorten`` writes them: the lists of
            utterances, and one recording of each corpus.
        versions: Of Python and of packages, by name.
    """

    places: Places
    files: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]


def needed_by(plan: Plan, work: Work, registry: Registry) -> Needed:
    """List what a node needs for the tasks of a plan."""
    places, pairs = plan.request.places, [pair for pair in plan.pairs if pair.todo]
    corpora = sorted({key for one in _trainings(work) for key in one.lists})
    lists = [places.shorten(stored.path_of(places, key)) for key in corpora]
    recordings = (
        places.shorten(recording.path)
        for division in {id(pair.division): pair.division for pair in pairs}.values()
        for recording in division.manifest.recordings
    )
    of_corpora = {name.partition("/")[0]: name for name in recordings}
    plugins = [
        *(registry.upstreams.plugin(pair.upstream.name) for pair in pairs),
        *(registry.downstreams.plugin(job.downstream.name) for job in plan.todo),
        *(registry.perturbations.plugin(name) for name in _perturbations(pairs)),
    ]
    packages = {one.distribution for one in plugins if one.distribution} | {BUNDLED}
    versions = devices.versions() | {name: _version(name) for name in packages}
    return Needed(
        places=places,
        files=(*lists, *of_corpora.values()),
        versions=tuple(sorted(versions.items())),
    )


def _perturbations(pairs: Iterable[Pair]) -> set[str]:
    return {one.perturbed.by.perturbation.name for one in pairs if one.perturbed}


def ask_nodes(executor: Executor, pool: Pool, needed: Needed, work: Work) -> None:
    """Ask each node that is there; wait for a first one where there is none.

    Raises:
        HarnessError: Where a node lacks something.
    """
    if executor.everywhere is None:
        return
    examples = {
        (training.use.upstream.name, training.downstream.name): training
        for training in _trainings(work)
    }
    carried = pickle.dumps(list(examples.values()))
    question = functools.partial(_answer, needed, carried)
    answers = executor.everywhere(pool, question)
    if not answers:
        sys.stderr.write(f"{executor.name} has no node yet: waiting for the first\n")
    while not answers:
        time.sleep(PATIENCE)
        answers = executor.everywhere(pool, question)
    if sentence := _complaint(answers):
        raise HarnessError(
            f"Not every node can do this work: {sentence} Put it there, or take the "
            "node away, and run the same command again."
        )


class Cluster:
    """Nodes that take tasks, and their ends in the words of the standard library."""

    def __init__(self, executor: Executor, pool: Pool, needed: Needed) -> None:
        """Submit what an executor started, to nodes that have what is needed."""
        self.pool, self.explain = pool, executor.explain
        self.perform = functools.partial(_perform, needed)

    def submit(self, function: Callable[[Task], Any], task: Task, /) -> Future[Any]:
        """Call a function with a task on a node."""
        future: Future[Any] = Future()
        inner = self.pool.submit(functools.partial(self.perform, function), task)
        inner.add_done_callback(functools.partial(self._end, future))
        return future

    def _end(self, future: Future[Any], inner: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if inner.cancelled():
            future.set_exception(BrokenExecutor("The cluster dropped the task."))
        elif error := inner.exception():
            future.set_exception(self.explain(error))
        else:
            future.set_result(inner.result())


def _perform(needed: Needed, function: Callable[[Task], Any], task: Task) -> object:
    """Do a task on a node, if that has what is needed."""
    _require(needed)
    return function(task)


@functools.lru_cache(maxsize=4)
def _require(needed: Needed) -> None:
    """Ask this process' node, until it lacks nothing."""
    if lacking := list(_lacking(needed)):
        raise HarnessError(
            f"The node {socket.gethostname()}, which joined after the start, cannot do "
            f"this work, since it lacks {'; '.join(lacking)}. Put it there, or take "
            "the node away, and run the same command again: what is finished is kept."
        )


# ---------------------------------------------------------------- on a node


def _answer(needed: Needed, carried: bytes) -> list[str]:
    """Say what this node lacks, with models and heads that tasks carry to it."""
    return [*_lacking(needed), *_unusable(needed, carried)]


def _lacking(needed: Needed) -> Iterator[str]:
    """Say which versions, folders and files this node lacks."""
    for name, wanted in needed.versions:
        here = _version(name)
        if _public(here) != _public(wanted):
            yield f"{name} {wanted} (it has {here or 'none'})"
    places = needed.places.here()
    used = {name.partition(":")[0] for name in needed.files}
    for role, variable in VARIABLES.items():
        if role in used and not (folder := getattr(places, role)).is_dir():
            yield f"the {role} folder {folder} ({variable} names it there)"
    if places.cache.is_dir() and not os.access(places.cache, os.W_OK):
        yield f"the right to write to {places.cache}"
    for name in needed.files:
        folder = getattr(places, name.partition(":")[0], None)
        path = places.find(name)
        if (folder is None or folder.is_dir()) and not path.exists():
            yield f"{path}"


def _unusable(needed: Needed, carried: bytes) -> Iterator[str]:
    """Say which plugins and checkpoints this node lacks."""
    try:
        trainings: list[Training] = pickle.loads(carried)
    except (ImportError, AttributeError) as error:
        yield f"a plugin ({error})"
        return
    places = needed.places.here()
    if not places.cache.is_dir():
        return
    for use in {one.use.upstream.name: one.use for one in trainings}.values():
        try:
            find_source(use, places)
        except CheckpointError:
            root = os.environ.get("HARNESS_CHECKPOINTS", "which is not set")
            where = places.checkpoints.get(
                use.upstream.name, f"HARNESS_CHECKPOINTS, {root}"
            )
            yield f"the checkpoint of {use.upstream.name} (looked for in {where})"


def _version(name: str) -> str:
    """Return the version of Python or of a package, empty where it is not there."""
    try:
        return platform.python_version() if name == "python" else version(name)
    except PackageNotFoundError:
        return ""


def _public(version: str) -> str:
    """Drop what a version says of a build: ``2.11.0+cpu`` computes as ``2.11.0``."""
    return version.partition("+")[0]


# ---------------------------------------------------------------- in words


def _trainings(work: Work) -> list[Training]:
    payloads = (task.payload for task in work.tasks)
    return [payload for payload in payloads if isinstance(payload, Training)]


def _complaint(answers: Mapping[str, list[str] | BaseException]) -> str:
    """Say which nodes lack what; nodes that lack the same stand together."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for name, answer in answers.items():
        if isinstance(answer, BaseException):
            nodes[f"an answer ({type(answer).__name__}: {answer})"].append(name)
        elif answer:
            nodes["; ".join(answer)].append(name)
    return " ".join(
        f"{_listed(names)} {'lacks' if len(names) == 1 else 'lack'} {what}."
        for what, names in nodes.items()
    )


def _listed(names: list[str]) -> str:
    """Name some nodes, and count the others."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
