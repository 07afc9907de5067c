from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness_leaderboard.results import folders, reading, store, upkeep
from pyarrow import fs

from harness import HarnessError
from harness.errors import StoreError


@pytest.fixture
def elsewhere(runs: Path, make_result) -> str:
    """Two results in a folder that is named by a URI."""
    for seed in (0, 1):
        store.write_result(make_result(seed=seed), runs / f"machine-{seed}")
    return runs.as_uri()


def test_what_has_a_scheme_is_a_uri_and_all_else_a_folder():
    assert folders.folder("s3://bucket/runs") == "s3://bucket/runs"
    assert folders.folder("C:/runs") == Path("C:/runs")


def test_results_elsewhere_read_as_they_do_here(elsewhere: str, runs: Path):
    there, _ = reading.read_runs(elsewhere, ("upstream", "seed"))
    here, _ = reading.read_runs(runs, ("upstream", "seed"))
    assert len(there) == 2
    assert there.equals(here)


def test_large_files_elsewhere_are_read_as_well(elsewhere, runs, monkeypatch):
    monkeypatch.setattr(folders, "SMALL", 0)
    assert len(reading.read_runs(elsewhere, ("upstream", "seed"))[0]) == 2


def test_hidden_and_foreign_files_elsewhere_are_passed_over(elsewhere: str, runs: Path):
    (runs / ".half.parquet").write_bytes(b"")
    (runs / "notes.txt").write_text("x")
    (runs / ".trash").mkdir()
    (runs / ".trash" / "old.parquet").write_bytes(b"")
    assert len(list(folders.files(elsewhere))) == 2


def test_a_damaged_file_elsewhere_is_named_and_left_out(elsewhere: str, runs: Path):
    (runs / "bad.parquet").write_bytes(b"PAR1 and no more")
    table, left_out = reading.read_runs(elsewhere, ("upstream", "seed"))
    assert len(table) == 2
    assert left_out[0].startswith(f"{runs.as_uri()}/bad.parquet is left out")


def test_results_elsewhere_are_verified(elsewhere: str):
    assert not [said for said in upkeep.verify(elsewhere, ()) if "damaged" in said]


def test_results_elsewhere_are_merged_with_the_lists_of_packed_ones(
    elsewhere: str, runs: Path, tmp_path: Path
):
    for machine in ("machine-0", "machine-1"):
        upkeep.compact(runs / machine)
    here = tmp_path / "here"
    assert upkeep.merge([elsewhere], here)[:2] == (2, 0)
    assert store.finished_runs(here) == store.finished_runs(runs)


@pytest.mark.parametrize("uri", ["nonsense://x/y", "file:///no/such/folder"])
def test_what_cannot_be_listed_is_one_sentence(uri: str):
    with pytest.raises(HarnessError, match=f"Results at {uri} cannot be read"):
        list(folders.files(uri))


class Silent:
    @staticmethod
    def from_uri(uri: str) -> None:
        time.sleep(5)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(folders, "PATIENCE", 0.05)
    monkeypatch.setattr(fs, "FileSystem", Silent)
    with pytest.raises(HarnessError, match="No answer from s3://bucket/runs"):
        list(folders.files("s3://bucket/runs"))


def test_no_message_holds_a_secret():
    with pytest.raises(HarnessError) as caught:
        list(folders.files("nonsense://key:secret@bucket/runs"))
    assert "secret" not in str(caught.value)
    assert "nonsense://bucket/runs" in str(caught.value)


def test_nothing_is_written_elsewhere():
    with pytest.raises(StoreError, match=r"s3://bucket/runs is elsewhere: name a"):
        store.require_writable(Path("s3://bucket/runs"))


def test_a_listing_of_a_folder_here_needs_no_pyarrow(runs: Path):
    code = (
        "import sys; from pathlib import Path; "
        "from harness_leaderboard.results import store; "
        f"store.finished_runs(Path({str(runs)!r})); assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
