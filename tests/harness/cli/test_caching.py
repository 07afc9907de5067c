"""``harness cache`` reads whatever is there, and removes what is damaged."""

from __future__ import annotations

import pytest
import torch
from pyarrow import parquet
from toys import GRID

from harness.data import stored
from harness.data.places import Places
from harness.features.index import index_of
from harness.features.store import FeatureStore
from harness.memory import Memory

KEYS = [f"{number}" * 64 for number in range(8)]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with a store of eight shards of each kind, and files that are sealed."""
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -60.0)
    folder = tmp_path / "cache"
    store = FeatureStore(folder / "features", {"name": "toy", "feeding": "full"})
    for key in KEYS:
        store.write("pooled", {key: torch.rand(3, 8)}, {key: 1.0})
        store.write("all", {key: torch.rand(3, 9, 8)}, {key: 1.0})
    store.certify({"delta": 0.0})
    stored.store(Places(data=tmp_path, cache=folder), (), ())
    memory = Memory(folder / "memory")
    (tmp_path / "file").touch()
    memory.recall(tmp_path / "file", lambda path: "a fact", "what")
    memory.save()
    return folder


def shards(cache, kind):
    return sorted(cache.glob(f"features/*/{kind}/*.safetensors"))


DAMAGES = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "header": lambda data: b"\xff" * 8 + data[8:],
    "json": lambda data: data[:9] + b"\xff" + data[10:],
    "deep": lambda data: (10**5).to_bytes(8, "little") + b"[" * 10**5,
    "payload": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
}
VERBS = [(), ("prune",), ("prune", "--all"), ("verify",)]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_damaged_shards_end_no_verb(harness, cache, verb):
    for kind in ("pooled", "all"):
        for path, damage in zip(shards(cache, kind), DAMAGES.values(), strict=False):
            path.write_bytes(damage(path.read_bytes()))
    code, _, err = harness("cache", *verb)
    assert code == (2 if verb == ("verify",) else 0), err
    if verb:
        assert harness("cache", "verify")[0] == 0


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 10**5, b'"x"'])
def test_a_damaged_description_ends_no_verb(harness, cache, text):
    for about in cache.glob("features/*/about.json"):
        about.write_bytes(text)
    code, out, _ = harness("cache")
    assert code == 0
    assert "toy" in out
    assert harness("cache", "prune", "--all")[0] == 0
    assert shards(cache, "pooled") == []


def test_pruning_removes_frames_and_damaged_means_and_leaves_whole_ones(harness, cache):
    whole = shards(cache, "pooled")
    damaged = whole.pop(0)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    harness("cache", "prune")
    assert shards(cache, "all") == []
    assert shards(cache, "pooled") == whole


@pytest.mark.parametrize("file", ["certificate.json", "memory", "manifests"])
def test_what_is_sealed_is_verified(harness, cache, file):
    files = (path for path in cache.rglob("*") if path.is_file())
    path = sorted(one for one in files if file in str(one.relative_to(cache)))[0]
    data = path.read_bytes()
    path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    code, out, _ = harness("cache", "verify")
    assert code == 2
    assert "1 damaged file" in out
    assert not path.exists()
    assert harness("cache", "verify")[0] == 0


def test_a_cache_that_is_not_there_is_empty(harness):
    for verb in VERBS:
        assert harness("cache", *verb)[0] == 0


def test_a_name_that_no_store_has_is_said(harness, cache):
    code, _, err = harness("cache", "prune", "--only", "upstream=whisper")
    assert code == 2
    assert "No stored features are of upstream=whisper" in err


def test_features_are_chosen_as_results_are(harness, cache):
    words = ("cache", "prune", "--only", "upstream=toy,other", "--only", "feeding=full")
    assert harness(*words)[0] == 0
    assert harness("cache", "prune", "--only", "feeding=trimmed")[0] == 2
    code, _, err = harness("cache", "prune", "--only", "feding=full")
    assert code == 2
    assert "Did you mean 'feeding'?" in err


def test_a_finished_run_leaves_no_lock_and_nothing_hidden(harness, tmp_path):
    assert harness("run", *GRID, "--downstream", "linear")[0] == 0
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    assert [*cache.rglob("*.lock"), *cache.rglob(".*"), *runs.glob(".*")] == []
    assert (cache / "features").is_dir()


# ---------------------------------------------------------------- packing


def run(harness, *heads):
    return harness("run", *GRID, "--downstream", ",".join(heads), "--quiet")


def scores(tmp_path):
    """Every score of every prediction, by run."""
    tables = map(parquet.read_table, sorted((tmp_path / "runs").glob("*.parquet")))
    rows = [row for table in tables for row in table.to_pylist()]
    return {
        row["run_id"]: (row["predictions"], row["history"], row["layer_weights"])
        for row in rows
    }


def test_results_after_packing_are_those_before_bit_by_bit(
    harness, tmp_path, monkeypatch
):
    heads = ("linear", "nonlinear", "multilayer")
    monkeypatch.setattr("harness.execution.tasks.BYTES", 1)  # a shard an utterance
    assert run(harness, *heads)[0] == 0
    cache, before = tmp_path / "cache", scores(tmp_path)
    assert len(before) >= len(heads)
    many = len([*shards(cache, "pooled"), *shards(cache, "all")])
    code, out, err = harness("cache", "compact")
    assert code == 0, err
    assert len([*shards(cache, "pooled"), *shards(cache, "all")]) == 2 < many
    assert " all " in out
    assert "of old files removed" in out
    (tmp_path / "runs").rename(tmp_path / "before")
    index_of.cache_clear()
    monkeypatch.setattr("harness.features.extraction._store_missing", None)
    assert run(harness, *heads)[0] == 0
    assert scores(tmp_path) == before


def test_a_run_packs_its_means_and_leaves_nothing_else(harness, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.execution.tasks.BYTES", 1)
    monkeypatch.setattr("harness.execution.run.MANY", 2)
    assert run(harness, "linear")[0] == 0
    cache = tmp_path / "cache"
    assert len(shards(cache, "pooled")) == 1
    (store,) = (cache / "features").iterdir()
    assert not (store / "retired").exists()
    assert list(store.rglob("*.lock")) == []


def test_compacting_twice_does_nothing_more(harness, cache):
    assert harness("cache", "compact")[0] == 0
    before = shards(cache, "pooled"), shards(cache, "all")
    assert list(map(len, before)) == [1, 1]
    code, out, _ = harness("cache", "compact", "--only", "upstream=toy")
    assert (code, out.splitlines()[0]) == (0, "nothing to pack")
    assert before == (shards(cache, "pooled"), shards(cache, "all"))


def test_a_damaged_file_is_named_by_compact_and_left(harness, cache):
    path = shards(cache, "pooled")[3]
    path.write_bytes(DAMAGES["payload"](path.read_bytes()))
    code, _, err = harness("cache", "compact")
    assert code == 0
    assert f"{path.relative_to(cache)} is damaged, and left as it is" in err
    assert path in shards(cache, "pooled")


def test_a_store_of_another_version_is_said_to_be_outdated(
    harness, tmp_path, monkeypatch
):
    assert run(harness, "linear")[0] == 0
    assert "current" in harness("cache")[1]
    monkeypatch.setattr("harness.features.extraction.VERSION", 99)
    _, out, _ = harness("cache")
    assert "outdated: made by code that another version" in out
    plan = ("plan", *GRID[:4], "--downstream", "linear")
    assert "made are not used" in harness(*plan)[1]
    assert "made are not used" in harness("run", *GRID, "--downstream", "linear")[2]
