"""Small shards become big ones: nothing is lost, whoever reads, writes or dies."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
import torch

from harness.features import packing
from harness.features.index import index_of
from harness.features.shards import ALIGNMENT, NORMS
from harness.features.store import FeatureStore

KEYS = [f"{number:02}" for number in range(12)]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path, {"name": "toy"})


def fill(store, kind="pooled", keys=KEYS, frames=5):
    """Write a shard an utterance; return the tensors."""
    draw = torch.Generator().manual_seed(0)
    written: dict[str, torch.Tensor] = {}
    for number, key in enumerate(keys):
        shape = (3, 8) if kind == "pooled" else (3, frames + number, 7)
        tensors = {key: torch.rand(shape, generator=draw)}
        if kind == "pooled":
            tensors[key + NORMS] = torch.rand(3, generator=draw)
        made = {"device": f"cpu {number % 2}", "created": f"2026-01-{number + 1:02}"}
        store.write(kind, tensors, {key: 1.0 + number}, made)
        written |= tensors
    return written


def anew(store):
    """Return the store as another process finds it."""
    index_of.cache_clear()
    return FeatureStore(store.folder.parent, store.identity)


def files(store, kind="pooled"):
    return sorted((store.folder / kind).glob("*"))


def is_as_written(store, kind, written, keys=KEYS):
    reader = store.read(kind, keys)
    return all(torch.equal(reader[name], written[name]) for name in written)


def test_what_was_packed_is_read_as_it_was_written(store):
    written = fill(store)
    done = packing.pack(store.folder / "pooled")
    assert (done.before, done.after, done.damaged) == (12, 1, ())
    assert len(files(store)) == 1
    for one in (store, anew(store)):
        assert is_as_written(one, "pooled", written)
        assert one.lacks("pooled", KEYS) == set()


def test_where_features_come_from_is_known_after_packing(store):
    fill(store)
    before = [store.record(KEYS), store.record(KEYS[:1]), store.record(KEYS[3:5])]
    packing.pack(store.folder / "pooled")
    store = anew(store)
    assert before == [
        store.record(KEYS),
        store.record(KEYS[:1]),
        store.record(KEYS[3:5]),
    ]


def test_a_pack_is_packed_with_what_comes_later(store):
    written = fill(store, keys=KEYS[:6])
    packing.pack(store.folder / "pooled")
    written |= fill(store, keys=KEYS[6:])
    record = store.record(KEYS)
    assert packing.pack(store.folder / "pooled").after == 1
    assert is_as_written(anew(store), "pooled", written)
    assert anew(store).record(KEYS) == record


@pytest.mark.parametrize("kind", ["last", "all"])
def test_the_bits_of_a_sum_over_frames_do_not_depend_on_packing(store, kind):
    fill(store, kind=kind)

    def sums():
        reader = anew(store).read(kind, KEYS)
        assert all(reader[key].data_ptr() % ALIGNMENT == 0 for key in KEYS)
        return [reader[key].mean(1).tolist() for key in KEYS]

    before = sums()
    assert packing.pack(store.folder / kind).after == 1
    assert sums() == before


def test_big_files_are_left_alone_and_packs_are_bounded(store, monkeypatch):
    fill(store)
    size = files(store)[0].stat().st_size
    monkeypatch.setattr(packing, "PACK", 3 * size + 10)
    assert packing.pack(store.folder / "pooled").after == 4
    monkeypatch.setattr(packing, "SMALL", size)
    before = files(store)
    assert packing.pack(store.folder / "pooled").after == 4
    assert files(store) == before


def test_few_files_are_not_packed_unasked(store):
    fill(store)
    packing.pack(store.folder / "pooled", least=13)
    assert len(files(store)) == 12


@pytest.mark.parametrize("place", [-1, 20], ids=["payload", "header"])
def test_a_damaged_file_is_named_and_never_packed(store, place):
    written = fill(store)
    store.read("pooled", KEYS)  # they were whole when they were read
    path = index_of(store.folder / "pooled").where[KEYS[4]]
    data, status = bytearray(path.read_bytes()), path.stat()
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert packing.pack(store.folder / "pooled").damaged == (path,)
    assert path in files(store)
    assert len(files(store)) == 2
    rest = {name: one for name, one in written.items() if KEYS[4] not in name}
    others = [key for key in KEYS if key != KEYS[4]]
    assert is_as_written(anew(store), "pooled", rest, others)


def test_a_reader_goes_on_while_its_files_are_packed(store):
    written = fill(store)
    reader = store.read("pooled", KEYS)
    packing.pack(store.folder / "pooled")
    assert all(torch.equal(reader[name], written[name]) for name in written)
    assert is_as_written(store, "pooled", written)


def test_an_index_that_another_process_made_old_finds_the_pack(store):
    written = fill(store)
    index = index_of(store.folder / "pooled")
    where, shards = dict(index.where), dict(index._shards)
    packing.pack(store.folder / "pooled")
    index.where, index._shards = dict(where), dict(shards)
    assert store.record(KEYS).seconds == sum(range(1, 13))
    index.where, index._shards = dict(where), dict(shards)
    assert is_as_written(store, "pooled", written)


def _read_until(folder, store, ready, done):
    reader = FeatureStore(folder, store.identity).read("pooled", KEYS)
    ready.set()
    done.wait(60)
    assert len([reader[key] for key in KEYS]) == len(KEYS)


def test_what_another_process_reads_is_removed_when_that_has_ended(store, tmp_path):
    fill(store)
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_read_until, args=(tmp_path, store, ready, done))
    other.start()
    assert ready.wait(120)
    packing.pack(store.folder / "pooled")
    assert packing.remove_retired(store.folder) == 0
    assert len(list((store.folder / packing.RETIRED).iterdir())) == 12
    done.set()
    other.join(60)
    assert other.exitcode == 0
    assert packing.remove_retired(store.folder) > 0
    assert not (store.folder / packing.RETIRED).exists()


STEPS = ("write_pieces", "read_whole", "retire", "remove")


def _die(store, step, calls):
    """Pack, and be killed before one of its steps."""
    real, count = getattr(packing, step), iter(range(calls + 1))

    def deadly(*args):
        if next(count) == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    setattr(packing, step, deadly)
    packing.pack(store.folder / "pooled")
    packing.remove_retired(store.folder)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("step", [*STEPS, "replace"])
@pytest.mark.parametrize("calls", [0, 1, 5])
def test_a_killed_packing_loses_and_duplicates_nothing(store, step, calls, monkeypatch):
    written = fill(store)
    size = files(store)[0].stat().st_size
    monkeypatch.setattr(packing, "PACK", 4 * size + 10)
    if step == "replace":  # between the files that are moved out of the way
        step, real = "retire", packing.retire

        def one_by_one(paths):
            for path in paths:
                real([path])

        monkeypatch.setattr(packing, "retire", one_by_one)
    other = multiprocessing.get_context("fork").Process(
        target=_die, args=(store, step, calls)
    )
    other.start()
    other.join(60)
    assert other.exitcode in (0, -signal.SIGKILL)
    for _ in range(2):
        found = anew(store)
        assert is_as_written(found, "pooled", written)
        assert found.record(KEYS).seconds == sum(range(1, 13))
        packing.pack(store.folder / "pooled")
    packing.remove_retired(store.folder)
    held = [key for one in anew(store).shards("pooled") for key in one.keys]
    assert sorted(held) == KEYS


def test_what_a_killed_packing_left_beside_a_big_pack_goes(store, monkeypatch):
    written = fill(store)
    size = files(store)[0].stat().st_size
    with monkeypatch.context() as patched:
        patched.setattr(packing, "retire", lambda paths: None)
        packing.pack(store.folder / "pooled")
    assert len(files(store)) == 13
    monkeypatch.setattr(packing, "SMALL", size + 200)
    done = packing.pack(anew(store).folder / "pooled")
    assert (done.before, done.after) == (13, 1)
    assert is_as_written(anew(store), "pooled", written)


def _pack_again_and_again(store):
    for _ in range(20):
        packing.pack(store.folder / "pooled")


def test_an_utterance_is_found_whenever_a_folder_is_packed(store):
    written = fill(store)
    other = multiprocessing.get_context("spawn").Process(
        target=_pack_again_and_again, args=(store,)
    )
    other.start()
    more = [f"more {number}" for number in range(30)]
    for key in more:
        written |= fill(store, keys=[key])
        assert anew(store).lacks("pooled", KEYS) == set()
    other.join(60)
    assert is_as_written(anew(store), "pooled", written, [*KEYS, *more])


def test_a_folder_that_another_process_packs_is_left_to_it(store):
    fill(store)
    with packing._alone(store.folder / "locks" / "pack-pooled.lock"):
        assert packing.pack(store.folder / "pooled").busy
    assert len(files(store)) == 12
