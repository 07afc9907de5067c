"""``ray``: tasks on a Ray cluster, each where its GPU and its memory are free.

    pip install 'speech-harness[ray]'
    harness run … --executor ray --workers 4              a Ray of this machine alone
    RAY_ADDRESS=HOST:6379 harness run … --executor ray    a cluster that is there

Workers keep their models between tasks; Ray tries a task again whose node was lost.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import Executor, Task, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUIET = {"RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_USAGE_STATS_ENABLED": "0"}
"""Else Ray prints among the results what becomes of workers, and reports its use."""


class Pool:
    """The cluster that this process is connected to."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401 - the module
        """Keep worker processes between tasks, those with a GPU too (``max_calls``)."""
        self.ray = ray
        self.call = ray.remote(max_calls=0)(lambda function, *task: function(*task))

    @cached_property
    def most(self) -> dict[str, float]:
        """The most that a node has: whoever asks for more waits without end."""
        has = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return {kind: max(n.get(kind, 0) for n in has) for kind in ("GPU", "memory")}

    def submit(self, function: Callable[[Task], Any], task: Task, /) -> Future[Any]:
        """Place a task by its resources."""
        gpus = min(int(task.resources.gpu), self.most["GPU"])
        memory = min(task.resources.memory, self.most["memory"])
        call = self.call.options(name=task.id, num_gpus=gpus, memory=memory)
        return call.remote(function, task).future()  # type: ignore[no-any-return]

    def everywhere(self, function: Callable[[], Any]) -> dict[str, Any]:
        """Call a function once on each node that does tasks."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = {}
        for node in self.ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                call = self.call.options(num_cpus=0, scheduling_strategy=there)
                name = f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"
                asked[name] = call.remote(function).future()
        return {name: one.exception() or one.result() for name, one in asked.items()}


@contextmanager
def start(workers: int) -> Iterator[Pool]:
    """Join the cluster of ``RAY_ADDRESS``, or start one of so many workers here."""
    os.environ.update(QUIET | os.environ)
    import ray

    place: dict[str, Any] = {"num_cpus": workers or None, "include_dashboard": False}
    if address := os.environ.get("RAY_ADDRESS"):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), 10).close()  # Ray waits for minutes
        place = {}
    with ray.init(
        address or "local", log_to_driver=False, logging_level="ERROR", **place
    ):
        yield Pool(ray)


@hookimpl
def harness_executors() -> Iterator[Executor]:
    """Offer Ray's clusters."""
    yield Executor(
        name="ray",
        summary="a Ray cluster: that of RAY_ADDRESS, or one of this machine",
        start=start,
        window=1000,
        everywhere=Pool.everywhere,
        explain=lambda e: getattr(e, "cause", None) or BrokenExecutor(str(e)),
    )
