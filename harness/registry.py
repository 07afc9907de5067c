"""Who offers what: plugins are found, checked and listed by name.

There is no global plugin manager: ``cli.main`` builds one and passes it on, and tests
build their own with ``plugin_manager([mine])``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Generic, TypeVar

import pluggy

from harness import hookspecs
from harness.errors import PluginError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint

    from harness.types import (
        Corpus,
        Downstream,
        Executor,
        Metric,
        Renderer,
        SplitStrategy,
        Suite,
        Upstream,
    )

GROUP = "harness"
Offered = TypeVar(
    "Offered",
    "Upstream",
    "Downstream",
    "Corpus",
    "Suite",
    "Executor",
    "Renderer",
    "SplitStrategy",
    "Metric",
)


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

    def __str__(self) -> str:
        """Name the plugin in a result."""
        package = f" ({self.distribution} {self.version})" if self.distribution else ""
        return self.name + package


class Names(Generic[Offered]):
    """The offers of one kind, by name; a name that is not there is an error."""

    def __init__(
        self,
        noun: str,
        ask: Callable[[str], tuple[Offered, Plugin] | None],
    ) -> None:
        """Start empty.

        Args:
            noun: What error messages call an offer.
            ask: Describes an offer that no list can hold, by the name the user gave.
        """
        self._noun = noun
        self._ask: Callable[[str], tuple[Offered, Plugin] | None] = ask
        self._offers: dict[str, tuple[Offered, Plugin]] = {}
        self._answers: dict[str, tuple[Offered, Plugin]] = {}

    def add(self, offer: Offered, plugin: Plugin) -> None:
        """Take an offer in, or say which two plugins claim its name."""
        if offer.name in self._offers:
            other = self._offers[offer.name][1]
            raise PluginError(
                f"Two plugins offer the {self._noun} '{offer.name}': '{other.name}' "
                f"and '{plugin.name}'. Rename it in one of them, or switch one off "
                f"with HARNESS_BLOCK={plugin.name}."
            )
        self._offers[offer.name] = (offer, plugin)

    def __getitem__(self, name: str) -> Offered:
        """Give the offer of that name, or raise ``UnknownNameError``."""
        return self._find(name)[0]

    def named(self, name: str) -> tuple[Offered, ...]:
        """Give the offer of that name, if there is one."""
        try:
            return (self[name],)
        except UnknownNameError:
            return ()

    def plugin(self, name: str) -> Plugin:
        """Give the plugin that brought an offer."""
        return self._find(name)[1]

    def __iter__(self) -> Iterator[Offered]:
        """Give every offer, sorted by name."""
        return (self._offers[name][0] for name in sorted(self._offers))

    def __len__(self) -> int:
        """Count the offers."""
        return len(self._offers)

    def _find(self, name: str) -> tuple[Offered, Plugin]:
        found = self._offers.get(name) or self._answers.get(name) or self._ask(name)
        if found is None:
            raise UnknownNameError(self._noun, name, self._offers)
        self._answers[name] = found
        return found


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
    plugins: tuple[Plugin, ...]
    manager: PluginManager

    @property
    def hook(self) -> pluggy.HookRelay:
        """The hooks, to be called by keyword."""
        return self.manager.hook

    @classmethod
    def of(cls, manager: PluginManager) -> Registry:
        """Ask every plugin for its offers.

        Raises:
            PluginError: Where two plugins offer the same name.
        """
        plugins = {plugin.name: plugin for plugin in manager.plugins()}
        hook = manager.hook

        def collect(
            noun: str,
            offers: pluggy.HookCaller,
            question: pluggy.HookCaller | None = None,
        ) -> Names[Offered]:
            def ask(name: str) -> tuple[Offered, Plugin] | None:
                asked = question.get_hookimpls() if question is not None else []
                for implementation in reversed(asked):
                    known = {"name": name, "find": names.__getitem__}
                    given = {word: known[word] for word in implementation.argnames}
                    answer: Offered | None = implementation.function(**given)  # type: ignore[assignment]
                    if answer is not None:
                        return answer, plugins[implementation.plugin_name]
                return None

            names: Names[Offered] = Names(noun, ask)
            for implementation in offers.get_hookimpls():
                offered: Iterable[Offered] = implementation.function()  # type: ignore[assignment]
                for offer in offered:
                    names.add(offer, plugins[implementation.plugin_name])
            return names

        return cls(
            upstreams=collect(
                "upstream", hook.harness_upstreams, hook.harness_upstream
            ),
            downstreams=collect("downstream", hook.harness_downstreams),
            corpora=collect("corpus", hook.harness_corpora, hook.harness_corpus),
            suites=collect("suite", hook.harness_suites),
            executors=collect("executor", hook.harness_executors),
            renderers=collect("renderer", hook.harness_renderers),
            splits=collect("split strategy", hook.harness_splits),
            metrics=collect("metric", hook.harness_metrics),
            plugins=tuple(plugins.values()),
            manager=manager,
        )


class PluginManager(pluggy.PluginManager):
    """pluggy's manager, which also knows where each plugin came from.

    Attributes:
        origins: The entry point of each plugin that was found by one.
        left_out: Plugins that were switched off or did not import.
    """

    def __init__(self) -> None:
        """Declare the harness' hooks."""
        super().__init__(GROUP)
        self.origins: dict[str, EntryPoint] = {}
        self.left_out: list[Plugin] = []
        self.add_hookspecs(hookspecs)

    def plugins(self) -> Iterator[Plugin]:
        """Describe every plugin, those that were left out last."""
        for name, _ in self.list_name_plugin():
            yield _describe(name, self.origins.get(name))
        yield from self.left_out


