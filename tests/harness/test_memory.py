"""Facts of files are cached, and never those of a file that has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.memory import MANY, SUFFIX, Memory, is_whole


def settled(path, content):
    """Write a file and date it, so that its facts may be cached."""
    path.write_text(content)
    now = time.time_ns()
    os.utime(path, ns=(now, now - 10**10))


@pytest.fixture
def settles(monkeypatch):
    """Let facts of files that have just been written be cached."""
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -60.0)


@pytest.fixture
def memory(tmp_path, settles):
    return Memory(tmp_path / "memory")


def test_a_cached_value_is_there_for_the_next_process(tmp_path, memory):
    settled(tmp_path / "file", "abc")
    assert (
        memory.recall(tmp_path / "file", lambda path: path.read_text(), "text") == "abc"
    )
    memory.save()
    again = Memory(tmp_path / "memory")
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
    path, memory = tmp_path / "file", Memory(tmp_path / "memory")
    path.write_text("abc")
    memory.recall(path, lambda path: path.read_text(), "text")
    assert memory.recall(path, lambda path: "computed again", "text") == (
        "computed again"
    )


@pytest.mark.parametrize("content", ["{", "[]", "\t\t\n", "00000000\t1\t2\n"])
def test_a_damaged_cache_is_an_empty_one(tmp_path, content):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / f"a{SUFFIX}").write_text(content)
    (tmp_path / "file").write_text("abc")
    memory = Memory(tmp_path / "memory")
    assert memory.recall(tmp_path / "file", lambda path: 1, "one") == 1
    assert not is_whole(tmp_path / "memory" / f"a{SUFFIX}")


def test_what_cannot_be_a_folder_keeps_nothing(tmp_path, settles):
    (tmp_path / "memory").touch()
    memory = Memory(tmp_path / "memory")
    assert remembered(memory, tmp_path) == "computed"
    memory.save()
    assert remembered(Memory(tmp_path / "memory"), tmp_path) == "computed"


def remembered(memory, folder, about="what", value="computed"):
    if not (folder / "file").exists():
        (folder / "file").touch()
    return memory.recall(folder / "file", lambda path: value, about)


def test_a_damaged_line_costs_one_fact(tmp_path, memory):
    for about in "abc":
        assert remembered(memory, tmp_path, about, "first") == "first"
    memory.save()
    (path,) = (tmp_path / "memory").iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"first", b"other")
    path.write_bytes(b"".join(lines))
    again = Memory(tmp_path / "memory")
    found = [remembered(again, tmp_path, about, "again") for about in "abc"]
    assert found == ["first", "again", "first"]


def test_processes_that_learn_at_once_lose_nothing(tmp_path, settles):
    both = [Memory(tmp_path / "memory") for _ in range(2)]
    for memory, about in zip(both, "ab", strict=True):
        remembered(memory, tmp_path, about)
    for memory in both:
        memory.save()
    again = Memory(tmp_path / "memory")
    assert {remembered(again, tmp_path, one, "anew") for one in "ab"} == {"computed"}


def test_many_files_are_packed_into_one(tmp_path, settles):
    for number in range(MANY + 1):
        memory = Memory(tmp_path / "memory")
        remembered(memory, tmp_path, str(number))
        memory.save()
    assert len(list((tmp_path / "memory").iterdir())) == 1
    again = Memory(tmp_path / "memory")
    known = {remembered(again, tmp_path, str(n), "anew") for n in range(MANY + 1)}
    assert known == {"computed"}


def test_the_later_fact_of_a_file_that_changed_counts(tmp_path, settles):
    for value in ("old", "new"):
        (tmp_path / "file").write_text(value)
        memory = Memory(tmp_path / "memory")
        assert memory.recall(tmp_path / "file", Path.read_text, "text") == value
        memory.save()
    again = Memory(tmp_path / "memory")
    assert again.recall(tmp_path / "file", lambda path: "", "text") == "new"
