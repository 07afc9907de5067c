"""Nodes are asked before the work; one that joins later by its first task."""

from __future__ import annotations

import platform
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from toys import GRID

from harness import Executor, HarnessError, Resources, Task, hookimpl
from harness.data.places import Places
from harness.execution import nodes
from harness.execution.nodes import Cluster, Needed


@pytest.fixture
def needed(tmp_path):
    """Two folders with a file, and this Python."""
    for role in ("data", "cache"):
        (tmp_path / role).mkdir()
        (tmp_path / role / "file").touch()
    return Needed(
        places=Places(data=tmp_path / "data", cache=tmp_path / "cache"),
        files=("data:file", "cache:file"),
        versions=(("python", platform.python_version()),),
    )


def lacks(needed):
    return list(nodes._lacking(needed))


def test_a_node_with_everything_lacks_nothing(needed):
    assert lacks(needed) == []


def test_a_node_without_the_data_root_is_said_by_its_path(needed, monkeypatch):
    monkeypatch.setenv("HARNESS_WORKER_DATA", "/nowhere/at/all")
    (said,) = lacks(needed)
    assert (
        said == "the data folder /nowhere/at/all (HARNESS_WORKER_DATA names it there)"
    )


def test_a_folder_in_which_nothing_is_read_may_be_absent(needed, monkeypatch):
    monkeypatch.setenv("HARNESS_WORKER_DATA", "/nowhere/at/all")
    assert lacks(replace(needed, files=("cache:file",))) == []


def test_a_folder_of_the_same_name_with_something_else_in_it_is_said(needed):
    (needed.places.cache / "file").unlink()
    assert lacks(needed) == [str(needed.places.cache / "file")]


@pytest.mark.parametrize(
    ("package", "here"), [("torch", "2"), ("nothing-here", "none")]
)
def test_another_version_and_a_missing_package_are_said(needed, package, here):
    (said,) = lacks(replace(needed, versions=((package, "9.9.9"),)))
    assert said.startswith(f"{package} 9.9.9 (it has {here}")


def test_another_build_of_the_same_version_is_the_same(needed, monkeypatch):
    monkeypatch.setattr(nodes, "version", lambda name: "2.11.0+cpu")
    assert lacks(replace(needed, versions=(("torch", "2.11.0+cu130"),))) == []


def test_nodes_that_lack_the_same_stand_together():
    lack = ["the data folder /data"]
    answers: dict[str, list[str] | BaseException] = dict.fromkeys("acde", lack)
    answers |= {"b": [], "f": OSError("no")}
    assert nodes._complaint(answers) == (
        "a, c, d and 1 more lack the data folder /data. "
        "f lacks an answer (OSError: no)."
    )


TASK = Task(
    id="double",
    stage="double",
    resources=Resources(memory=1, seconds=0.0),
    function=lambda number: 2 * number,
    payload=21,
)


def perform(task):
    return task.function(task.payload)


def elsewhere(explain=lambda error: error):
    return Executor(name="e", summary="", start=ThreadPoolExecutor, explain=explain)


def test_a_node_that_joins_later_is_asked_by_its_first_task(needed, monkeypatch):
    with ThreadPoolExecutor(1) as pool:
        there = Cluster(elsewhere(), pool, needed)
        assert there.submit(perform, TASK).result() == 42
        nodes._require.cache_clear()
        monkeypatch.setenv("HARNESS_WORKER_DATA", "/nowhere/at/all")
        with pytest.raises(HarnessError, match=r"joined after .* /nowhere/at/all"):
            there.submit(perform, TASK).result()


def test_an_error_of_an_engine_is_explained(needed):
    class Broken:
        def submit(self, function, task):
            future: Future[object] = Future()
            future.set_exception(OSError("node down"))
            return future

    def explain(error):
        return BrokenExecutor(str(error))

    there = Cluster(elsewhere(explain), Broken(), needed)
    with pytest.raises(BrokenExecutor, match="node down"):
        there.submit(perform, TASK).result()


class Late:
    """Offers an executor whose first node is there when it is asked again."""

    @hookimpl
    def harness_executors(self):
        asked = []

        def everywhere(pool, function):
            asked.append(1)
            return {} if len(asked) < 2 else {"here": function()}

        yield Executor(
            name="late",
            summary="",
            start=lambda workers: ThreadPoolExecutor(1),
            window=4,
            everywhere=everywhere,
        )


def test_a_cluster_without_a_node_is_waited_for(harness, manager, monkeypatch):
    monkeypatch.setattr(nodes, "PATIENCE", 0.0)
    manager.register(Late())
    words = (*GRID, "--downstream", "linear", "--seeds", "0", "--executor", "late")
    code, _, err = harness("run", *words)
    assert code == 0, err
    assert "late has no node yet: waiting for the first" in err


def test_a_node_without_the_checkpoint_is_named(harness, manager, monkeypatch):
    manager.register(Late())
    monkeypatch.setattr(nodes, "PATIENCE", 0.0)

    def refuse(use, places):
        from harness import CheckpointError

        raise CheckpointError("not here")

    monkeypatch.setattr(nodes, "find_source", refuse)
    monkeypatch.setenv("HARNESS_CHECKPOINTS", "/models")
    words = (*GRID, "--downstream", "linear", "--seeds", "0", "--executor", "late")
    code, _, err = harness("run", *words)
    assert code == 2
    assert "here lacks the checkpoint of toy (looked for in" in err
    assert "/models" in err
