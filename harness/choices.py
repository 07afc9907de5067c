"""What an option takes, by name and with a few words each: for lists and shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Described(click.Choice[str]):
    """Names that an option or argument takes, such as the views of a leaderboard.

    ``harness list`` shows them under their noun, and a shell completes them.
    """

    def __init__(self, plural: str, summaries: Mapping[str, str]) -> None:
        """Take the names, each with what it is in a few words.

        Args:
            plural: What they are called in ``harness list``, such as ``views``.
            summaries: By name.
        """
        super().__init__(list(summaries))
        self.plural, self.summaries = plural, summaries

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name."""
        return [
            CompletionItem(name, help=summary)
            for name, summary in self.summaries.items()
            if name.startswith(incomplete)
        ]


def described_by(verb: click.Command) -> dict[str, Mapping[str, str]]:
    """Find what the options of a verb, or of a group's verbs, take; by its plural."""
    found: dict[str, Mapping[str, str]] = {}
    for one in getattr(verb, "commands", {}).values():
        found |= described_by(one)
    for parameter in verb.params:
        if isinstance(parameter.type, Described):
            found[parameter.type.plural] = parameter.type.summaries
    return found
