"""The command line's verbs from Python: the same names, defaults and checks.

    import harness

    results = harness.run(upstream="fbank", downstream=["linear", "nonlinear"],
                          corpus="demo", split="kfold", folds=4)
    results.to_pandas()

Each keyword is an option of the verb: ``--split-seed 1`` is ``split_seed=1``. Where an
option takes several names or numbers, a sequence does, too; ``--checkpoint U=FOLDER``
and ``--only COLUMN=VALUE`` take a mapping. What is left out is as on the command line,
``$HARNESS_DATA``, ``$HARNESS_RUNS`` and the others included.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypedDict,
    TypeVar,
    Unpack,
    get_type_hints,
)

import click

from harness.cli import exporting, running
from harness.cli.calling import called, default_of, described, keywords
from harness.cli.console import say
from harness.errors import HarnessError
from harness.registry import Registry, plugin_manager

if TYPE_CHECKING:
    from harness.execution.features import Features
    from harness.execution.plan import Plan
    from harness.types import Cell, Results

Names = str | Iterable[str]
"""One name or several: ``"a,b"`` or ``["a", "b"]``."""

Place = str | PathLike[str]
"""The path of a file or a folder."""

Chosen = Mapping[str, Names] | Names
"""What is chosen by name: ``{"corpus": "emodb"}`` or ``"corpus=emodb"``."""


class ExtractionOptions(TypedDict, total=False):
    """What the features of a corpus depend on, and where things lie."""

    feeding: str | None
    max_seconds: float | None
    limit: int | None
    frame_type: Literal["float32", "float16"]
    precision: Literal["float32", "bfloat16", "float16"]
    skip_bad: bool
    checkpoint: Mapping[str, Place] | Names
    data_root: Place
    cache: Place
    device: str
    quiet: bool


class RunOptions(ExtractionOptions, total=False):
    """The options of ``harness run``."""

    upstream: Names
    downstream: Names
    corpus: Names
    baseline: Names
    test_corpus: Names
    target: str
    suite: Place
    only: Chosen
    controls: bool
    all_controls: bool
    seeds: int | str | Iterable[int] | None
    split: Place | None
    folds: int | None
    split_seed: int
    select: str | None
    perturb: Names
    perturb_parts: Literal["test", "all"]
    runs: Place
    again: Names | None
    executor: str
    workers: int
    keep_going: bool | None
    keep_features: Literal["all", "pooled"]
    max_hours: float | None


class PlanOptions(RunOptions, total=False):
    """The options of ``harness plan``."""

    measure: bool


class FeatureOptions(ExtractionOptions, total=False):
    """The options of ``harness features export``, but for the file's."""

    frames: Literal["last", "all"] | None
    perturb: str
    executor: str
    workers: int


Verb = TypeVar("Verb", bound=Callable[..., object])


def _like(verb: click.Command, named: type[Any]) -> Callable[[Verb], Verb]:
    """Show in a function's help the options of the verb that it calls."""

    def decorate(function: Verb) -> Verb:
        own = list(inspect.signature(function).parameters.values())
        options = get_type_hints(named)
        known = {name: one for name, one in keywords(verb).items() if name in options}
        lines = [f"    {name}: {described(one)}" for name, one in known.items()]
        before, args, after = (function.__doc__ or "").partition("\n    Args:\n")
        indented = "".join(f"    {line}\n" for line in lines)
        function.__doc__ = before + args + indented + after
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                *own[:-1],
                *(
                    inspect.Parameter(
                        name,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=default_of(option),
                        annotation=options[name],
                    )
                    for name, option in known.items()
                ),
            ]
        )
        return function

    return decorate


# ---------------------------------------------------------------- verbs


