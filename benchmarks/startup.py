"""How long a person waits: ``--help``, ``list``, and a run whose cells are all done.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/startup.py -- \
        --upstream whisper-base --downstream linear --corpus emodb --split loso

Pass the options of a run that has finished. Prints medians over fresh processes, and
beside them that of starting Python alone.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("run", nargs="*", help="options of a finished run")
    options = parser.parse_args()
    harness = shutil.which("harness") or f"{sys.prefix}/bin/harness"
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "harness --help": [harness, "--help"],
        "harness list": [harness, "list"],
    }
    if options.run:
        commands["harness run (all done)"] = [harness, "run", *options.run]
    for name, command in commands.items():
        waits = [wait(command) for _ in range(options.repeats + 1)][1:]
        print(f"{name:24} {statistics.median(waits):.2f} s", flush=True)


def wait(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
