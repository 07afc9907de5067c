"""Requests for the corpus of tones, made without a command line."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from harness.execution.planner import make_plan
from harness.execution.request import Grid, Request
from harness.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.execution.plan import Plan


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave out the checkpoints, corpora and hub's files of whoever runs the tests."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("CHECKPOINTS", "DATA", "WORKER_DATA", "WORKER_CACHE"):
        monkeypatch.delenv(f"HARNESS_{name}", raising=False)


@pytest.fixture
def ask(tones: Path, tmp_path: Path) -> Callable[..., Request]:
    """Build a request of one grid, from words such as ``upstream="toy,fbank"``."""

    def ask(
        upstream: str = "toy",
        downstream: str = "linear",
        corpus: str = "tones",
        **changes: Any,
    ) -> Request:
        names = (tuple(words.split(",")) for words in (upstream, downstream, corpus))
        request = Request(
            grids=(Grid(*names),),
            data_root=tones.parent,
            runs=tmp_path / "runs",
            cache=tmp_path / "cache",
        )
        return dataclasses.replace(request, **changes)

    return ask


@pytest.fixture
def plan(ask: Callable[..., Request], manager: Any) -> Callable[..., Plan]:
    """Plan such a request, with the plugins that are registered by now."""

    def plan(*words: str, **changes: Any) -> Plan:
        return make_plan(ask(*words, **changes), Registry.of(manager))

    return plan