@_like(running.run, RunOptions)
def run(*, plugins: Iterable[object] = (), **options: Unpack[RunOptions]) -> Results:
    """Train and score classifiers on the features of frozen speech models.

    What is finished is never done again, so the same call also goes on with a run that
    was interrupted.

    Args:
        plugins: Modules or objects with hooks, beside those that are installed. Run
            them with ``executor="serial"`` if a notebook defines them.

    Returns:
        The results of the cells of this call, computed now or before; ``run`` says
        which cells failed, where ``keep_going`` let others go on.

    Raises:
        HarnessError: Where something that the user can fix is in the way.
    """
    registry = _registry(plugins)
    with called(running.run, options, registry) as context:
        asked = running.asked(registry, dict(context.params))
    report = running.do(asked)  # outside: what the command line prints is returned
    with click.Context(click.Command("run"), obj=registry):
        return _stored(registry, runs=report.runs, run=report)


@_like(running.plan, PlanOptions)
def plan(*, plugins: Iterable[object] = (), **options: Unpack[PlanOptions]) -> Planned:
    """Say what ``harness.run`` with the same options would do, and do nothing.

    Args:
        plugins: Modules or objects with hooks, beside those that are installed.

    Raises:
        HarnessError: For every mistake that can be found before the work.
    """
    registry = _registry(plugins)
    with called(running.plan, options, registry) as context:
        values = {name: one for name, one in context.params.items() if name != "form"}
        printed = io.StringIO()
        with (
            running.planned(registry, values) as (todo, found, place),
            contextlib.redirect_stdout(printed),
        ):
            running.print_plan(todo, found, place)
    return Planned(plan=todo, text=printed.getvalue())


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a run would do; printing it prints what ``harness plan`` prints.

    Attributes:
        plan: By (upstream × corpus), with every cell and all that is left out.
        text: As it is printed.
    """

    plan: Plan
    text: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell of the command, each once."""
        return self.plan.cells

    @property
    def todo(self) -> tuple[Cell, ...]:
        """The cells that are to be computed."""
        return tuple({job.cell.run_id: job.cell for job in self.plan.todo}.values())

    def __str__(self) -> str:
        """Return what ``harness plan`` prints."""
        return self.text

    __repr__ = __str__


def results(
    runs: Place | None = None,
    *,
    only: Chosen | None = None,
    plugins: Iterable[object] = (),
) -> Results:
    """Read stored results.

    Args:
        runs: The folder, or the URI of one elsewhere; by default ``$HARNESS_RUNS``, or
            ``runs``.
        only: Those that have one of these values, ``{"corpus": ["emodb", "emovo"]}``,
            as ``harness leaderboard --only`` takes them.
        plugins: Modules or objects with hooks, beside those that are installed.

    Raises:
        HarnessError: Where there is none, or no column has a name of ``only``.
    """
    registry = _registry(plugins)
    with click.Context(click.Command("results"), obj=registry):
        return _stored(registry, runs=runs, only=only)


@_like(exporting.export, FeatureOptions)
def features(
    upstream: str,
    corpus: str,
    *,
    plugins: Iterable[object] = (),
    **options: Unpack[FeatureOptions],
) -> Features:
    """Extract the features of a corpus, or find those that are stored.

    Args:
        upstream: A frozen speech model.
        corpus: A corpus, or several that are joined: ``a+b``.
        plugins: Modules or objects with hooks, beside those that are installed.

    Returns:
        Means of every layer as one array (N, L, D), or frames by utterance, with the
        table of utterances beside.

    Raises:
        HarnessError: Where something that the user can fix is in the way.
    """
    registry = _registry(plugins)
    words = {"upstream": upstream, "corpus": corpus, **options}
    with called(exporting.export, words, registry) as context:
        return exporting.extracted(registry, context.params)


# ---------------------------------------------------------------- what they share


def _registry(plugins: Iterable[object]) -> Registry:
    """Gather what plugins offer, and name those that are left out."""
    manager = plugin_manager()
    for plugin in plugins:
        manager.register(plugin)
    registry = Registry.of(manager)
    for one in registry.plugins:
        if one.problem and not one.blocked:
            say(f"warning: the plugin {one} is left out: {one.problem}")
    return registry


def _stored(registry: Registry, *, run: Any = None, **options: object) -> Results:  # noqa: ANN401
    found: Results | None = registry.hook.harness_stored_results(
        options=options, run=run
    )
    if found is None:
        raise HarnessError(
            "No plugin reads results; 'harness list plugins' says which plugins are "
            "left out, and why."
        )
    return found
