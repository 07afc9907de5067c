from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import StoreError
from harness.files import (
    Memory,
    replacing,
    scratch_beside,
    sha256_bytes,
    sha256_json,
    sweep,
)


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4)))
def test_different_sequences_of_bytes_have_different_hashes(one, other):
    assert (sha256_bytes(*one) == sha256_bytes(*other)) == (one == other)


def test_the_order_of_keys_does_not_change_a_hash():
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})


def test_a_file_that_was_not_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_with_a_next_step(tmp_path):
    with (
        pytest.raises(StoreError, match=r"disk is full.*harness cache"),
        replacing(tmp_path / "file"),
        open("/dev/full", "w") as full,  # noqa: PTH123
    ):
        full.write("x")
        full.flush()


def settled(path, content):
    """Write a file and date it, so that its facts may be remembered."""
    path.write_text(content)
    now = time.time_ns()
    os.utime(path, ns=(now, now - 10**10))


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -1.0)
    return Memory(tmp_path / "memory.json")


def test_what_was_learnt_is_remembered_by_the_next_process(tmp_path, memory):
    settled(tmp_path / "file", "abc")
    assert (
        memory.recall(tmp_path / "file", lambda path: path.read_text(), "text") == "abc"
    )
    memory.save()
    again = Memory(tmp_path / "memory.json")
    assert again.recall(tmp_path / "file", lambda path: "not asked", "text") == "abc"


def test_a_changed_byte_is_seen_though_size_and_time_are_the_old_ones(tmp_path, memory):
    path = tmp_path / "file"
    settled(path, "abc")
    before = path.stat()
    memory.recall(path, lambda path: path.read_text(), "text")
    path.write_text("abd")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert memory.recall(path, lambda path: path.read_text(), "text") == "abd"


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path):
    path, memory = tmp_path / "file", Memory(tmp_path / "memory.json")
    path.write_text("abc")
    memory.recall(path, lambda path: path.read_text(), "text")
    assert memory.recall(path, lambda path: "asked again", "text") == "asked again"


def test_a_damaged_memory_is_an_empty_one(tmp_path):
    (tmp_path / "memory.json").write_text("{")
    (tmp_path / "file").write_text("abc")
    memory = Memory(tmp_path / "memory.json")
    assert memory.recall(tmp_path / "file", lambda path: 1, "one") == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.files import scratch_beside
with scratch_beside(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def leftover(tmp_path):
    """The scratch folder of a process that was killed some time ago."""
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert killed.returncode == -9
    (scratch,) = tmp_path.iterdir()
    os.utime(scratch, (0, 0))
    return scratch


def test_a_scratch_folder_goes_again(tmp_path):
    with scratch_beside(tmp_path / "a") as scratch:
        (scratch / "half").touch()
        (scratch / "half").rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_a_killed_process_left_goes_the_next_time(tmp_path, leftover):
    assert (leftover / "half").exists()
    with scratch_beside(tmp_path / "a"):
        assert not leftover.exists()


def test_what_was_left_beside_something_else_is_not_touched(tmp_path, leftover):
    with scratch_beside(tmp_path / "b"):
        assert leftover.exists()


def test_a_scratch_folder_in_use_is_not_touched(tmp_path):
    with scratch_beside(tmp_path / "a") as mine:
        os.utime(mine, (0, 0))
        with scratch_beside(tmp_path / "a"):
            assert mine.exists()
        assert sweep(tmp_path) == 0
        assert mine.exists()


def test_sweeping_tells_how_much_was_freed(tmp_path, leftover):
    assert sweep(tmp_path) == len("half")
    assert list(tmp_path.iterdir()) == []


def test_a_hidden_folder_of_the_users_own_is_not_swept(tmp_path):
    (tmp_path / ".a-notes").mkdir()
    sweep(tmp_path)
    assert (tmp_path / ".a-notes").exists()
