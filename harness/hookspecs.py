"""The hooks: what a plugin may offer, be asked, be notified of, and add to the CLI.

Offers (``harness_<plural>``) take nothing, are cheap, and return frozen descriptions.
Questions (``harness_<noun>``) go to each plugin until one answers. Events
(``harness_<noun>_<past participle>``, and ``harness_result``) go to every plugin, with
one frozen argument that may grow fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import click

    from harness.types import (
        CellFailed,
        CellFinished,
        Corpus,
        Downstream,
        Executor,
        Metric,
        Perturbation,
        Renderer,
        Results,
        RunFinished,
        RunStarted,
        RunStarting,
        SplitStrategy,
        Suite,
        Target,
        Upstream,
    )

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")
"""Marks a function of a plugin as its implementation of the hook of that name."""


@hookspec
def harness_upstreams() -> Iterable[Upstream]:
    """Offer speech models. Import nothing heavy here: ``Upstream.load`` comes later."""
    return ()


@hookspec
def harness_downstreams() -> Iterable[Downstream]:
    """Offer heads. Import nothing heavy here: ``Downstream.build`` comes later."""
    return ()


@hookspec
def harness_corpora() -> Iterable[Corpus]:
    """Offer corpora. Touch no disk here: ``Corpus.read`` comes later."""
    return ()


@hookspec
def harness_suites() -> Iterable[Suite]:
    """Offer named studies."""
    return ()


@hookspec
def harness_executors() -> Iterable[Executor]:
    """Offer places where tasks can run."""
    return ()


@hookspec
def harness_renderers() -> Iterable[Renderer]:
    """Offer formats that a table can be printed in."""
    return ()


@hookspec
def harness_splits() -> Iterable[SplitStrategy]:
    """Offer strategies that divide a corpus into train, valid and test."""
    return ()


@hookspec
def harness_metrics() -> Iterable[Metric]:
    """Offer metrics; each is computed of every result, or later of its predictions."""
    return ()


@hookspec
def harness_perturbations() -> Iterable[Perturbation]:
    """Offer ways to make recordings harder, such as noise or a codec."""
    return ()


@hookspec
def harness_targets() -> Iterable[Target]:
    """Offer what can be predicted of an utterance: a class, or a number."""
    return ()


@hookspec(firstresult=True)
def harness_upstream(name: str, find: Callable[[str], Upstream]) -> Upstream | None:
    """Describe an upstream that no list can hold, such as ``hf:ID-or-PATH``.

    Asked when no plugin offers that name; most plugins answer nothing.

    Args:
        name: As the user wrote it after ``--upstream``.
        find: Returns another upstream by its name, for those made out of others.
    """


@hookspec
def harness_control_upstreams(upstream: Upstream) -> Iterable[str]:  # type: ignore[empty-body]
    """Name upstreams that this one must beat, such as itself with random weights.

    They run with the heads that read means, where ``--all-controls`` asks for them.

    Args:
        upstream: One that the user asked for.
    """


@hookspec(firstresult=True)
def harness_corpus(name: str) -> Corpus | None:
    """Describe a corpus that no list can hold, such as ``csv:PATH``.

    Asked when no plugin offers that name; most plugins answer nothing.

    Args:
        name: As the user wrote it after ``--corpus``.
    """


@hookspec(firstresult=True)
def harness_corpus_root(corpus: Corpus, cache: Path) -> Path | None:
    """Return where a corpus lies, or will lie once it is synthesised; make nothing.

    Asked before the data root is looked at; most plugins answer nothing. A relative
    path is one below the data root.

    Args:
        corpus: The corpus that is needed.
        cache: A folder that may be written to.
    """


@hookspec(firstresult=True)
def harness_finished_runs(runs: Path) -> frozenset[str] | None:
    """Return the ``run_id`` of every result that is stored below a folder.

    Asked once a plan, so it must be quick; a cell that is named is not computed again.

    Args:
        runs: The folder of ``--runs``; it may not exist.
    """


@hookspec(firstresult=True)
def harness_stored_results(
    options: Mapping[str, object], run: RunFinished | None
) -> Results | None:
    """Return stored results for Python; read no more than it takes to refuse them.

    ``click.get_current_context().obj`` is the ``harness.registry.Registry``.

    Args:
        options: ``runs``, the folder, and ``only``, as on the command line.
        run: A run that has just ended, whose results are wanted alone; ``None`` for all
            of a folder.
    """


@hookspec
def harness_run_starting(event: RunStarting) -> None:
    """Prepare for a run, before anything is fetched, made or computed.

    Raise ``HarnessError`` to refuse it, for example where results cannot be written.
    """


@hookspec
def harness_run_started(event: RunStarted) -> None:
    """Take note of the cells of a run, before the first of them."""


@hookspec
def harness_result(event: CellFinished) -> None:
    """Keep the result of a cell, in the process that the user started."""


@hookspec
def harness_cell_failed(event: CellFailed) -> None:
    """Take note of a cell without result; the run goes on with others if so asked."""


@hookspec
def harness_run_finished(event: RunFinished) -> None:
    """Take note of the end of a run, in whichever way it ended."""


@hookspec
def harness_commands(app: click.Group) -> None:
    """Add verbs to the command line, by ``@app.command()``.

    ``click.get_current_context().obj`` is the ``harness.registry.Registry``.
    """
