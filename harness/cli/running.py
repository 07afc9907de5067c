"""The verbs that do the work, and say beforehand what it is: ``run`` and ``plan``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.choices import offered
from harness.cli.console import Reporter, print_json, say, show, stages
from harness.cli.effects import threads_warning, workers_warning
from harness.cli.options import GRID, MOST_WORKERS, together
from harness.cli.planned import as_json
from harness.cli.request import request_of
from harness.cli.tables import print_table
from harness.cli.thinness import thin_parts
from harness.errors import ExitCode
from harness.leftovers import tidied
from harness.text import clock, counted, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.plan import Pair, Plan
    from harness.registry import Registry

DEVICE = click.option(
    "--device",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:1, …",
)
PLACE = (
    click.option(
        "--executor",
        metavar="NAME",
        shell_complete=offered("executors"),
        default="local",
        show_default=True,
        help="Where tasks run; see 'harness list executors'.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0, MOST_WORKERS),
        default=0,
        help="Tasks at once, if memory allows.  [default: one a core, or one a GPU]",
    ),
    click.option(
        "--keep-going/--no-keep-going",
        default=None,
        help="When a cell fails, go on with others.  [default: with a suite]",
    ),
    click.option(
        "--keep-features",
        type=click.Choice(["all", "pooled"]),
        default="all",
        show_default=True,
        help="pooled drops the frames of an upstream on a corpus after its last cell.",
    ),
)


@click.command(
    epilog="\b\nExamples:\n"
    "  harness run --upstream fbank --downstream linear --corpus demo\n"
    "  harness run --upstream whisper-base --downstream linear,nonlinear \\\n"
    "    --corpus emodb --split loso --seeds 0-2"
)
@together(*GRID, DEVICE, *PLACE)
@click.option("--quiet", is_flag=True, help="Report failures only.")
@click.pass_obj
def run(registry: Registry, /, quiet: bool, **options: Any) -> ExitCode:  # noqa: ANN401 - click's
    """Train and score classifiers on frozen speech models.

    The recordings of each corpus go through each speech model (upstream) once, and the
    hidden states are stored: the model itself is not trained. On them each classifier
    (downstream, or head) is trained to name the emotion, and scored on speakers that it
    has not been trained on. Controls, which a score must beat, are added to it.

    What is finished is never done again, so the same command also goes on with a run
    that was interrupted. 'harness plan' takes the same options and says beforehand what
    they would do.
    """
    from harness.execution.run import RunOptions
    from harness.execution.run import run as run_request

    names = ("device", "executor", "workers", "keep_going", "keep_features")
    place = RunOptions(**{name: options.pop(name) for name in names})
    request = request_of(options, registry)
    goes_on = place.goes_on(request)
    registry.manager.register(
        Reporter(quiet=quiet, goes_on=goes_on, cache=request.cache)
    )
    executor = registry.executors[place.executor]
    for sentence in (*workers_warning(executor, place.workers), *threads_warning()):
        say(f"warning: {sentence}")
    with tidied(request.cache, request.runs):
        report = run_request(request, registry, place, stages(quiet=quiet))
    for sentence in report.missing:
        say(f"left out: {sentence}")
    incomplete = report.failed or report.missing
    return ExitCode.SOME_CELLS_FAILED if incomplete else ExitCode.OK


# ---------------------------------------------------------------- plan


@click.command()
@together(*GRID, DEVICE, *PLACE)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="JSON also names every cell, with the name of its result.",
)
@click.pass_obj
def plan(
    registry: Registry,
    /,
    quiet: bool,
    device: str,
    form: str,
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Say what 'harness run' would do, and what that takes.

    Takes the options of 'harness run'. Nothing is downloaded, extracted or trained.
    """
    from harness.execution.planner import make_plan

    workers = _workers(options, registry)
    request = request_of(options, registry)
    with tempfile.TemporaryDirectory() as scratch:
        todo = make_plan(
            request, registry, stages=stages(quiet=quiet), scratch=Path(scratch)
        )
        if form == "json":
            print_json(as_json(todo, registry, device, workers))
            return
        _print_pairs(todo)
        _print_splits(todo)
        _print_seeds(todo)
        for line in _forecast(todo, registry, device, workers):
            show(line)
        for line in _remarks(todo):
            show(line)


