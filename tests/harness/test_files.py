from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import StoreError
from harness.files import Memory, replacing, sha256_bytes, sha256_json


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
