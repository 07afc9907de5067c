"""How near ``harness plan`` comes to what a run takes: forecast beside real seconds.

Each line is planned with and without ``--measure`` and then run, one task at a time, in
processes of their own. Seconds are the processor's, so that other work on the machine
counts less; on an idle machine they are those of the clock.

    HARNESS_DATA=~/data python benchmarks/forecast.py --files 60
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LINES = (
    ("whisper-base", "full", "linear"),
    ("whisper-base", "condensed", "linear"),
    ("whisper-base", "trimmed", "linear"),
    ("whisper-base", "full", "nonlinear"),
    ("whisper-base", "full", "multilayer"),
    ("fbank", None, "ast-tiny"),
)
"""Upstream, feeding and head; later lines find the features of the first ones stored,
but not their frames."""

SPOKEN = re.compile(r"memory and (\S+) on this machine")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=60, help="Of EmoDB.")
    parser.add_argument("--only", help="A head or a feeding; other lines are left out.")
    options = parser.parse_args()
    print("| upstream | feeding | head | estimate | --measure | run | ratio |")
    print("|---|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        table = write_table(Path(name), options.files)
        for upstream, feeding, head in LINES:
            if options.only not in (None, feeding, head):
                continue
            command = [
                *("--upstream", upstream, "--downstream", head, "--seeds", "0"),
                *("--corpus", f"csv:{table}", "--split", "kfold", "--folds", "3"),
                *("--no-controls", "--executor", "serial", "--device", "cpu"),
                *("--cache", f"{name}/cache", "--runs", f"{name}/runs"),
                *(("--feeding", feeding) if feeding else ()),
            ]
            estimate, _ = planned(command)
            measured, _ = planned([*command, "--measure"])
            took = seconds_of("run", command)[0]
            print(
                f"| {upstream} | {feeding or '–'} | {head} | {estimate} | {measured} "
                f"| {took:.0f} | {measured / took:.2f} |",
                flush=True,
            )


def write_table(folder: Path, files: int) -> Path:
    """List recordings of EmoDB, spread over its speakers and labels."""
    audio = Path(os.environ["HARNESS_DATA"]) / "emodb"
    names = sorted(audio.rglob("*.wav"))
    table = folder / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "speaker"))
        for one in names[:: max(1, len(names) // files)]:
            rows.writerow((one, one.stem[5], one.stem[:2]))
    return table


def planned(command: list[str]) -> tuple[float, str]:
    """Return what a plan says, in seconds, and all that it says."""
    said = seconds_of("plan", command)[1]
    (spoken,) = SPOKEN.findall(said)
    seconds = 0
    for part in spoken.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds), said


def seconds_of(verb: str, command: list[str]) -> tuple[float, str]:
    """Run a verb in a process; return the processor's seconds, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(
        [sys.executable, "-m", "harness", verb, "--quiet", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        sys.exit(found.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, found.stdout


if __name__ == "__main__":
    main()
