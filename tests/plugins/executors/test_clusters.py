"""Real clusters: the numbers of one process, also where a node is lost meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import slow
from cells import cells
from clusters import (
    HAS_SLURM,
    DaskCluster,
    RayCluster,
    SlurmCluster,
    variables,
    wait_until,
)

if not all(map(find_spec, ("ray", "distributed", "dask_jobqueue"))):
    pytest.skip("the engines are not installed", allow_module_level=True)

GRID = (
    *("--upstream", "slow", "--downstream", "slow,linear", "--corpus", "tones"),
    *("--seeds", "0-1", "--no-controls"),
)
STAGES = ("extract", "fit")


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


@pytest.fixture
def real(tmp_path):
    """Sixty files of EmoDB as a table, of all speakers and four labels."""
    root = Path(os.environ["HARNESS_DATA"]) / "emodb" / "wav"
    labels = {"W": "anger", "F": "happiness", "T": "sadness", "N": "neutral"}
    takes: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(root.glob("*.wav")):
        if path.stem[5] in labels:
            takes.setdefault((path.stem[:2], path.stem[5]), []).append(path)
    chosen = [found[take] for take in (0, 1) for found in takes.values()][:60]
    rows = [f"{path},{labels[path.stem[5]]},{path.stem[:2]}" for path in chosen]
    table = tmp_path / "emodb.csv"
    table.write_text("\n".join(["path,label,speaker", *rows]) + "\n")
    return (
        *("--upstream", "whisper-base,fbank", "--feeding", "trimmed"),
        *("--downstream", "linear,nonlinear,multilayer", "--seeds", "0"),
        *("--corpus", f"csv:{table},demo", "--no-controls"),
    )


@pytest.mark.real
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cluster", [RayCluster, DaskCluster], indirect=True)
def test_whisper_has_the_numbers_of_one_process_though_two_nodes_are_lost(
    real, cluster, tmp_path
):
    def run(name, *words):
        places = ("--cache", str(tmp_path / name), "--runs", str(tmp_path / name / "r"))
        program = (sys.executable, "-m", "harness", "run", *real, *words, *places)
        made = variables(cluster.environment)
        done = subprocess.run(
            program, env=made, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return cells(tmp_path / name / "r")

    def lose_when(pattern, count):
        found = tmp_path / "cluster"
        wait_until(lambda: len(list(found.rglob(pattern))) >= count, 1200)
        cluster.lose_node()
        return True

    with ThreadPoolExecutor() as threads:
        lost = [
            threads.submit(lose_when, "*.safetensors", 6),
            threads.submit(lose_when, "*.parquet", 3),
        ]
        on_cluster = run("cluster", *cluster.words)
        assert all(one.result() for one in lost)
    assert on_cluster == run("serial", "--executor", "serial")
    assert len(on_cluster) == 12