def plugin_manager(plugins: Iterable[object] | None = None) -> PluginManager:
    """Build a plugin manager.

    Args:
        plugins: Modules or objects with hook implementations; by default all that are
            installed under the entry-point group ``harness``, less those whose names
            stand in the environment variable ``HARNESS_BLOCK`` (comma separated).

    Raises:
        PluginError: Where a plugin implements a hook that does not exist.
    """
    manager = PluginManager()
    if plugins is None:
        _register_installed(manager)
    else:
        for plugin in plugins:
            manager.register(plugin)
    _refuse_unknown_hooks(manager)
    return manager


def _register_installed(manager: PluginManager) -> None:
    """Load entry points one by one, so that a broken plugin takes nothing down."""
    blocked = {name.strip() for name in os.environ.get("HARNESS_BLOCK", "").split(",")}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in blocked:
            plugin = _describe(point.name, point, "switched off by HARNESS_BLOCK")
            manager.left_out.append(replace(plugin, blocked=True))
            continue
        if point.name in manager.origins:
            raise PluginError(
                f"Two installed packages have a plugin called '{point.name}'; "
                "uninstall one of them."
            )
        try:
            module = point.load()
        except Exception as error:  # isolates the plugin that point.name names
            problem = f"{type(error).__name__}: {error}"
            manager.left_out.append(_describe(point.name, point, problem))
            continue
        manager.origins[point.name] = point
        manager.register(module, name=point.name)


def _describe(name: str, point: EntryPoint | None, problem: str = "") -> Plugin:
    distribution = point.dist if point is not None else None
    return Plugin(
        name=name,
        distribution=distribution.name if distribution else "",
        version=distribution.version if distribution else "",
        problem=problem,
    )


def _refuse_unknown_hooks(manager: PluginManager) -> None:
    """Turn a misspelt hook into an error that names the plugin and the near match."""
    known = {name for name in vars(hookspecs) if name.startswith("harness_")}
    for plugin_name, plugin in manager.list_name_plugin():
        for attribute in dir(plugin):
            if attribute in known:
                continue
            if manager.parse_hookimpl_opts(plugin, attribute) is not None:
                unknown = UnknownNameError("hook", attribute, known)
                raise PluginError(f"Plugin '{plugin_name}': {unknown}")
