"""What the page of clusters shows for Slurm, as it stands there."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest
import yaml
from cells import cells
from clusters import HAS_SLURM, SlurmCluster

PAGE = Path(__file__).parents[3] / "docs" / "cluster.md"


def block(language, word):
    """The code block of the page in one language that has a word."""
    text = PAGE.read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (one,) = [code for code in found if word in code]
    return one


def test_the_description_of_jobs_has_options_of_dask_jobqueue_alone():
    dask_jobqueue = pytest.importorskip("dask_jobqueue")
    described = yaml.safe_load(block("yaml", "jobqueue:"))["jobqueue"]["slurm"]
    with (Path(dask_jobqueue.__file__).parent / "jobqueue.yaml").open() as file:
        known = yaml.safe_load(file)["jobqueue"]["slurm"]
    assert described.keys() <= known.keys()


def free_port():
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


@pytest.fixture
def words(tones, tmp_path):
    """A grid of bundled parts, on the tones as a table."""
    rows = [
        f"{path},{path.stem.split('_')[1]},{path.stem.split('_')[0]}"
        for path in sorted(tones.glob("*.wav"))
    ]
    table = tmp_path / "tones.csv"
    table.write_text("\n".join(["path,label,speaker", *rows]) + "\n")
    return (
        *("--upstream", "fbank", "--downstream", "linear", "--seeds", "0-3"),
        *("--corpus", f"csv:{table}", "--no-controls"),
    )


@pytest.mark.slurm
@pytest.mark.skipif(not HAS_SLURM, reason="Slurm is not installed")
def test_the_job_script_runs_ray_on_two_nodes(words, harness, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in {"ray": "ray.scripts.scripts", "harness": "harness"}.items():
        (commands / name).write_text(
            f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"'
        )
        (commands / name).chmod(0o755)
    script, log = tmp_path / "ray.sh", tmp_path / "job.txt"
    script.write_text(block("sh", "#SBATCH"))
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_PORT", str(free_port()))
    folder = tmp_path / "slurm"
    folder.mkdir()
    with SlurmCluster({"SLOW_LOG": str(folder)}) as slurm:
        less = ("--cpus-per-task=1", "--wait", f"--output={log}")
        slurm.ask("sbatch", *less, str(script), *words)
    assert "macro-F1" in log.read_text()
    on_cluster = cells(tmp_path / "runs")
    places = ("--cache", str(tmp_path / "other"), "--runs", str(tmp_path / "serial"))
    code, _, err = harness("run", *words, "--executor", "serial", *places)
    assert code == 0, err
    assert len(on_cluster) == 4
    assert on_cluster == cells(tmp_path / "serial")
