"""Who offers what: plugins are found, checked and listed by name.

There is no global plugin manager: ``cli.main`` builds one and passes it on, and tests
build their own with ``plugin_manager([mine])``.

A plugin that fails takes nothing else down. While plugins are listed it is left out,
and named with the reason; while it works, ``isolated`` turns what it raises into a
``PluginError``. The environment variable ``HARNESS_BLOCK`` switches plugins off by
name, ``HARNESS_BLOCK=acme,other``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.garbage import uncollected
from harness.registry.isolation import Plugin, isolated
from harness.registry.manager import PluginManager, plugin_manager
from harness.registry.names import Names, Offered, split_names
from harness.registry.options import check
from harness.types import (
    Corpus,
    Downstream,
    Executor,
    Metric,
    Perturbation,
    Renderer,
    SplitStrategy,
    Suite,
    Target,
    Upstream,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click
    import pluggy

__all__ = [
    "Names",
    "Plugin",
    "PluginManager",
    "Registry",
    "isolated",
    "plugin_manager",
    "split_names",
]

OFFERS: Mapping[str, type[Any]] = {
    "harness_upstreams": Upstream,
    "harness_downstreams": Downstream,
    "harness_corpora": Corpus,
    "harness_suites": Suite,
    "harness_executors": Executor,
    "harness_renderers": Renderer,
    "harness_splits": SplitStrategy,
    "harness_metrics": Metric,
    "harness_targets": Target,
    "harness_perturbations": Perturbation,
}
"""What each offering hook returns."""

NAME = re.compile(r"[^\s,:=/\\]+")
"""A name is one word of the command line, and part of the names of files."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Everything that the plugins offer."""

    upstreams: Names[Upstream]
    downstreams: Names[Downstream]
    corpora: Names[Corpus]
    suites: Names[Suite]
    executors: Names[Executor]
    renderers: Names[Renderer]
    splits: Names[SplitStrategy]
    metrics: Names[Metric]
    targets: Names[Target]
    perturbations: Names[Perturbation]
    manager: PluginManager

    @property
    def hook(self) -> pluggy.HookRelay:
        """The hooks, to be called by keyword."""
        return self.manager.hook

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """Every plugin, those that were left out last."""
        return tuple(self.manager.plugins())

    @classmethod
    def of(cls, manager: PluginManager) -> Registry:
        """Ask every plugin for its offers; one that fails to answer is left out."""
        offers = list(_offers(manager))
        names = functools.partial(_names, manager, offers)
        return cls(
            upstreams=names(Upstream, "upstream", "harness_upstream"),
            downstreams=names(Downstream, "downstream"),
            corpora=names(Corpus, "corpus", "harness_corpus"),
            suites=names(Suite, "suite"),
            executors=names(Executor, "executor"),
            renderers=names(Renderer, "renderer"),
            splits=names(SplitStrategy, "split strategy"),
            metrics=names(Metric, "metric"),
            targets=names(Target, "target"),
            perturbations=names(Perturbation, "perturbation"),
            manager=manager,
        )

    def add_commands(self, app: click.Group) -> None:
        """Let every plugin add its verbs; one that fails to is left out."""
        for call in self.hook.harness_commands.get_hookimpls():
            with self.manager.leaving_out(call.plugin_name):
                call.function(*(app for _ in call.argnames))


def _names(
    manager: PluginManager,
    offers: Iterable[tuple[Any, Plugin]],
    kind: type[Offered],
    noun: str,
    question: str = "",
) -> Names[Offered]:
    """Gather the offers of one kind."""

    def ask(name: str) -> tuple[Offered, Plugin] | None:
        return _ask(manager, question, kind, {"name": name, "find": names.__getitem__})

    names: Names[Offered] = Names(noun, ask, manager.left_out)
    for offer, plugin in offers:
        if isinstance(offer, kind):
            names.add(offer, plugin)
    return names


@uncollected()
def _ask(
    manager: PluginManager, question: str, kind: type[Offered], known: Mapping[str, Any]
) -> tuple[Offered, Plugin] | None:
    """Put a question to one plugin after the other, the last one first."""
    asked = getattr(manager.hook, question).get_hookimpls() if question else []
    for call in reversed(asked):
        plugin = manager.described(call.plugin_name)
        with isolated(plugin, f"describing {known['name']}"):
            answer = call.function(*(known[word] for word in call.argnames))
            if answer is not None and not isinstance(answer, kind):
                raise TypeError(f"{question} returned {_a(answer)}, not {_a(kind)}")
        if answer is not None:
            return answer, plugin
    return None


def _offers(manager: PluginManager) -> Iterator[tuple[Any, Plugin]]:
    """List what each plugin offers; one that fails to list it is left out."""
    for name, _ in manager.list_name_plugin():
        offers: list[Any] = []
        with manager.leaving_out(name):
            for hook, kind in OFFERS.items():
                for call in getattr(manager.hook, hook).get_hookimpls():
                    if call.plugin_name == name:
                        offers += _checked(hook, kind, call.function())
            plugin = manager.described(name)
            yield from ((offer, plugin) for offer in offers)


def _checked(hook: str, kind: type[Any], offered: object) -> list[Any]:
    """Refuse what an offering hook must not return."""
    if isinstance(offered, kind):
        raise TypeError(f"{hook} returned {_a(offered)}: yield it, or return a list")
    if isinstance(offered, str) or not isinstance(offered, Iterable):
        raise TypeError(f"{hook} returned {_a(offered)}, not a list of {kind.__name__}")
    offers = list(offered)
    for offer in offers:
        if not isinstance(offer, kind):
            raise TypeError(f"{hook} returned {_a(offer)} where {_a(kind)} is due")
        if not isinstance(offer.name, str) or not NAME.fullmatch(offer.name):
            raise ValueError(f"{hook} offers {offer.name!r}, which is no name")
        check(getattr(offer, "options", None))
    names = [offer.name for offer in offers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{hook} offers '{twice}' twice")
    return offers


def _a(thing: object) -> str:
    """Name the type of something with its article."""
    if thing is None:
        return "nothing"
    name = (thing if isinstance(thing, type) else type(thing)).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
