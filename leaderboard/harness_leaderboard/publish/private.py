"""What must not leave this machine: folders, and the names of its user and itself.

Absolute paths are cut to their last part, wherever they stand in a result. The user's
and the machine's name cannot be cut out of what somebody meant to write, so that a
result which holds one is refused, with where.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Collection

ABSOLUTE = re.compile(
    r"(?:file:/{2,3}|(?<![\w.~/\\])(?:/(?=[^\s/])|~[\w-]*[/\\]|[A-Za-z]:[/\\]|\\\\))"
    r"(?:(?!: )[^,;|'\"<>()\n])*"
)
"""A path from the root of a disk, a home, a drive or a server, up to what ends a list's
entry. Before it may stand a prefix such as ``csv:``, but no letter: ``n/a`` is none."""

GENERAL = frozenset(
    "root user admin administrator ubuntu debian ec2-user runner jovyan vscode docker "
    "nobody localhost localhost.localdomain".split()
)
"""Names of users and machines that say nothing of either."""

SHORTEST = 3
"""Letters of a name that is looked for; shorter ones are parts of many words."""


@dataclass(frozen=True, kw_only=True)
class Private:
    """What is private here.

    Attributes:
        names: Of the user and the machine, in lower case.
        cut: What paths became.
    """

    names: frozenset[str]
    cut: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, allowed: Collection[str] = ()) -> Private:
        """Ask this machine for its names; some may be ``allowed``."""
        try:
            user = getpass.getuser()
        except (OSError, KeyError, ImportError):  # an id without a name
            user = ""
        host = socket.gethostname()
        names = {user, Path.home().name, host, host.partition(".")[0]}
        known = {one.lower() for one in names if len(one) >= SHORTEST}
        return cls(names=frozenset(known - GENERAL - {one.lower() for one in allowed}))

    def clean(self, value: Any, where: str = "") -> Any:  # noqa: ANN401 - of any column
        """Return a value, or all that is in it, without absolute paths.

        Args:
            value: A text, or lists and mappings of values.
            where: The column that it stands in.

        Raises:
            HarnessError: Where a text names the user or the machine.
        """
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, dict):
            return {
                key: self.clean(one, f"{where}.{key}".strip("."))
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self.clean(one, where) for one in value)
        return value

    def _text(self, text: str, where: str) -> str:
        found = ABSOLUTE.sub(lambda match: self._last(match[0]), text)
        if name := self.named(found):
            raise HarnessError(
                f"Nothing is published: '{found}' in the column '{where}' holds "
                f"'{name}', the name of this user or machine. Leave such results out "
                f"by --only, or pass --allow {name} if it may be read by all."
            )
        return found

    def named(self, text: str) -> str:
        """Return the private name that stands in a text as a word, or nothing."""
        for name in sorted(self.names):
            word = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
            if re.search(word, text, re.IGNORECASE):
                return name
        return ""

    def _last(self, path: str) -> str:
        """Return the last part of a path; two paths that share it stay two."""
        if path not in self.cut:
            last = re.split(r"[/\\]", path.rstrip("/\\ "))[-1]
            if last in self.cut.values():
                last += f"~{hashlib.sha256(path.encode()).hexdigest()[:6]}"
            self.cut[path] = last
        return self.cut[path]

    def refuse_paths(self, name: str, text: str) -> None:
        """See that a text that is sent names no folder of this user.

        Raises:
            HarnessError: Where it does: that is a fault of the program.
        """
        for folder in {Path.home(), Path.cwd()} - {Path("/")}:
            if re.search(rf"(?<![\w.~/-]){re.escape(str(folder))}(?![\w-])", text):
                raise HarnessError(
                    f"Nothing is published: {name} holds the path {folder}. Run the "
                    "same command in another folder, and report this."
                )