def _workers(options: dict[str, Any], registry: Registry) -> int:
    """Take out where a run would do its tasks, and return how many at once at most."""
    executor = registry.executors[options.pop("executor")]
    workers = options.pop("workers") or os.cpu_count() or 1
    for name in ("keep_going", "keep_features"):
        del options[name]
    return 1 if executor.window == 1 else workers


def _print_pairs(todo: Plan) -> None:
    """Print a row for each (upstream × corpus)."""
    columns = (
        *("upstream", "feeding", "corpus", "split", "cells", "done"),
        *("audio to extract (min:s)", "to store"),
    )
    print_table(columns, [_row(pair) for pair in todo.pairs])


def _row(pair: Pair) -> tuple[str, ...]:
    from harness.execution import cost

    audio = sum(recording.seconds for recording in pair.missing)
    return (
        pair.upstream.name,
        pair.condition.feeding,
        pair.manifest.corpus.name,
        pair.division.split.strategy,
        str(len(pair.jobs)),
        str(len(pair.jobs) - len(pair.todo)),
        clock(audio) if audio else "–",
        size(cost.disk(pair)) if audio else "–",
    )


def _print_splits(todo: Plan) -> None:
    """Say how close each split comes to what is wanted, and what is left out."""
    from harness.splits.balance import closeness, describe

    divided = {
        (pair.manifest.sha256, pair.division.split.sha256): pair.division
        for pair in todo.pairs
    }
    for division in divided.values():
        manifest, split = division.manifest, division.split
        show(f"\n{manifest.corpus.name}, {split.strategy}:")
        for line in describe(closeness(split, manifest.utterances)):
            show(f"  {line}")
        if remark := thin_parts(division):
            show(f"  {remark}")
        for line in manifest.bad:
            show(f"  left out: {line}")


def _print_seeds(todo: Plan) -> None:
    """Say which heads are trained with which seeds."""
    show("")
    for seeds, heads in sorted(todo.seeds.items()):
        show(f"{', '.join(heads)}: {_spelled(seeds)}")


def _spelled(seeds: tuple[int, ...]) -> str:
    """Write seeds as they are asked for: ``seeds 0-2``."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    first, last = seeds[0], seeds[-1]
    if seeds == tuple(range(first, last + 1)):
        return f"seeds {first}-{last}"
    return f"seeds {','.join(map(str, seeds))}"


def _forecast(todo: Plan, registry: Registry, device: str, cores: int) -> Iterator[str]:
    """Say how much there is to do, and what it takes."""
    from harness.execution import cost
    from harness.execution.tasks import work_of

    done = len(todo.cells) - len({job.cell.run_id for job in todo.todo})
    yield f"\n{counted(len(todo.cells), 'cell')}, {done} of them done."
    tasks = work_of(todo, registry, device=device, quiet=True).tasks
    if not tasks:
        return
    workers = cost.workers_within(tasks, cores, cost.free_memory())
    yield (
        f"The rest, {counted(len(tasks), 'task')}, takes about "
        f"{size(sum(map(cost.disk, todo.pairs)))} of disk and, roughly, "
        f"{size(cost.memory(tasks, workers))} of memory and "
        f"{clock(cost.seconds(tasks, workers))} on this machine's CPU, "
        f"{counted(workers, 'task')} at once."
    )


def _remarks(todo: Plan) -> Iterator[str]:
    """Say what differs from what was published, is left out, or would be fetched."""
    yield from todo.doubts
    for sentence in todo.missing:
        yield f"left out: {sentence}"
    for corpus in todo.unmade:
        yield f"{corpus.name} is not made yet; 'harness run' synthesises it."
    for upstream in todo.absent:
        yield (
            f"{upstream.name} is not on this machine; 'harness run' would download "
            f"{upstream.checkpoint} at {upstream.revision}."
        )
