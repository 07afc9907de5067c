"""Whole commands on a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gpu

GRID = ("--upstream", "toy,fbank", "--corpus", "tones", "--no-controls")


def test_a_run_has_the_scores_of_the_cpu(harness, device):
    heads = ("--downstream", "linear,nonlinear", "--seeds", "0", "--executor", "serial")
    assert harness("run", *GRID, *heads, "--device", device)[0] == 0
    _, board, _ = harness("leaderboard", "--format", "json")
    assert len(json.loads(board)) > 0


def test_the_kit_passes(harness, device):
    code, out, _ = harness("check", "fbank", "linear", "nonlinear", "--device", device)
    assert code == 0, out


def test_a_plan_opens_no_gpu(tones, tmp_path, device):
    code = (
        "import sys, torch\n"
        "from harness.cli.main import execute\n"
        "from harness.registry import plugin_manager\n"
        "assert not execute(sys.argv[1:], plugin_manager())\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    command = [
        *(sys.executable, "-c", code, "plan", "--upstream", "fbank"),
        *("--downstream", "linear", "--corpus", "demo", "--device", device),
        *("--cache", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs")),
    ]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
