"""Plugins by name and package, and what they raise as a sentence."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLED = "speech-harness"
"""The distribution that the bundled plugins come with."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One plugin, as ``harness list plugins`` shows it.

    Attributes:
        name: Its entry point's name.
        distribution: The package that brought it.
        version: That package's version.
        problem: Why it was left out, or empty.
        blocked: Whether the user left it out.
    """

    name: str
    distribution: str
    version: str
    problem: str = ""
    blocked: bool = False

    @property
    def bundled(self) -> bool:
        """Whether it comes with the harness."""
        return self.distribution == BUNDLED

    @property
    def identity(self) -> str:
        """The package and its version, for conditions; empty for bundled plugins."""
        known = self.distribution and not self.bundled
        return f"{self.distribution} {self.version}" if known else ""

    @property
    def warning(self) -> str:
        """Why it was left out and what to do, in a sentence."""
        return (
            f"the plugin {self} is left out: {ended(self.problem)} Update or "
            f"uninstall it, or switch it off with HARNESS_BLOCK={self.name}."
        )

    def __str__(self) -> str:
        """Name the plugin in a result."""
        package = f" ({self.distribution} {self.version})" if self.distribution else ""
        return self.name + package


@contextmanager
def isolated(plugin: Plugin | str, doing: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into a sentence that names the plugin.

    Args:
        plugin: Whose code runs; text names one that is not at hand.
        doing: What it does, such as ``loading the upstream acme``.

    Raises:
        PluginError: For every exception but a ``HarnessError``, which is a sentence
            already.
    """
    try:
        yield
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # isolates the plugin that is named
        name = str(plugin).partition(" ")[0]
        raise PluginError(
            f"The plugin {plugin} failed while {doing}: {ended(reason(error))} Update "
            f"it, or switch it off with HARNESS_BLOCK={name}."
        ) from error


def reason(error: BaseException) -> str:
    """Say what was raised in one line without control characters."""
    line = str(error).strip().partition("\n")[0]
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    if isinstance(error, HarnessError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def ended(text: str) -> str:
    """End a sentence that may have ended."""
    return text.rstrip(".") + "."
