"""Kills, and failures, at every file operation of a command."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campaign import world
from campaign.tally import Try
from campaign.tries import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from campaign.world import After, Done, World

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}

FAULTS = ("ENOSPC", "EROFS", "EIO", "EDQUOT", "EMFILE")
"""A full disk, one that became read-only, a bad one, a quota, too many open files."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A command, what it finds, and what is run after it was disturbed.

    Attributes:
        name: Of the kind of try.
        words: The command.
        without: Patterns of what is taken out of the world before.
        keeps: Keep the state of a training after each epoch.
    """

    name: str
    words: tuple[str, ...]
    without: tuple[str, ...] = ()
    keeps: bool = False


SCENARIOS = (
    Scenario(name="run", words=world.RUN, without=("cache", "runs")),
    Scenario(name="training", words=world.RUN, without=("runs",), keeps=True),
    Scenario(name="runs compact", words=("runs", "compact")),
    Scenario(name="runs merge", words=("runs", "merge", "packed"), without=("runs",)),
    Scenario(name="cache prune", words=("cache", "prune", "--all")),
    Scenario(
        name="leaderboard --out",
        words=("leaderboard", "--format", "html", "--out", "site"),
    ),
    Scenario(
        name="split --out",
        words=("split", f"csv:{world.TABLE}", "--out", "split.json"),
    ),
)


class Operations:
    """Counts the changes to files below a folder, and acts at one of them."""

    def __init__(self, root: Path, act: Callable[[int], None]) -> None:
        self.root, self.act = str(root), act
        self.count = 0

    def install(self) -> None:
        """See every change from now on; this cannot be undone in a process."""
        sys.addaudithook(self._audit)
        self._halve("write_bytes")
        self._halve("write_text")
        synced = os.fsync

        def fsync(fd: Any) -> None:
            self.happen()
            synced(fd)

        os.fsync = fsync

    def happen(self) -> None:
        """Note one operation, before it is done."""
        self.count += 1
        self.act(self.count)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        else:
            path, changes = (arguments or ("",))[0], event in CHANGES
        if changes and isinstance(path, str | os.PathLike):
            if os.fspath(path).startswith(self.root):
                self.happen()

    def _halve(self, name: str) -> None:
        """Write the first half of a file as an operation of its own."""
        write = getattr(Path, name)

        def twice(path: Path, data: Any, *more: Any, **named: Any) -> Any:
            if str(path).startswith(self.root):
                write(path, data[: len(data) // 2], *more, **named)
                self.happen()
            return write(path, data, *more, **named)

        setattr(Path, name, twice)


def call(root: Path, scenario: Scenario) -> Done:
    """Run the command of a scenario here."""
    from harness.training import loop

    if scenario.keeps:
        loop.KEEP_EVERY = 0.0
    return world.call(root, *scenario.words)


def counted(root: Path, scenario: Scenario) -> int:
    """Run a command and return its number of operations."""
    operations = Operations(root, lambda number: None)
    operations.install()
    call(root, scenario)
    return operations.count


def killed(root: Path, scenario: Scenario, at: int) -> None:
    """Run a command that kills its process before an operation."""

    def kill(number: int) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    Operations(root, kill).install()
    call(root, scenario)


def failing(root: Path, scenario: Scenario, at: int, code: str) -> After:
    """Run a command for which changes to files fail from an operation on."""
    number = getattr(errno, code)

    def fail(operation: int) -> None:
        if operation >= at:
            raise OSError(number, os.strerror(number))

    Operations(root, fail).install()
    done = call(root, scenario)
    return world.After(done=(done,), numbers={})


# ---------------------------------------------------------------- tries


def places(count: int, tries: int, rng: random.Random) -> list[int]:
    """Spread tries over operations: all of them if they suffice, in turn."""
    every = list(range(1, count + 1))
    whole, rest = divmod(tries, max(count, 1))
    return every * whole + sorted(rng.sample(every, min(rest, count)))


def shares(tries: int) -> Iterator[tuple[Scenario, int]]:
    """Divide tries: a third each to runs and trainings, the rest alike."""
    others = max(tries // 3 // (len(SCENARIOS) - 2), 1)
    yield from ((one, max(tries // 3, 1)) for one in SCENARIOS[:2])
    yield from ((one, others) for one in SCENARIOS[2:])


def tries_of(
    there: World, tries: int, seed: int
) -> Iterator[tuple[Scenario, int, str]]:
    """Yield scenarios, an operation of each, and a fault."""
    rng = random.Random(seed)
    for scenario, share in shares(tries):
        root = there.copy(*scenario.without)
        ended = attempt(counted, root, scenario)
        shutil.rmtree(root)
        assert ended.value is not None, ended.said
        for at in places(ended.value, share, rng):
            yield scenario, at, rng.choice(FAULTS)


def kill(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Kill commands, and run them again."""

    def one(scenario: Scenario, at: int) -> list[str]:
        root = there.copy(*scenario.without)
        attempt(killed, root, scenario, at)
        return recovered(root, scenario, there)

    for scenario, at, _ in tries_of(there, tries, seed):
        what = f"operation {at}"
        yield Try(f"kill: {scenario.name}", what, partial(one, scenario, at))


def fail(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Let file operations of commands fail, and run them again."""

    def one(scenario: Scenario, at: int, code: str) -> list[str]:
        root = there.copy(*scenario.without)
        disturbed = attempt(failing, root, scenario, at, code)
        return [*world.faults(disturbed), *recovered(root, scenario, there)]

    for scenario, at, code in tries_of(there, tries, seed):
        what = f"{code} from operation {at}"
        yield Try(f"disk: {scenario.name}", what, partial(one, scenario, at, code))


def recovered(root: Path, scenario: Scenario, there: World) -> list[str]:
    """Run a command again, then all; say where it is not as if never disturbed."""
    world.grow_old(root)
    again = attempt(world.commands, root, scenario.words, there.words, world.BOARD)
    wrongs = world.faults(again) or differences(again.value, there.after)
    left = sorted(filter(is_unexpected, world.files_below(root) - there.files))
    shutil.rmtree(root)
    return [*wrongs, *([f"left behind: {left}"] if left else [])]


def differences(after: After, expected: After) -> Iterator[str]:
    """Say what is not as it was undisturbed."""
    if after.numbers != expected.numbers:
        yield "other numbers"
    for done in after.done:
        if done.code:
            yield f"{done.words} left with {done.code}: {done.err}"
    if after.last.out != expected.last.out:
        yield f"another board: {after.last.out}"


def is_unexpected(path: str) -> bool:
    """Say whether a file is half-written, or not what a command is for."""
    made = ("site/index.html", ".run_ids", "packed-")
    return "/." in path or not any(name in path for name in made)
