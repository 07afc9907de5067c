"""The whole campaign: ``make campaign``, or one part with ``--only flips``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from campaign import changes, crowds, flips, inputs, kills
from campaign.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from campaign.tally import Try
    from campaign.world import World

    Part = Callable[[Mapping[str, World], int, int], Iterator[Try]]
    """From worlds, a number of tries and a seed."""

PARTS: dict[str, tuple[int, Part]] = {
    "kills": (1000, lambda there, n, seed: kills.kill(there["plain"], n, seed)),
    "disks": (300, lambda there, n, seed: kills.fail(there["plain"], n, seed)),
    "flips": (1000, flips.flip),
    "changes": (70, lambda there, n, seed: changes.change(there["plain"], n, seed)),
    "crowds": (45, lambda there, n, seed: crowds.crowd(there["plain"], n, seed)),
    "readers": (30, lambda there, n, seed: crowds.read(there["plain"], n, seed)),
    "stops": (15, lambda there, n, seed: crowds.stop(there["plain"], n, seed)),
    "inputs": (5000, lambda there, n, seed: inputs.mutate(there["plain"], n, seed)),
}
"""By name: how many tries at least, and what makes them."""


def main() -> int:
    """Make all tries, print what was wrong, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--share", type=float, default=1.0, help="of all tries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        worlds = flips.worlds(Path(folder))
        for name in options.only:
            tries, part = PARTS[name]
            begun = time.monotonic()
            count = max(round(tries * options.share), 1)
            tally.make(part(worlds, count, options.seed), options.jobs)
            seconds = time.monotonic() - begun
            sys.stderr.write(f"{name}: {seconds:.0f} s\n")
    for kind, wrong in tally.wrongs:
        sys.stdout.write(f"wrong, {kind}: {wrong}\n\n")
    sys.stdout.write(tally.table() + "\n")
    return 1 if tally.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
