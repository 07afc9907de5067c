"""Fixtures that several test modules use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from toys import LABELS, ToyPlugin, write_tone

from harness.registry import Registry, plugin_manager

if TYPE_CHECKING:
    from pathlib import Path

# An example takes longer beside other workers, and no test asserts a time.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """A data root with the corpus ``tones``: 5 speakers × 2 labels × 4 takes."""
    folder = tmp_path / "data" / "tones"
    folder.mkdir(parents=True)
    seed = 0
    for speaker in range(5):
        for label, hertz in zip(LABELS, (900.0, 250.0), strict=True):
            for take in range(4):
                seed += 1
                write_tone(
                    folder / f"s{speaker}_{label}_{take}.wav",
                    hertz * (1 + 0.03 * speaker),
                    seconds=0.3 + 0.01 * seed,
                    seed=seed,
                )
    return folder


@pytest.fixture
def manager():
    """Every installed plugin, and the toy one."""
    made = plugin_manager()
    made.register(ToyPlugin(), name="toy-plugin")
    return made


@pytest.fixture
def registry(manager) -> Registry:
    return Registry.of(manager)


@pytest.fixture
def harness(tmp_path, tones, manager, monkeypatch, capsys):
    """Run the program as a user would, on the tones; gives (code, stdout, stderr)."""
    from harness.cli.main import execute

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("HARNESS_CHECKPOINTS", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = execute(arguments, manager)
        printed = capsys.readouterr()
        return int(code), printed.out, printed.err

    return call
