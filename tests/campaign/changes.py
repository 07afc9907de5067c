"""Inputs that are others when they are read than when they were checked."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial
from typing import TYPE_CHECKING

from campaign import kills, world
from campaign.tally import Try
from campaign.tries import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from campaign.world import After, World


def other(path: Path, all_of_them: list[Path]) -> None:
    """Overwrite it with another recording."""
    shutil.copyfile(all_of_them[0 if path != all_of_them[0] else 1], path)


def same_size(path: Path, all_of_them: list[Path]) -> None:
    """Overwrite its samples with those of another, with its size and date."""
    status, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:44] + data[44:][::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncated(path: Path, all_of_them: list[Path]) -> None:
    """Cut off its second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def longer(path: Path, all_of_them: list[Path]) -> None:
    """Write something after its end."""
    path.write_bytes(path.read_bytes() + bytes(1000))


def exchanged(path: Path, all_of_them: list[Path]) -> None:
    """Exchange it with another."""
    with_it = all_of_them[0 if path != all_of_them[0] else 1]
    beside = path.with_name("beside")
    path.rename(beside)
    with_it.rename(path)
    beside.rename(with_it)


def gone(path: Path, all_of_them: list[Path]) -> None:
    """Remove it."""
    path.unlink()


def folder(path: Path, all_of_them: list[Path]) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


CHANGES = (other, same_size, truncated, longer, exchanged, gone, folder)


def change(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Change a recording between plan and extraction, put it back, and run again."""
    rng = random.Random(seed)
    for number in range(tries):
        how = CHANGES[number % len(CHANGES)]
        one = partial(_change, there, how, rng.randrange(20))
        yield Try(f"changed input: {how.__name__}", f"try {number}", one)


def _change(
    there: World, how: Callable[[Path, list[Path]], None], place: int
) -> Iterator[str]:
    root = there.copy("runs", "cache")
    disturbed = attempt(_changing, root, there.words, how, place)
    yield from world.faults(disturbed)
    shutil.rmtree(root / "data")
    shutil.copytree(there.root / "data", root / "data")
    strange = attempt(world.numbers, root / "runs").value or {}
    if any(there.after.numbers.get(key) != value for key, value in strange.items()):
        yield "other numbers are stored"
    again = attempt(world.commands, root, there.words, world.BOARD)
    shutil.rmtree(root)
    yield from world.faults(again) or kills.differences(again.value, there.after)


def _changing(
    root: Path,
    words: tuple[str, ...],
    how: Callable[[Path, list[Path]], None],
    place: int,
) -> After:
    """Run a command here, and change a recording when its plan is made."""
    from harness.execution import run

    names = vars(run)
    write = names["write_payloads"]

    def after_the_plan(plan: object) -> None:
        recordings = sorted((root / "data" / "wav").iterdir())
        how(recordings[place], recordings)
        write(plan)

    names["write_payloads"] = after_the_plan
    return world.After(done=(world.call(root, *words),), numbers={})
