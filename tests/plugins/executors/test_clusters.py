"""Real clusters: the numbers of one process, also where a node is lost meanwhile."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest
import slow
from cells import cells
from clusters import DaskCluster, RayCluster, SlurmCluster, wait_until

if not all(map(find_spec, ("ray", "distributed", "dask_jobqueue"))):
    pytest.skip("the engines are not installed", allow_module_level=True)

GRID = (
    *("--upstream", "slow", "--downstream", "slow,linear", "--corpus", "tones"),
    *("--seeds", "0-1", "--no-controls"),
)
STAGES = ("extract", "fit")
HAS_SLURM = all(shutil.which(one) for one in ("slurmctld", "slurmd", "munged"))


@pytest.fixture(
    scope="module",
    params=[
        RayCluster,
        DaskCluster,
        pytest.param(
            SlurmCluster,
            marks=[
                pytest.mark.slurm,
                pytest.mark.skipif(not HAS_SLURM, reason="Slurm is not installed"),
            ],
        ),
    ],
)
def cluster(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    with request.param({slow.LOG: str(folder)}) as started:
        started.log = folder
        yield started


@pytest.fixture
def run(harness, tmp_path, cluster, manager, monkeypatch):
    """Run the grid somewhere; gives the code, stderr, and every number."""
    manager.register(slow)
    monkeypatch.setattr("harness.execution.tasks.LEAST", 0.05)
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    for path in cluster.log.glob("did-*"):
        path.unlink()

    def call(name, *words):
        folder = tmp_path / name
        places = ("--cache", str(folder / "cache"), "--runs", str(folder / "runs"))
        code, out, err = harness("run", *GRID, *words, *places)
        assert "raylet" not in out + err
        return code, err, cells(folder / "runs") if code == 0 else {}

    return call


def lose_one(cluster, stage):
    """End the node of the process that does something for the sixth time."""
    pid = wait_until(lambda: slow.noted(cluster.log, stage)[5:])[-1]
    cluster.lose(pid)
    return pid


def test_nodes_have_the_numbers_of_one_process_though_two_are_lost(run, cluster):
    """One is lost while features are extracted, one while heads are trained."""
    with ThreadPoolExecutor() as threads:
        lost = [threads.submit(lose_one, cluster, stage) for stage in STAGES]
        code, err, on_cluster = run("cluster", *cluster.words)
        assert code == 0, err
        assert len({pid.result() for pid in lost}) == 2
    loads = slow.noted(cluster.log, "load")
    assert len(loads) == len(set(loads))  # a process loads a model once
    assert on_cluster == run("serial", "--executor", "serial")[2]
    assert len(on_cluster) == 4


def test_a_node_without_the_data_is_named_before_any_work(run, cluster):
    if isinstance(cluster, SlurmCluster):
        pytest.skip("all jobs have one environment")
    cluster.add({"HARNESS_WORKER_DATA": "/nowhere/at/all"})
    code, err, _ = run("cluster", *cluster.words)
    assert code == 2
    assert "lacks the data folder /nowhere/at/all" in err
    assert not list(cluster.log.glob("did-*"))
