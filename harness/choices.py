"""What an option takes, by name and with a few words each: for lists and shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from harness.errors import HarnessError, UnknownNameError
from harness.registry.names import split_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from click.types import OptionHelpExtra


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


MOST = 1000
"""The largest bound that help says: those above keep slips out, and no choice in."""


class Worded(click.Option):
    """An option whose help says in words what stands for it, and what it may be."""

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """Return the default without brackets, and a range as it is spoken."""
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        if isinstance(self.type, click.IntRange | click.FloatRange):
            extra.pop("range", None)
            if spoken := _spoken(self.type):
                extra["range"] = spoken
        return extra


def _spoken(bounds: click.IntRange | click.FloatRange) -> str:
    """Say which numbers a range holds; nothing where they are those from 0."""
    least, most = bounds.min or 0, bounds.max or 0
    if not 0 < most <= MOST:
        open_ended = f"{'above' if bounds.min_open else 'at least'} {least:g}"
        return open_ended if least or bounds.min_open else ""
    if bounds.min_open:
        return f"above {least:g}, at most {most:g}"
    return f"{least:g} to {most:g}"


def offered(
    *kinds: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes names of some kinds of offers, such as ``upstreams``.

    Of several names with commas between them the last one is completed.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, begun = incomplete.rpartition(",")
        offers = (o for kind in kinds for o in getattr(ctx.find_root().obj, kind))
        return [
            CompletionItem(f"{before}{comma}{offer.name}", help=about(offer))
            for offer in offers
            if offer.name.startswith(begun)
        ]

    return complete


def about(offer: object) -> str:
    """Return what an offer says of itself in a line."""
    said = (getattr(offer, name, "") for name in ("summary", "title", "pretraining"))
    return next(filter(None, said), "")


def described_by(verb: click.Command) -> dict[str, Mapping[str, str]]:
    """Find what the options of a verb, or of a group's verbs, take; by its plural."""
    found: dict[str, Mapping[str, str]] = {}
    for one in getattr(verb, "commands", {}).values():
        found |= described_by(one)
    for parameter in verb.params:
        if isinstance(parameter.type, Described):
            found[parameter.type.plural] = parameter.type.summaries
    return found


FIELDS = "FIELD=VALUE[,VALUE…]"
"""How ``--only`` is written, whatever it chooses among: cells, results or features."""


def chosen(
    written: Sequence[str], known: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Read what ``--only`` asks for: the values that each of some fields may have.

    Args:
        written: Each like ``corpus=emodb,emovo``.
        known: The fields that there are.

    Raises:
        HarnessError: Where one is not like that, or a field is given twice.
        UnknownNameError: Where there is no such field.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in written:
        field, equals, listed = text.partition("=")
        if not (equals and listed):
            raise HarnessError(f"--only '{text}' is not like corpus=emodb,emovo.")
        if field not in known:
            raise UnknownNameError("field of --only", field, known)
        if field in found:
            both = ",".join((*found[field], listed))
            raise HarnessError(f"--only {field} is given twice. Write {field}={both}.")
        found[field] = split_names(listed)
    return found
