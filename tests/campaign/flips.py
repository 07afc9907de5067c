"""Flipped bits, cuts and holes in every kind of stored file."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial
from typing import TYPE_CHECKING

from campaign import inputs, kills, world
from campaign.tally import Try
from campaign.tries import attempt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from campaign.world import World

HOLE = 512  # bytes of a block of a disk

KINDS = {
    "shard": ("plain", "cache/features/*/pooled/*.safetensors", ("runs",)),
    "certificate": ("plain", "cache/features/*/certificate.json", ("runs",)),
    "about.json": ("plain", "cache/features/*/about.json", ("runs",)),
    "facts of files": ("plain", "cache/memory/*.lines", ("runs",)),
    "manifest": ("plain", "cache/manifests/*.jsonl", ("runs",)),
    "training state": ("half", "cache/training/*.pt", ()),
    "result": ("plain", "runs/*.parquet", ()),
    "packed results": ("packed", "runs/*.parquet", ()),
    "list of results": ("packed", "runs/*.run_ids", ()),
    "verdict": ("plain", "cache/verdicts/*.json", ("runs",)),
    "split": ("split", "split.json", ("runs",)),
}
"""By name: in which world, the pattern of its files, and what is taken out before."""


def flip(worlds: Mapping[str, World], tries: int, seed: int) -> Iterator[Try]:
    """Damage a file, and run what uses it."""
    rng = random.Random(seed)
    for number in range(tries):
        kind = list(KINDS)[number % len(KINDS)]
        yield Try(
            f"flip: {kind}",
            f"seed {(one := rng.randrange(2**32))}",
            partial(_flip, worlds, kind, one),
        )


def _flip(worlds: Mapping[str, World], kind: str, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    name, pattern, without = KINDS[kind]
    there = worlds[name]
    root = there.copy(*without)
    path = rng.choice(sorted(root.glob(pattern)))
    how = damage(path, rng)
    ended = attempt(world.commands, root, there.words, world.BOARD)
    shutil.rmtree(root)
    if wrongs := world.faults(ended):
        yield from (f"{how}: {wrong}" for wrong in wrongs)
        return
    after = ended.value
    said = "".join(done.err for done in after.done)
    differing = list(kills.differences(after, there.after))
    strange = {k for k, v in after.numbers.items() if there.after.numbers.get(k) != v}
    if strange:
        yield f"{how}: other numbers"
    elif differing and path.name not in said:
        yield f"{how}: {path.name} is not named: {differing}"


def damage(path: Path, rng: random.Random) -> str:
    """Flip a bit, cut the end off, or write a hole; keep the date."""
    status, data = path.stat(), bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    how = rng.choice(["a bit", "a bit", "a bit", "a cut", "a hole"])
    if how == "a bit":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "a cut":
        del data[at:]
    else:
        data[at : at + HOLE] = bytes(len(data[at : at + HOLE]))
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return f"{how} at {at} of {status.st_size}"


# ---------------------------------------------------------------- worlds


def worlds(folder: Path) -> dict[str, World]:
    """Make the worlds that have these files."""
    plain = world.make(folder, "plain", *world.RUN)
    attempt(check, plain.root)
    attempt(inputs.make_checkpoints, plain.root)
    packed = plain.changed("packed", ("runs", "compact"))
    shutil.copytree(packed.root / "runs", plain.root / "packed")
    split = world.make(folder, "split", *world.RUN, "--split", "split.json")
    return {"plain": plain, "packed": packed, "split": split, "half": half(plain)}


def check(root: Path) -> None:
    """Keep a verdict on each part of the command."""
    world.call(root, "check", "fbank", "linear")


def half(plain: World) -> World:
    """Make a world whose run was killed in the middle of a training."""
    training = kills.SCENARIOS[1]
    root = plain.root.with_name("half")
    shutil.copytree(plain.root, root, ignore=shutil.ignore_patterns("runs"))
    operations = attempt(kills.counted, plain.copy("runs"), training).value
    attempt(kills.killed, root, training, operations // 3)
    assert list((root / "cache/training").glob("*.pt"))
    return world.World(root=root, words=plain.words, after=plain.after)
