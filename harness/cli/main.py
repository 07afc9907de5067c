"""The command line: one verb a question, and the exit code of each answer.

Results go to stdout, messages and progress to stderr. Nothing heavy is imported before
a verb needs it, since ``harness --help`` is typed more often than anything else.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.cli.caching import cache
from harness.cli.console import Reporter, print_table, say, stages
from harness.cli.corpus import corpus
from harness.cli.listing import list_offers
from harness.cli.options import GRID, request_of, together
from harness.cli.plugins import check, new_plugin
from harness.cli.splitting import split
from harness.errors import ExitCode, HarnessError
from harness.registry import PluginManager, Registry, plugin_manager
from harness.text import clock, counted, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.execution.plan import Pair


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    sys.exit(execute(arguments))


def execute(
    arguments: Sequence[str] | None = None, manager: PluginManager | None = None
) -> ExitCode:
    """Run the program.

    Args:
        arguments: Of the command line; by default the process' own.
        manager: The plugins; by default all that are installed.
    """
    try:
        manager = manager or plugin_manager()
        registry = Registry.of(manager)
        for plugin in registry.plugins:
            if plugin.problem and not plugin.blocked:
                say(f"warning: the plugin {plugin} is left out: {plugin.problem}")
        code = _application(manager).main(
            arguments, prog_name="harness", standalone_mode=False, obj=registry
        )
        return ExitCode(code or 0)
    except click.ClickException as error:
        error.show()
        return ExitCode.USER
    except HarnessError as error:
        say(f"error: {error}")
        return ExitCode.USER
    except (KeyboardInterrupt, click.Abort):
        say("Interrupted. What was finished is kept; the same command goes on with it.")
        return ExitCode.INTERRUPTED


@click.command()
@together(*GRID)
@click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, …"
)
@click.option("--executor", default="local", show_default=True, help="Where tasks run.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    help="Tasks at once.  [default: one a core, or one for a GPU]",
)
@click.option(
    "--keep-going", is_flag=True, help="When a cell fails, go on with others."
)
@click.option(
    "--keep-features",
    type=click.Choice(["all", "pooled"]),
    default="all",
    show_default=True,
    help="pooled drops the frames of an upstream on a corpus after its last cell.",
)
@click.option("--quiet", is_flag=True, help="Tell of failures only.")
@click.pass_obj
def run(
    registry: Registry,
    /,
    device: str,
    executor: str,
    workers: int,
    keep_going: bool,
    keep_features: str,
    quiet: bool,
    **options: Any,  # noqa: ANN401 - click's
) -> ExitCode:
    r"""Train and score heads on speech models; what is finished is never done again.

    \b
    harness run --upstream whisper-base --downstream linear,nonlinear,multilayer \
                --corpus emodb --split loso --seeds 0-2
    """
    from harness.execution.plan import make_plan
    from harness.execution.scheduler import Place, run_plan

    place = Place(
        executor=executor,
        workers=workers,
        device=device,
        keep_going=keep_going,
        keep_features=keep_features,
    )
    registry.executors[executor]
    registry.manager.register(Reporter(quiet=quiet))
    tell = stages(quiet=quiet)
    todo = make_plan(
        request_of(options, registry), registry, download=True, stages=tell
    )
    for sentence in todo.doubts:
        say(sentence)
    report = run_plan(todo, registry, place, tell)
    for sentence in todo.missing:
        say(f"left out: {sentence}")
    incomplete = report.failed or todo.missing
    return ExitCode.SOME_CELLS_FAILED if incomplete else ExitCode.OK


@click.command()
@together(*GRID)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_obj
def plan(registry: Registry, /, quiet: bool, **options: Any) -> None:  # noqa: ANN401 - click's
    """Say what 'harness run' with the same options would do, and do nothing."""
    from harness.execution import cost
    from harness.execution.plan import make_plan
    from harness.splits.balance import closeness, describe

    todo = make_plan(
        request_of(options, registry), registry, stages=stages(quiet=quiet)
    )
    print_table(
        (
            "upstream",
            "feeding",
            "corpus",
            "split",
            "cells",
            "done",
            "to hear",
            "to store",
        ),
        [_plan_row(pair) for pair in todo.pairs],
    )
    for manifest, division in {
        pair.manifest.corpus.name: (pair.manifest, pair.split) for pair in todo.pairs
    }.values():
        click.echo(f"\n{manifest.corpus.name}, {division.strategy}:")
        for line in describe(closeness(division, manifest.utterances)):
            click.echo(f"  {line}")
        for line in manifest.bad:
            click.echo(f"  left out: {line}")
    cores = os.cpu_count() or 1
    done = len(todo.cells) - len(todo.jobs)
    click.echo(f"\n{counted(len(todo.cells), 'cell')}, {done} of them done.")
    if todo.jobs:
        disk, memory = sum(map(cost.disk, todo.pairs)), cost.memory(todo, cores)
        click.echo(
            f"The rest takes about {size(disk)} of disk and, roughly, {size(memory)} "
            f"of memory and {clock(cost.seconds(todo, cores))} on this machine's CPU."
        )
    for sentence in todo.doubts:
        click.echo(sentence)
    for sentence in todo.missing:
        click.echo(f"left out: {sentence}")
    for upstream in todo.absent:
        click.echo(
            f"{upstream.name} is not on this machine; 'harness run' would download "
            f"{upstream.checkpoint} at {upstream.revision}."
        )


def _plan_row(pair: Pair) -> tuple[str, ...]:
    from harness.execution import cost

    heard = sum(recording.seconds for recording in pair.missing)
    return (
        pair.source.upstream.name,
        pair.source.feeding,
        pair.manifest.corpus.name,
        pair.split.strategy,
        str(len(pair.cells)),
        str(len(pair.cells) - len(pair.jobs)),
        clock(heard) if heard else "–",
        size(cost.disk(pair)) if heard else "–",
    )


VERBS = (run, plan, list_offers, corpus, split, cache, check, new_plugin)


def _application(manager: PluginManager) -> click.Group:
    """Gather the core's verbs and the plugins'."""

    @click.group(
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        }
    )
    @click.version_option(__version__, prog_name="speech-harness")
    def app() -> None:
        r"""Measure how much emotion can be read out of a frozen speech model.

        \b
        harness run --upstream fbank --downstream linear --corpus demo
        harness leaderboard
        """

    for verb in VERBS:
        app.add_command(verb)
    manager.hook.harness_commands(app=app)
    return app
