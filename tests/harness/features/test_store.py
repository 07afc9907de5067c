"""The feature store: what is written is read, whatever happens in between."""

from __future__ import annotations

import errno
import multiprocessing
import signal
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import StoreError
from harness.errors import FeaturesGoneError
from harness.features.shards import ALIGNMENT, NORMS
from harness.features.store import FeatureStore, outdated, stored

IDENTITY = {"name": "toy", "checkpoint": "abc"}


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path, IDENTITY)


MADE = {"device": "cpu", "versions": {"torch": "2.6"}, "created": "2026-01-02"}


def fill(store, *keys, kind="pooled", **made):
    tensors = {key: torch.full((2, 3), float(len(key))) for key in keys}
    store.write(kind, tensors, dict.fromkeys(keys, 1.5), MADE | made)
    return tensors


def test_what_was_written_is_read(store):
    tensors = fill(store, "a", "bb")
    reader = store.read("pooled", ["bb", "a"])
    assert all(torch.equal(reader[key], tensors[key]) for key in tensors)
    assert store.record(["a", "bb"]).seconds == 3.0


def test_an_extraction_that_two_machines_shared_names_both(store):
    fill(store, "a")
    fill(store, "b", device="cuda", created="2026-01-01", versions={"torch": "2.7"})
    fill(store, "c", device="tpu")
    record = store.record(["a", "b"])
    assert record.devices == ("cpu", "cuda")
    assert record.versions == {"torch": "2.6, 2.7"}
    assert (record.first, record.last) == ("2026-01-01", "2026-01-02")


def test_the_certificate_is_kept_with_the_features(store):
    assert store.certificate == {}
    store.certify({"batched_delta": 0.5})
    assert store.certificate == {"batched_delta": 0.5}
    assert store.record([]).certificate == {"batched_delta": 0.5}


@pytest.mark.parametrize("damage", ["", "{", "no"])
def test_a_damaged_certificate_is_none(store, damage):
    store.certify({"batched_delta": 0.5})
    (store.folder / "certificate.json").write_text(damage)
    assert store.certificate == {}


def test_all_layers_hold_the_last_one(store):
    frames = torch.arange(12.0).view(3, 2, 2)
    store.write("all", {"a": frames}, {})
    assert store.keys("last") == {"a"}
    assert torch.equal(store.read("last", ["a"])["a"], frames[-1])


@pytest.mark.parametrize("name", ["fbank", "hf:acme/model", "../" * 30, "é x\n"])
def test_the_folder_of_a_store_lies_below_the_root_whatever_its_name(tmp_path, name):
    store = FeatureStore(tmp_path, IDENTITY | {"name": name})
    fill(store, "a")
    assert store.folder.parent == tmp_path
    assert not store.folder.name.startswith(".")
    (found,) = stored(tmp_path)
    assert (found.folder, found.identity["name"]) == (store.folder, name)


QUICK = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=30,
    deadline=None,
)


@QUICK
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=1),
        max_size=5,
    )
)
def test_a_store_holds_exactly_what_its_shards_hold(tmp_path_factory, shards):
    store = FeatureStore(tmp_path_factory.mktemp("store"), IDENTITY)
    for shard in shards:
        store.write("last", {k: torch.ones(n, 2) for k, n in shard.items()}, {})
    assert store.keys("last") == frozenset().union(*shards)
    assert store.keys("pooled") == frozenset()


def test_another_identity_is_another_store(tmp_path, store):
    fill(store, "a")
    other = FeatureStore(tmp_path, IDENTITY | {"checkpoint": "abd"})
    assert other.keys("pooled") == frozenset()
    assert other.folder != store.folder


def test_norms_stand_beside_the_means(store):
    store.write("pooled", {"a": torch.ones(2, 3), "a" + NORMS: torch.ones(2)}, {})
    assert store.keys("pooled") == {"a"}
    assert store.read("pooled", ["a"])["a" + NORMS].shape == (2,)


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_damaged_shard_is_passed_over_and_can_be_written_again(store, keep):
    fill(store, "a")
    (shard,) = store.shards("pooled")
    shard.path.write_bytes(shard.path.read_bytes()[:keep])
    assert store.keys("pooled") == frozenset()
    fill(store, "a")
    assert store.keys("pooled") == {"a"}


