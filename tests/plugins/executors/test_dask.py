"""Dask on this machine: a real scheduler and real worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time

import pyarrow.parquet
import pytest

distributed = pytest.importorskip("distributed")

GRID = ("--upstream", "fbank", "--corpus", "tones", "--no-controls")
HEADS = ("--downstream", "linear,multilayer", "--split", "loso", "--seeds", "0")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes that stay between tests."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as started:
        yield started


@pytest.fixture
def run(harness, tmp_path):
    """Run the grid by an executor, and return every number of every result."""

    def call(executor, *more):
        folder = tmp_path / executor.partition(":")[0]
        places = ("--cache", str(folder / "cache"), "--runs", str(folder / "runs"))
        code, _, err = harness(
            "run", *GRID, *HEADS, "--executor", executor, *places, *more
        )
        assert code == 0, err
        rows = pyarrow.parquet.read_table(folder / "runs").to_pylist()
        names = ("scores", "history", "predictions", "layer_weights", "confusion")
        return {row["run_id"]: [row[name] for name in names] for row in rows}

    return call


def test_a_cluster_has_the_numbers_of_one_process(run, cluster):
    on_cluster = run(f"dask:address={cluster.scheduler_address}")
    assert len(on_cluster) == 10
    assert on_cluster == run("serial")


def test_a_worker_that_is_killed_costs_no_cell(run, cluster):
    victims = [worker["pid"] for worker in workers(cluster)]

    def kill():
        time.sleep(2)
        os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    survived = run(f"dask:address={cluster.scheduler_address}")
    killer.join()
    assert survived == run("serial")


def workers(cluster):
    with distributed.Client(cluster) as client:
        return [{"pid": pid} for pid in client.run(os.getpid).values()]


def test_an_address_where_nobody_answers_is_a_sentence(harness, tones):
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        code, _, err = harness(
            *("run", *GRID, "--downstream", "linear"),
            *("--executor", "dask:address=tcp://127.0.0.1:9"),
        )
    assert code == 2
    assert "The executor 'dask:address=tcp://127.0.0.1:9' cannot start" in err
