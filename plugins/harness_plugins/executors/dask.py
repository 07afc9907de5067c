"""``dask``: tasks on a Dask cluster; through dask-jobqueue on Slurm, PBS, LSF or SGE.

    pip install 'speech-harness[dask]'
    harness run … --executor dask                              workers on this machine
    harness run … --executor dask:address=tcp://HOST:8786      a scheduler that is there
    harness run … --executor dask:cluster=slurm --workers 8    jobs of a batch system

Jobs are described in dask-jobqueue's own file, ``~/.config/dask/jobqueue.yaml``
(https://jobqueue.dask.org). Every worker needs the same packages, and sees the data
root, the cache and the checkpoints on a shared file system (``HARNESS_WORKER_DATA`` and
``HARNESS_WORKER_CACHE`` where they have other names there). Dask itself tries a task
again whose worker was lost.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness import Executor, HarnessError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent import futures

WINDOW = 1000
"""Tasks in flight: many for each of a hundred workers, few for the scheduler."""

CLUSTERS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
}
"""Classes of dask-jobqueue, by the word of the option."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which cluster.

    Attributes:
        address: Of a Dask scheduler that runs already.
        cluster: Where workers are started, if no scheduler is named.
    """

    address: str = ""
    cluster: Literal["local", "slurm", "pbs", "lsf", "sge"] = "local"


@contextmanager
def start(workers: int, *, options: Options) -> Iterator[futures.Executor]:
    """Connect to a scheduler, or start a cluster of so many workers that ends again.

    Raises:
        HarnessError: Where Dask is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise HarnessError(
            "The executor 'dask' needs: pip install 'speech-harness[dask]'."
        ) from error
    with ExitStack() as stack:
        place: Any = options.address or stack.enter_context(_cluster(workers, options))
        try:
            client = stack.enter_context(Client(place))
        except OSError as error:
            raise HarnessError(
                f"No Dask scheduler answers at {options.address}: {error}. Start one "
                "there with 'dask scheduler', or leave out the address."
            ) from error
        yield client.get_executor(pure=False)


def _cluster(workers: int, options: Options) -> Any:  # noqa: ANN401 - of any kind
    """Start processes of this machine, or jobs of a batch system."""
    if options.cluster == "local":
        from distributed import LocalCluster

        return LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    import dask_jobqueue

    cluster = getattr(dask_jobqueue, CLUSTERS[options.cluster])()
    cluster.scale(workers)
    return cluster


@hookimpl
def harness_executors() -> Iterator[Executor]:
    """Offer Dask's clusters."""
    yield Executor(
        name="dask",
        summary="a Dask cluster: here, at an address, or jobs of a batch system",
        start=start,
        window=WINDOW,
        options=Options,
    )
