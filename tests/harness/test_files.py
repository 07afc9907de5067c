from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from harness import StoreError
from harness.files import (
    SCRATCH,
    UNLOCKED_SECONDS,
    replacing,
    scratch_beside,
    sha256_bytes,
    sha256_json,
    sweep,
)
from harness.leftovers import tidy


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


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.files import replacing, scratch_beside
make = {"scratch": scratch_beside, "file": replacing}[sys.argv[2]]
with make(Path(sys.argv[1])) as half:
    (half / "half" if half.is_dir() else half).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["scratch", "file"])
def leftover(request, tmp_path):
    """The scratch folder of a process that was killed just now."""
    command = [sys.executable, "-c", KILLED, tmp_path / "a", request.param]
    assert subprocess.run(command, check=False).returncode == -9
    (scratch,) = tmp_path.iterdir()
    return scratch


def test_a_scratch_folder_that_is_swept_before_its_lock_is_made_again(
    tmp_path, monkeypatch
):
    swept: list[str] = []
    acquire = FileLock._acquire

    def swept_first(lock):
        if not swept:
            swept.append(lock.lock_file)
            shutil.rmtree(Path(lock.lock_file).parent)
            raise FileNotFoundError(2, "No such file or directory")
        acquire(lock)

    monkeypatch.setattr(FileLock, "_acquire", swept_first)
    with replacing(tmp_path / "a") as beside:
        beside.write_text("whole")
    assert swept
    assert (tmp_path / "a").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_scratch_folder_is_removed(tmp_path):
    with scratch_beside(tmp_path / "a") as scratch:
        (scratch / "half").touch()
        (scratch / "half").rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_a_killed_process_left_is_removed_the_next_time(tmp_path, leftover):
    assert leftover.exists()
    with scratch_beside(tmp_path / "a"):
        assert not leftover.exists()


def test_a_folder_without_a_lock_is_left_as_long_as_it_is_young(tmp_path):
    scratch = tmp_path / ".a-x.scratch"
    scratch.mkdir()
    assert sweep(tmp_path) == 0
    assert scratch.exists()
    os.utime(scratch, (0, 0))
    sweep(tmp_path)
    assert not scratch.exists()


def test_a_file_that_is_being_written_is_not_swept(tmp_path):
    with replacing(tmp_path / "a") as beside:
        beside.write_text("half")
        assert sweep(tmp_path) == 0
        assert beside.exists()
    assert (tmp_path / "a").read_text() == "half"


@pytest.mark.parametrize("name", ["é" * 120, "a[b]*?", "x" * 250])
def test_a_name_of_any_length_and_kind_is_written(tmp_path, name):
    with replacing(tmp_path / name) as beside:
        beside.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_locks_that_nobody_holds_are_removed(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "free.lock").touch()
    with FileLock(tmp_path / "locks" / "held.lock"):
        tidy(tmp_path)
        assert [path.name for path in tmp_path.glob("*/*")] == ["held.lock"]
    tidy(tmp_path)
    assert list(tmp_path.glob("*/*")) == []


def test_what_was_left_anywhere_below_a_cache_is_removed(tmp_path, leftover):
    (tmp_path / "a" / "b").mkdir(parents=True)
    leftover.rename(tmp_path / "a" / "b" / leftover.name)
    assert tidy(tmp_path) == len("half")
    assert list((tmp_path / "a" / "b").iterdir()) == []


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


def test_a_scratch_folder_that_has_no_lock_yet_is_not_swept(tmp_path):
    young, old = (tmp_path / f".{name}-x{SCRATCH}" for name in ("young", "old"))
    for folder in (young, old):
        folder.mkdir()
    then = time.time() - 2 * UNLOCKED_SECONDS
    os.utime(old, (then, then))
    sweep(tmp_path)
    assert young.exists()
    assert not old.exists()
