"""Events go to every plugin; one that fails in them is named, and ends no run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.errors import PluginError
from harness.text import plain

if TYPE_CHECKING:
    import pluggy


def notify(hook: pluggy.HookCaller, event: object) -> None:
    """Call a hook of every plugin with an event, each on its own.

    Raises:
        HarnessError: Where a plugin refuses what the event announces, or cannot keep a
            result; another exception of a plugin is printed as a warning.
    """
    for implementation in reversed(hook.get_hookimpls()):
        known = {"event": event}
        arguments = [known[name] for name in implementation.argnames]
        try:
            implementation.function(*arguments)
        except PluginError as error:
            sys.stderr.write(f"warning: {plain(str(error))}\n")
