"""What digests cost: the same work with and without them, by turns.

``PYTHONPATH=tests python -m campaign.cost``. The upstream and the head are the quickest
that there are, so that what is written and read weighs the most. Seconds are of the
processor, since a shared machine makes others useless.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from campaign import world
from campaign.tries import attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

TURNS = 7


def timed(root: Path, guarded: bool) -> Mapping[str, float]:
    """Extract and train here, from an empty cache."""
    if not guarded:
        unguard()
    seconds = {}
    for what, seeds in (("extraction and a training", "0"), ("trainings", "1-8")):
        begun = time.process_time()
        done = world.call(root, *world.RUN, "--seeds", seeds)
        assert done.code == 0, done.err
        seconds[what] = time.process_time() - begun
    return seconds


def unguard() -> None:
    """Take every digest of stored bytes for right."""
    from harness_leaderboard.results import digests

    from harness import files
    from harness.features import shards, store

    def equal(data: object) -> str:
        return "0" * 8

    for module in (files, shards):
        vars(module)["crc32"] = equal
    for module in (shards, store):
        vars(module)["is_whole"] = lambda path: True
    vars(digests)["_digest"] = lambda data, at: b"0" * 8


def main() -> None:
    """Print the seconds of each turn, and the ratios."""
    seconds: dict[tuple[str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        world.make_corpus(made / "data", speakers=10, takes=20)
        for turn in range(TURNS):
            for guarded in (True, False) if turn % 2 else (False, True):
                root = Path(folder) / f"{turn}-{guarded}"
                shutil.copytree(made, root)
                ended = attempt(timed, root, guarded, patience=600)
                assert ended.value, ended.said
                sys.stderr.write(f"turn {turn}, guarded {guarded}: {ended.value}\n")
                for what, took in ended.value.items():
                    seconds.setdefault((what, guarded), []).append(took)
    for what in sorted({what for what, _ in seconds}):
        with_them, without = seconds[what, True], seconds[what, False]
        ratio = statistics.median(with_them) / statistics.median(without)
        best = min(with_them) / min(without)
        sys.stdout.write(
            f"{what}: {statistics.median(with_them):.2f} s with, "
            f"{statistics.median(without):.2f} s without, ratio {ratio:.3f}; "
            f"of the quickest {best:.3f}\n"
        )


if __name__ == "__main__":
    main()
