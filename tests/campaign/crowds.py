"""Several processes at work on one cache and one folder of results."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from campaign import kills, world
from campaign.tally import Try
from campaign.tries import Started, attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from campaign.world import After, World

MANY = 60  # results, so that packing them takes as long as reading them
COMPLETE, INCOMPLETE = 0, 3


def repeat(root: Path, seed: int, times: int, *words: str) -> After:
    """Run a command several times, after pauses."""
    rng = random.Random(seed)
    done = []
    for _ in range(times):
        time.sleep(rng.random() * 0.2)
        done.append(world.call(root, *words))
    return world.After(done=tuple(done), numbers={})


def crowd(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Start runs beside what tidies."""
    tidying = {
        "cache prune": ("cache", "prune", "--all"),
        "runs compact": ("runs", "compact"),
        "nothing else": (),
    }
    for number in range(tries):
        kind = list(tidying)[number % len(tidying)]
        one = partial(_crowd, there, tidying[kind], seed + number)
        yield Try(f"crowd: runs and {kind}", f"seed {seed + number}", one)


def _crowd(there: World, tidying: tuple[str, ...], seed: int) -> Iterator[str]:
    root = there.copy("runs", "cache")
    (root / "runs").mkdir()
    runs = (there.words, (*there.words, "--keep-features", "pooled"), there.words)
    started = [
        Started(repeat, root, seed + n, 1, *words) for n, words in enumerate(runs)
    ]
    if tidying:
        started.append(Started(repeat, root, seed, 8, *tidying))
    for ended in [one.end() for one in started]:
        yield from world.faults(ended)
        for done in ended.value.done if ended.value else ():
            if done.code:
                yield f"{done.words} left with {done.code}: {done.err}"
    after = attempt(world.commands, root, there.words, world.BOARD)
    shutil.rmtree(root)
    yield from world.faults(after) or kills.differences(after.value, there.after)


# ---------------------------------------------------------------- readers


def multiply(root: Path) -> None:
    """Store a result under many seeds."""
    from harness_leaderboard.results import reading, store

    path = next((root / "runs").glob("*.parquet"))
    (result,) = reading.whole_results(reading.read_whole(path)[0])
    assert not isinstance(result, str)
    for seed in range(MANY):
        one = replace(result, seed=1000 + seed, run_id=f"{seed:016x}")
        store.write_result(one, root / "runs")


def read(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Read results while they are packed."""
    for number in range(tries):
        one = partial(_read, there, seed + number)
        yield Try("crowd: readers of what is packed", f"seed {seed + number}", one)


def _read(there: World, seed: int) -> Iterator[str]:
    root = there.copy("cache")
    attempt(multiply, root)
    before = attempt(world.commands, root, world.BOARD).value
    reader = Started(repeat, root, seed, 6, *world.BOARD)
    packing = Started(repeat, root, seed + 1, 2, "runs", "compact")
    for ended in (reader.end(), packing.end()):
        yield from world.faults(ended)
        for done in ended.value.done if ended.value else ():
            whole = done.words != world.BOARD or done.out == before.last.out
            if done.code not in (COMPLETE, INCOMPLETE) or (
                done.code == COMPLETE and not whole
            ):
                yield f"{done.words} left with {done.code}: {done.err} {done.out[:300]}"
    after = attempt(world.commands, root, world.BOARD)
    shutil.rmtree(root)
    yield from world.faults(after) or kills.differences(after.value, before)


# ---------------------------------------------------------------- workers


def stop(there: World, tries: int, seed: int) -> Iterator[Try]:
    """Interrupt or kill runs with workers of their own."""
    rng = random.Random(seed)
    for number in range(tries):
        how = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3]
        one = partial(_stop, there, how, wait := rng.uniform(0.5, 12))
        yield Try(f"stop: {how.name} of a run with workers", f"after {wait:.1f} s", one)


def _stop(there: World, how: signal.Signals, wait: float) -> Iterator[str]:
    root = there.copy("runs", "cache")
    words = (*there.words, "--executor", "local", "--workers", "2")
    started = Started(world.call, root, *words)
    time.sleep(wait)
    if started.process.is_alive() and started.process.pid:
        os.kill(started.process.pid, how)
    ended = started.end()
    if ended.code is None:
        yield "it hangs"
    if ended.orphans:
        yield f"{ended.orphans} processes are left"
    if "Traceback" in ended.said:
        yield f"a traceback: {ended.said[-2000:]}"
    yield from kills.recovered(root, kills.SCENARIOS[0], there)
