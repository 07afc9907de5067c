"""No result is made without a certificate: it is made whenever there is none."""

from __future__ import annotations

import pyarrow.parquet
import pytest

from harness.features.store import stored


@pytest.fixture
def run(harness, tmp_path):
    """Run a head on the toy upstream's features; return the newest row."""

    def run(head, *options):
        code, _, err = harness(
            *("run", "--upstream", "toy", "--downstream", head, "--corpus", "tones"),
            *("--executor", "serial", "--no-controls", *options),
        )
        assert code == 0, err
        rows = pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()
        (row,) = (one for one in rows if one["condition"]["downstream"]["name"] == head)
        return row

    return run


@pytest.fixture
def certificate(tmp_path):
    """Find the certificate of the only store."""

    def certificate():
        (store,) = stored(tmp_path / "cache" / "features")
        return store, store.folder / "certificate.json"

    return certificate


def lose(file):
    file.unlink()


def flip(file):
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 1
    file.write_bytes(raw)


def cut(file):
    file.write_bytes(file.read_bytes()[:20])


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [lose, flip, cut, empty])
def test_over_features_that_are_complete_a_certificate_is_made_again(
    run, certificate, damage
):
    first = run("linear")
    store, file = certificate()
    before, shards = store.certificate, {one.path for one in store.shards("pooled")}
    assert before == figures(first)
    damage(file)
    assert store.certificate == {}
    second = run("majority")
    assert store.certificate == before
    assert figures(second) == before
    assert {one.path for one in store.shards("pooled")} == shards


def figures(row):
    """Return the certificate that a result was stored with."""
    return dict(row["extraction"]["certificate"])
