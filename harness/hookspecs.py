"""The hooks: what a plugin may offer, be asked, be told, and add to the CLI.

Offers (``harness_<plural>``) take nothing, are cheap, and give frozen descriptions.
Questions (``harness_<noun>``) go to each plugin until one answers. Events
(``harness_<noun>_<past participle>``, and ``harness_result``) tell every plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import click

    from harness.types import (
        Cell,
        Corpus,
        Downstream,
        Executor,
        Renderer,
        Report,
        Result,
        Suite,
        Upstream,
    )

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


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
    """Offer forms that a table can be printed in."""
    return ()


@hookspec(firstresult=True)
def harness_upstream(name: str, find: Callable[[str], Upstream]) -> Upstream | None:
    """Describe an upstream that no list can hold, such as ``hf:ID-or-PATH``.

    Asked when no plugin offers that name; most plugins answer nothing.

    Args:
        name: As the user wrote it after ``--upstream``.
        find: Gives another upstream by its name, for those made out of others.
    """


@hookspec
def harness_control_upstreams(upstream: Upstream) -> Iterable[str]:  # type: ignore[empty-body]
    """Name upstreams that this one must beat, such as itself with random weights.

    They are heard by the heads that read means, where ``--all-controls`` asks for them.

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
    """Say where a corpus lies, or make it there.

    Asked before the data root is looked at; most plugins answer nothing.

    Args:
        corpus: The corpus that is needed.
        cache: A folder that may be written to.
    """


@hookspec(firstresult=True)
def harness_finished_runs(runs: Path) -> frozenset[str] | None:
    """Give the ``run_id`` of every result that is stored below a folder.

    Asked once a plan, so it must be quick; a cell that is named is not computed again.

    Args:
        runs: The folder of ``--runs``; it may not exist.
    """


@hookspec
def harness_run_started(cells: tuple[Cell, ...], finished: int, runs: Path) -> None:
    """Hear that a run starts. Raise ``HarnessError`` to stop it before any work.

    Args:
        cells: Every cell of the command.
        finished: How many of them have a stored result already.
        runs: The folder that results go to.
    """


@hookspec
def harness_result(result: Result, runs: Path) -> None:
    """Hear of a finished cell, in the process that was started by the user.

    Args:
        result: Everything that was measured.
        runs: The folder that results go to.
    """


@hookspec
def harness_cell_failed(cell: Cell, error: Exception) -> None:
    """Hear of a cell that failed; the run goes on with the others if so asked."""


@hookspec
def harness_run_finished(report: Report) -> None:
    """Hear that a run is over, whether cells failed or not."""


@hookspec
def harness_commands(app: click.Group) -> None:
    """Add verbs to the command line, by ``@app.command()``.

    ``click.get_current_context().obj`` is the ``harness.registry.Registry``.
    """
