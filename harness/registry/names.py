"""Offers of one kind, found by the name that the user wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from harness.errors import PluginError, UnknownNameError
from harness.registry.isolation import ended, isolated
from harness.registry.options import configured, with_defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.registry.isolation import Plugin


class Offer(Protocol):
    """Anything that a plugin offers."""

    @property
    def name(self) -> str:
        """The word that the user types."""


Offered = TypeVar("Offered", bound=Offer)


class Names(Generic[Offered]):
    """The offers of one kind, by name; a name that is not there is an error."""

    def __init__(
        self,
        noun: str,
        ask: Callable[[str], tuple[Offered, Plugin] | None] = lambda name: None,
        left_out: Iterable[Plugin] = (),
    ) -> None:
        """Start empty.

        Args:
            noun: What error messages call an offer.
            ask: Describes an offer that no list can hold, by the name the user gave.
            left_out: Plugins that might have offered a name that is not here.
        """
        self._noun = noun
        self._ask: Callable[[str], tuple[Offered, Plugin] | None] = ask
        self._left_out = tuple(left_out)
        self._offers: dict[str, list[tuple[Offered, Plugin]]] = {}
        self._answers: dict[str, tuple[Offered, Plugin]] = {}

    def add(self, offer: Offered, plugin: Plugin) -> None:
        """Take an offer in; a name that two plugins claim is an error when asked."""
        self._offers.setdefault(offer.name, []).append((offer, plugin))

    def __getitem__(self, name: str) -> Offered:
        """Return the offer of a name, ``NAME:field=value,…`` with options set.

        Raises:
            UnknownNameError: Where no plugin offers it.
            PluginError: Where two plugins do, or one fails to describe it.
        """
        return self._find(name)[0]

    def named(self, name: str) -> tuple[Offered, ...]:
        """Return the offer of that name, if there is one."""
        try:
            return (self[name],)
        except UnknownNameError:
            return ()

    def plugin(self, name: str) -> Plugin:
        """Return the plugin that brought an offer."""
        return self._find(name)[1]

    @property
    def clashes(self) -> tuple[str, ...]:
        """The names that several plugins claim."""
        return tuple(sorted(n for n, claims in self._offers.items() if len(claims) > 1))

    def __iter__(self) -> Iterator[Offered]:
        """Yield every offer, sorted by name, but those that several plugins claim."""
        claimed = (self._offers[name] for name in sorted(self._offers))
        return (with_defaults(claims[0][0]) for claims in claimed if len(claims) == 1)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._offers)

    def _find(self, name: str) -> tuple[Offered, Plugin]:
        if name not in self._answers:
            found = self._offered(name) or self._configured(name) or self._ask(name)
            if found is None:
                raise UnknownNameError(self._noun, name, self._offers, self.why(name))
            self._answers[name] = self._answers[found[0].name] = found
        return self._answers[name]

    def _offered(self, name: str) -> tuple[Offered, Plugin] | None:
        """Find what a plugin lists."""
        claims = self._offers.get(name, [])
        if len(claims) > 1:
            one, other = sorted(plugin.name for _, plugin in claims)[:2]
            raise PluginError(
                f"Two plugins offer the {self._noun} '{name}': '{one}' and '{other}'. "
                f"Rename it in one of them, or switch one off with "
                f"HARNESS_BLOCK={other}."
            )
        return next(((with_defaults(offer), by) for offer, by in claims), None)

    def _configured(self, name: str) -> tuple[Offered, Plugin] | None:
        """Find what a plugin lists, with options set."""
        base, colon, text = name.partition(":")
        if not colon or self._offered(base) is None:
            return None
        offer, plugin = self._offers[base][0]
        if getattr(offer, "options", None) is None:
            return None
        with isolated(plugin, f"describing {name}"):
            return configured(offer, text), plugin

    def why(self, name: str) -> str:
        """Say what may be behind a name that is not there."""
        base, colon, _ = name.partition(":")
        if colon and base in self._offers:
            return f"The {self._noun} '{base}' takes no options."
        return " ".join(
            f"The plugin {plugin}, which may offer it, was left out: "
            f"{ended(plugin.problem)}"
            for plugin in self._left_out
        )


def split_names(text: str) -> tuple[str, ...]:
    """Split names at commas; ``key=value`` belongs to the name before it.

    ``a:x=1,y=2,b,hf:foo/bar`` is ``a:x=1,y=2``, ``b`` and ``hf:foo/bar``. A name that
    comes twice is there once.
    """
    names: list[str] = []
    for piece in filter(None, map(str.strip, text.split(","))):
        before, equals, _ = piece.partition("=")
        if names and equals and ":" not in before:
            names[-1] += f",{piece}"
        else:
            names.append(piece)
    return tuple(dict.fromkeys(names))
