"""What digests cost: their share of the seconds of runs.

``PYTHONPATH=tests python -m campaign.cost`` times a run whose upstream and head are the
quickest that there are, so that what is written and read weighs the most. Words after
it are another command, such as ``run --upstream whisper-base …``. Seconds are of the
processor, since a shared machine makes others useless.
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from campaign import world

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopwatch:
    """Adds up the seconds of functions; one that another calls counts once."""

    def __init__(self) -> None:
        self.seconds, self.running = 0.0, False

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, timed."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if self.running:
                return function(*arguments, **named)
            self.running, begun = True, time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.thread_time() - begun
                self.running = False

        return timed

    def watch(self) -> None:
        """Time whatever computes or compares a digest of stored or planned bytes."""
        from harness_leaderboard.results import digests

        from harness import files
        from harness.data import decoding
        from harness.features import shards

        watched = (
            *((files, "crc32"), (shards, "crc32"), (shards, "_has_digest")),
            *((digests, "marked"), (digests, "damage")),
        )
        for module, name in watched:
            vars(module)[name] = self.timed(vars(module)[name])
        sha256 = self.timed(vars(decoding)["hashlib"].sha256)
        vars(decoding)["hashlib"] = SimpleNamespace(sha256=sha256)


def row(watch: Stopwatch, what: str, *words: str) -> str:
    """Run a command; return a row of the table."""
    from harness.cli.main import execute

    watch.seconds, begun = 0.0, time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        code = execute(words)
    took = time.process_time() - begun
    assert code == 0, words
    percent = 100 * watch.seconds / took
    return f"| {what} | {took:.1f} | {watch.seconds:.3f} | {percent:.1f} % |\n"


def main() -> None:
    """Print the seconds of each command, and what of them went into digests."""
    watch = Stopwatch()
    watch.watch()
    sys.stdout.write("| what | seconds | of digests | share |\n|---|--:|--:|--:|\n")
    if words := sys.argv[1:]:
        sys.stdout.write(row(watch, f"`{' '.join(words)}`", *words))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("warm", "measured"):
            world.make_corpus(Path(folder, name, "data"), speakers=10, takes=20)
        world.enter(Path(folder, "warm"))
        row(watch, "imports", *world.RUN)
        world.enter(Path(folder, "measured"))
        for what, seeds in (("extraction and a training", "0"), ("trainings", "1-8")):
            sys.stdout.write(row(watch, what, *world.RUN, "--seeds", seeds))


if __name__ == "__main__":
    main()
