from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

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
    sweep_half_written,
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


def test_a_full_disk_is_an_error_with_a_next_step():
    with (
        pytest.raises(StoreError, match=r"disk is full.*harness cache"),
        replacing(Path("/dev/full")) as full,
    ):
        full.write_text("x")
    assert not Path("/dev/full").is_file()


def test_a_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "file").mkdir()
    with (
        pytest.raises(StoreError, match="Is a directory"),
        replacing(tmp_path / "file") as beside,
    ):
        beside.write_text("new")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_the_standard_output_is_written_to_and_stays():
    program = """
from pathlib import Path
from harness.files import replacing
with replacing(Path("/dev/stdout")) as out:
    out.write_text("a line")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "a line"
    assert Path("/dev/stdout").is_symlink()


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with replacing(tmp_path / "link") as link:
        link.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_the_folder_is_synced_after_the_file_is_in_place(tmp_path, monkeypatch):
    synced = []

    def sync(descriptor):
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((target, (tmp_path / "file").exists()))

    monkeypatch.setattr("os.fsync", sync)
    with replacing(tmp_path / "file") as beside:
        beside.write_text("new")
    assert synced == [(beside, False), (tmp_path, True)]


@pytest.fixture
def abandon(tmp_path):
    """Leave a half-written file of a process; return it, dated long ago."""

    def leave(pid):
        path = tmp_path / f".results.json.{pid}.123456"
        path.write_text("half")
        os.utime(path, (0, 0))
        return path

    return leave


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, abandon, gone):
    abandon(gone)
    assert sweep_half_written(tmp_path) == len("half")
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_is_writing_stays(tmp_path, abandon):
    path = abandon(os.getpid())
    assert sweep_half_written(tmp_path) == 0
    assert path.exists()


def test_what_another_machine_may_be_writing_stays(tmp_path, abandon, gone):
    path = abandon(gone)
    path.touch()
    assert sweep_half_written(tmp_path) == 0
    assert path.exists()


def test_other_hidden_files_stay(tmp_path):
    (tmp_path / ".notes.1").touch()
    os.utime(tmp_path / ".notes.1", (0, 0))
    sweep_half_written(tmp_path)
    assert (tmp_path / ".notes.1").exists()


def settled(path, content):
    """Write a file and date it, so that its facts may be cached."""
    path.write_text(content)
    now = time.time_ns()
    os.utime(path, ns=(now, now - 10**10))


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -1.0)
    return Memory(tmp_path / "memory.json")


def test_a_cached_value_is_there_for_the_next_process(tmp_path, memory):
    settled(tmp_path / "file", "abc")
    assert (
        memory.recall(tmp_path / "file", lambda path: path.read_text(), "text") == "abc"
    )
    memory.save()
    again = Memory(tmp_path / "memory.json")
    assert again.recall(tmp_path / "file", lambda path: "not computed", "text") == "abc"


def test_a_changed_byte_is_seen_though_size_and_time_are_the_old_ones(tmp_path, memory):
    path = tmp_path / "file"
    settled(path, "abc")
    before = path.stat()
    memory.recall(path, lambda path: path.read_text(), "text")
    path.write_text("abd")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert memory.recall(path, lambda path: path.read_text(), "text") == "abd"


def test_a_file_that_has_just_changed_is_not_cached(tmp_path):
    path, memory = tmp_path / "file", Memory(tmp_path / "memory.json")
    path.write_text("abc")
    memory.recall(path, lambda path: path.read_text(), "text")
    assert memory.recall(path, lambda path: "computed again", "text") == (
        "computed again"
    )


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_cache_is_an_empty_one(tmp_path, content):
    (tmp_path / "memory.json").write_text(content)
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


def test_a_scratch_folder_is_removed(tmp_path):
    with scratch_beside(tmp_path / "a") as scratch:
        (scratch / "half").touch()
        (scratch / "half").rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_a_killed_process_left_is_removed_the_next_time(tmp_path, leftover):
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


def test_sweeping_returns_how_much_was_freed(tmp_path, leftover):
    assert sweep(tmp_path) == len("half")
    assert list(tmp_path.iterdir()) == []


def test_a_hidden_folder_of_the_users_own_is_not_swept(tmp_path):
    (tmp_path / ".a-notes").mkdir()
    sweep(tmp_path)
    assert (tmp_path / ".a-notes").exists()
