"""A try: something is done in a process of its own, which may die or hang."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
"""Seconds after which a try hangs; all are done within two on an idle machine."""

MEMORY = 12 * 2**30
"""Bytes of addresses of a try: what asks for more is wrong, and is not let."""

GRACE = 5.0
"""Seconds that processes have to end after the one that started them."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal, ``None`` if it hung.
        value: What its function returned, if it did.
        said: Everything that it wrote.
        orphans: How many processes it left behind.
    """

    code: int | None
    value: Any
    said: str
    orphans: int


def attempt(
    function: Callable[..., Any], *arguments: Any, patience: float = PATIENCE
) -> Ended:
    """Call a function in a process of its own."""
    started = Started(function, *arguments)
    return started.end(patience)


class Started:
    """A process that does something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="campaign-"))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["campaign.warm"])
        self.process = context.Process(
            target=_child, args=(self.scratch, function, arguments)
        )
        self.process.start()

    def end(self, patience: float = PATIENCE) -> Ended:
        """Wait for it, or end it with all that it started."""
        process, pid = self.process, self.process.pid
        assert pid is not None
        process.join(patience)
        hung = process.is_alive()
        orphans = 0 if hung else _orphans(pid)
        for one in _session(pid):
            os.kill(one, signal.SIGKILL)
        process.join()
        value = self.scratch / "value"
        said = self.scratch / "said"
        done = not hung and value.exists()  # exit codes get lost between threads
        ended = Ended(
            code=None if hung else 0 if done else process.exitcode,
            value=pickle.loads(value.read_bytes()) if done else None,
            said=said.read_text("utf-8", "replace") if said.exists() else "",
            orphans=orphans,
        )
        process.close()
        shutil.rmtree(self.scratch)
        return ended


def _child(scratch: Path, function: Callable[..., Any], arguments: Any) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    said = os.open(scratch / "said", os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    value = function(*arguments)
    (scratch / "value").write_bytes(pickle.dumps(value))


def _orphans(pid: int) -> int:
    """Count what is left of a session, when it had time to end."""
    patience = time.monotonic() + GRACE
    while (left := len(list(_session(pid)))) and time.monotonic() < patience:
        time.sleep(0.05)
    return left


def _session(leader: int) -> Iterator[int]:
    """Yield the processes of a session, without those that wait to be collected."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(after_name[3]) == leader and after_name[0] != "Z":
                yield int(folder.name)