def flip(path, place):
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", [-1, -20])
def test_a_flipped_bit_is_never_read(store, place):
    """A shard is checked once a process, so it is damaged before it is first read."""
    fill(store, "a", "b")
    fill(store, "c")
    (damaged,) = (s.path for s in store.shards("pooled") if "a" in s.keys)
    flip(damaged, place)
    assert store.damaged() == [damaged]
    with pytest.raises(FeaturesGoneError, match="lacks 2 clips"):
        store.read("pooled", ["a", "b", "c"])
    assert store.keys("pooled") == {"c"}
    tensors = fill(store, "a", "b")
    reader = store.read("pooled", ["a", "b", "c"])
    assert all(torch.equal(reader[key], tensors[key]) for key in tensors)
    assert store.damaged() == []


def test_features_that_are_gone_are_named(store):
    fill(store, "a")
    with pytest.raises(StoreError, match=r"lacks 1 clip, .*again"):
        store.read("pooled", ["a", "b"])


def test_dropping_spares_shards_that_hold_others(store):
    fill(store, "a", "b", kind="all")
    fill(store, "c", kind="all")
    assert store.drop("all", ["a", "c"]) > 0
    assert store.keys("all") == {"a", "b"}


def test_a_store_is_listed_with_its_identity(tmp_path, store):
    fill(store, "a")
    (tmp_path / "other").mkdir()
    assert [found.folder for found in stored(tmp_path)] == [store.folder]
    assert stored(tmp_path)[0].bytes("pooled") > 0


def test_a_full_disk_leaves_a_usable_store(store, monkeypatch):
    fill(store, "a")

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StoreError, match="disk is full"):
            fill(store, "b")
    assert store.keys("pooled") == {"a"}
    fill(store, "b")
    assert store.keys("pooled") == {"a", "b"}
    assert len(list((store.folder / "pooled").iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    store = FeatureStore(tmp_path / "file", IDENTITY)
    with pytest.raises(StoreError, match="--cache"), store.claim(["a"]):
        pass


def _hold(folder, ready):
    store = FeatureStore(folder, IDENTITY)
    with store.claim(["a"]):
        ready.set()
        time.sleep(60)


def test_a_claim_ends_with_the_process_that_was_killed(tmp_path, store):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(20)
    holder.kill()
    holder.join()
    with store.claim(["a"]):
        pass
    assert holder.exitcode == -signal.SIGKILL


@QUICK
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
        st.tuples(st.integers(1, 30), st.floats(0, 1e6)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([torch.float32, torch.float16]),
)
def test_frames_begin_at_a_cache_line_whatever_lies_beside_them(
    tmp_path_factory, utterances, dtype
):
    store = FeatureStore(tmp_path_factory.mktemp("store"), IDENTITY)
    frames = {key: torch.ones(n, 32, dtype=dtype) for key, (n, _) in utterances.items()}
    store.write("all", frames, {key: took for key, (_, took) in utterances.items()})
    (shard,) = store.shards("all")
    header = int.from_bytes(shard.path.read_bytes()[:8], "little")
    assert (8 + header) % ALIGNMENT == 0
    (origin,) = shard.origins
    assert all(origin.seconds[key] == took for key, (_, took) in utterances.items())
    reader = store.read("all", list(frames))
    assert all(torch.equal(reader[key], frames[key]) for key in frames)
    assert all(reader[key].data_ptr() % ALIGNMENT == 0 for key in frames)


def test_a_store_of_another_version_of_the_code_is_outdated(tmp_path):
    now: dict[str, object] = {**IDENTITY, "extraction": 2, "decoding": 2}
    others: list[dict[str, object]]
    others = [{"extraction": 1}, {"decoding": 1}, {"checkpoint": "other"}]
    for other in others:
        fill(FeatureStore(tmp_path, now | other), "a")
    store = FeatureStore(tmp_path, now)
    fill(store, "a")
    found = [one.identity for one in outdated(store)]
    assert len(found) == 2
    assert now | {"extraction": 1} in found
    assert now | {"decoding": 1} in found
