"""``dask``: tasks on a Dask cluster; through dask-jobqueue on Slurm, PBS, LSF or SGE.

    pip install 'speech-harness[dask]'
    harness run … --executor dask                            workers on this machine
    harness run … --executor dask:address=tcp://HOST:8786    a scheduler that is there
    harness run … --executor dask:slurm --workers 8          jobs of a batch system

Jobs are described in dask-jobqueue's own file. Of workers that are started with
``--resources "GPU=1 MEMORY=64e9"`` tasks take what they need. Dask tries a task again
whose worker was lost.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from harness import Executor, Task, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True)
class Options:
    """The address of a scheduler that runs, or where one is started with workers."""

    address: str = ""
    cluster: Literal["local", "slurm", "pbs", "lsf", "sge"] = "local"


@dataclass(frozen=True)
class Pool:
    """The scheduler that this process is connected to, by Dask's client."""

    client: Any

    @cached_property
    def most(self) -> dict[str, float]:
        """The most that a worker has of each resource that some worker names."""
        workers = self.client.scheduler_info()["workers"].values()
        named = [item for worker in workers for item in worker["resources"].items()]
        return dict(sorted(named))

    def submit(self, function: Callable[[Task], Any], task: Task, /) -> Future[Any]:
        """Place a task by its resources."""
        needs = {"GPU": int(task.resources.gpu), "MEMORY": task.resources.memory}
        takes = {k: min(needs[k], most) for k, most in self.most.items() if k in needs}
        pool = self.client.get_executor(pure=False, resources=takes)
        return pool.submit(function, task)  # type: ignore[no-any-return]

    def everywhere(self, function: Callable[[], Any]) -> dict[str, Any]:
        """Call a function once on each worker."""
        return self.client.run(function, on_error="return")  # type: ignore[no-any-return]


@contextmanager
def start(workers: int, *, options: Options) -> Iterator[Pool]:
    """Connect to a scheduler, or start a cluster of so many workers that ends again."""
    from distributed import Client, LocalCluster

    place: Any = nullcontext(options.address)
    if not options.address and options.cluster == "local":
        place = LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    elif not options.address:
        import dask_jobqueue

        place = getattr(dask_jobqueue, f"{options.cluster.upper()}Cluster")()
        place.adapt(minimum=workers, maximum=workers)  # a job that ends is replaced
    with place as cluster, Client(cluster) as client:
        yield Pool(client)


@hookimpl
def harness_executors() -> Iterator[Executor]:
    """Offer Dask's clusters."""
    yield Executor(
        name="dask",
        summary="a Dask cluster: here, at an address, or jobs of a batch system",
        start=start,
        window=1000,
        options=Options,
        everywhere=Pool.everywhere,
        explain=lambda e: BrokenExecutor(str(e)) if "Killed" in repr(type(e)) else e,
    )
