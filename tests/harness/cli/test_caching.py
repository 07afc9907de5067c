"""``harness cache`` reads whatever is there, and removes what is damaged."""

from __future__ import annotations

import pytest
from toys import GRID

RUN = ("run", *GRID, "--downstream", "linear,multilayer")


@pytest.fixture
def cache(harness, tmp_path):
    """The cache of a finished run."""
    assert harness(*RUN)[0] == 0
    return tmp_path / "cache"


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
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_ends_no_verb(harness, cache, damage, verb):
    for kind in ("pooled", "all"):
        path = shards(cache, kind)[0]
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    code, _, err = harness("cache", *verb)
    assert code == (2 if verb == ("verify",) else 0), err
    assert "Traceback" not in err
    if verb:
        assert harness("cache", "verify")[0] == 0
        assert harness(*RUN, "--seeds", "1")[0] == 0


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


@pytest.mark.parametrize("file", ["certificate.json", "memory.json", "manifests"])
def test_what_is_sealed_is_verified(harness, cache, file):
    path = sorted(one for one in cache.rglob("*.json") if file in str(one))[0]
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
    code, _, err = harness("cache", "prune", "--only", "whisper")
    assert code == 2
    assert "No store's name has 'whisper'" in err


def test_a_finished_run_leaves_no_lock_and_nothing_hidden(harness, cache, tmp_path):
    found = [*cache.rglob("*.lock"), *cache.rglob(".*"), *tmp_path.glob("runs/.*")]
    assert found == []
