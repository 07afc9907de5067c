"""An index lists a folder where that may matter, and reads each header once."""

from __future__ import annotations

import pytest
import torch

from harness.errors import FeaturesGoneError
from harness.features.index import Index
from harness.features.shards import Origin, read_header, write_shard
from harness.features.store import FeatureStore


def write(folder, *keys):
    tensors = {key: torch.ones(2, 4) for key in keys}
    return write_shard(folder, tensors, Origin({}, {})).path


@pytest.fixture
def headers(monkeypatch):
    """The names of files whose headers were read."""
    read = []

    def reading(path):
        read.append(path.name)
        return read_header(path)

    monkeypatch.setattr("harness.features.index.read_header", reading)
    return read


@pytest.fixture
def listings(monkeypatch):
    """How often a folder was listed."""
    listed, real = [], Index._files

    def listing(index):
        listed.append(index.folder)
        return real(index)

    monkeypatch.setattr(Index, "_files", listing)
    return listed


def test_a_header_is_read_once_however_often_a_folder_is_listed(tmp_path, headers):
    index, paths = Index(tmp_path), []
    for number in range(5):
        paths.append(write(tmp_path, str(number)))
        index.refresh()
    assert sorted(headers) == sorted(path.name for path in paths)
    assert index.where == {str(number): path for number, path in enumerate(paths)}


def test_a_folder_that_was_listed_lately_is_not_listed_again(tmp_path, listings):
    index = Index(tmp_path)
    write(tmp_path, "a")
    for _ in range(50):
        index.refresh(lately=True)
    assert len(listings) == 1
    assert set(index.where) == {"a"}
    write(tmp_path, "b")
    index.refresh()
    assert set(index.where) == {"a", "b"}


def test_what_is_gone_is_forgotten_but_for_what_another_file_holds(tmp_path):
    index = Index(tmp_path)
    first, second = write(tmp_path, "a", "b"), write(tmp_path, "b", "c")
    index.refresh()
    assert set(index.where) == {"a", "b", "c"}
    second.unlink()
    index.refresh()
    assert index.where == {"a": first, "b": first}
    index.forget([first])
    assert index.where == {}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    index = Index(tmp_path / "none")
    index.refresh()
    assert index.where == {}


def test_what_this_process_writes_is_there_without_a_listing(tmp_path, listings):
    store = FeatureStore(tmp_path, {"name": "toy"})
    assert store.lacks("pooled", ["a", "b"], lately=True) == {"a", "b"}
    store.write("pooled", {"a": torch.ones(2, 3)}, {})
    assert store.lacks("pooled", ["a", "b"], lately=True) == {"b"}
    assert len(listings) == 1


def test_what_another_process_writes_is_found_when_it_is_read(tmp_path):
    store = FeatureStore(tmp_path, {"name": "toy"})
    assert store.lacks("pooled", ["a"]) == {"a"}
    write(store.folder / "pooled", "a")
    assert store.lacks("pooled", ["a"], lately=True) == {"a"}
    assert torch.equal(store.read("pooled", ["a"])["a"], torch.ones(2, 4))
    assert store.lacks("pooled", ["a"], lately=True) == set()


def test_what_another_process_removes_is_extracted_again(tmp_path):
    store = FeatureStore(tmp_path, {"name": "toy"})
    store.write("pooled", {"a": torch.ones(2, 3)}, {})
    for path in (store.folder / "pooled").iterdir():
        path.unlink()
    assert store.lacks("pooled", ["a"], lately=True) in (set(), {"a"})
    with pytest.raises(FeaturesGoneError):
        store.read("pooled", ["a"])
    assert store.lacks("pooled", ["a"], lately=True) == {"a"}


def test_who_waited_for_a_claim_is_told(tmp_path):
    store = FeatureStore(tmp_path, {"name": "toy"})
    with store.claim(["a"]) as waited:
        assert not waited
