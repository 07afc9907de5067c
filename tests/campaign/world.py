"""A small corpus, the commands that are run on it, and what they must end with."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from campaign.tries import Ended, attempt

RATE = 16_000
TABLE = "data/table.csv"
GRID = ("--upstream", "fbank", "--downstream", "linear", "--corpus", f"csv:{TABLE}")
RUN = (
    *("run", *GRID, "--seeds", "0-1", "--no-controls", "--quiet"),
    *("--device", "cpu", "--executor", "serial"),
)
BOARD = ("leaderboard", "--format", "json")

Numbers = dict[str, str]
"""What was measured, by ``run_id``."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that ended by itself: its words, exit code, and what it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class After:
    """What commands did, and the numbers that are stored after the last."""

    done: tuple[Done, ...]
    numbers: Numbers

    @property
    def last(self) -> Done:
        """The last command."""
        return self.done[-1]


def make_corpus(folder: Path, speakers: int = 5, takes: int = 2) -> None:
    """Write a table and its recordings: two labels, half a second each."""
    rng = np.random.default_rng(0)
    (folder / "wav").mkdir(parents=True)
    rows = ["path,label,speaker"]
    for speaker in range(speakers):
        for label, hertz in (("calm", 200.0), ("tense", 230.0)):
            for take in range(takes):
                name = f"wav/{speaker}-{label}-{take}.wav"
                soundfile.write(folder / name, voice(rng, hertz), RATE)
                rows.append(f"{name},{label},s{speaker}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


def voice(rng: np.random.Generator, hertz: float, seconds: float = 0.5) -> Any:
    """Return a buzz at a wandering pitch in noise; the labels overlap."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = hertz * (1 + 0.3 * rng.standard_normal())
    buzz = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    return 0.1 * buzz + 0.1 * rng.standard_normal(len(time))


# ---------------------------------------------------------------- in a process


def call(root: Path, *words: str) -> Done:
    """Run the program here."""
    from harness.cli.main import execute

    enter(root)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = int(execute(words))
        except Exception:  # what the interpreter would print
            traceback.print_exc()
            code = 1
    return Done(words=words, code=code, out=out.getvalue(), err=err.getvalue())


def commands(root: Path, *lines: tuple[str, ...]) -> After:
    """Run commands here, one after the other, and read what is stored."""
    done = tuple(call(root, *words) for words in lines)
    return After(done=done, numbers=numbers(root / "runs"))


def enter(root: Path) -> None:
    """Work in a folder, with its corpus, its cache and its results."""
    os.chdir(root)
    for name in ("data", "cache", "runs"):
        os.environ[f"HARNESS_{name.upper()}"] = str(root / name)


def numbers(runs: Path) -> Numbers:
    """Read what was measured."""
    from harness_leaderboard.results import reading

    told = ("condition", "fold", "labels", "layer_norms", "layer_weights")
    measured = ("scores", "confusion", "predictions", "history")
    found: Numbers = {}
    for path in sorted(runs.rglob("*.parquet")):
        table, _ = reading.read_whole(path)
        for row in table.to_pylist():
            kept = {key: row[key] for key in (*told, *measured)}
            found.setdefault(row["run_id"], repr(kept))
    return found


# ---------------------------------------------------------------- worlds


@dataclass(frozen=True, kw_only=True)
class World:
    """A folder that tries get copies of.

    Attributes:
        root: With a corpus, a cache and results.
        words: The command that made the results.
        after: What it ended with, and the board, undisturbed.
    """

    root: Path
    words: tuple[str, ...]
    after: After

    @property
    def files(self) -> set[str]:
        """The files that are there."""
        return files_below(self.root)

    def copy(self, *without: str) -> Path:
        """Copy everything but these patterns to a folder for one try."""
        target = Path(tempfile.mkdtemp(prefix="try-", dir=self.root.parent))
        ignore = shutil.ignore_patterns(*without)
        return Path(
            shutil.copytree(self.root, target, ignore=ignore, dirs_exist_ok=True)
        )

    def changed(self, name: str, *lines: tuple[str, ...]) -> World:
        """Copy this world and run more commands in it, which change no number."""
        root = self.root.with_name(name)
        shutil.copytree(self.root, root)
        after = undisturbed(root, *lines, BOARD)
        assert after.numbers == self.after.numbers, name
        return replace(self, root=root, after=after)


def make(folder: Path, name: str, *words: str) -> World:
    """Make a world in which a command was run once."""
    root = folder / name
    make_corpus(root / "data")
    split = ("split", f"csv:{TABLE}", "--split-seed", "1", "--out", "split.json")
    after = undisturbed(root, split, words, BOARD)
    return World(root=root, words=words, after=after)


def undisturbed(root: Path, *lines: tuple[str, ...]) -> After:
    """Run commands that must succeed."""
    ended = attempt(commands, root, *lines)
    assert ended.value is not None, ended.said
    assert not any(one.code for one in ended.value.done), ended.value.done
    after: After = ended.value
    return after


NAMED_ANEW = re.compile(r"(/|^)[0-9a-f-]{32,}\.(safetensors|json|lines)")
"""Names of files that say where the data lies, or when they were made."""


def files_below(root: Path) -> set[str]:
    """Return the paths of files, without what differs from one world to the next."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {NAMED_ANEW.sub(r"\1*.\2", str(path)) for path in found}


def grow_old(root: Path) -> None:
    """Date hidden files and folders back, as if nobody wrote to them for a day."""
    then = time.time() - 24 * 3600
    for path in root.rglob(".*"):
        os.utime(path, (then, then))


def faults(ended: Ended) -> list[str]:
    """Say what no command may do, whatever happens to it."""
    if ended.code is None:
        return ["it hangs"]
    found = [f"{ended.orphans} processes are left"] if ended.orphans else []
    if ended.code:
        found.append(f"it ended with {ended.code}: {ended.said[-2000:]}")
    for done in ended.value.done if isinstance(ended.value, After) else ():
        found += faults_of(done)
    return found


def faults_of(done: Done) -> list[str]:
    """Say what the output of one command may not have."""
    if done.code == 1 or "Traceback" in done.err:
        return [f"a traceback of {done.words}: {done.err[-2000:]}"]
    return []
