"""The leaderboard's verbs: tables to stdout, what was left out to stderr."""

from __future__ import annotations

from harness_leaderboard.commands.board import leaderboard, show_run
from harness_leaderboard.commands.compare import compare
from harness_leaderboard.commands.figure import figure
from harness_leaderboard.commands.publish import publish
from harness_leaderboard.commands.runs import runs
from harness_leaderboard.commands.stored import stored_results

__all__ = [
    "compare",
    "figure",
    "leaderboard",
    "publish",
    "runs",
    "show_run",
    "stored_results",
]
