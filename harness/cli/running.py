"""The verbs that do the work, and say beforehand what it is: ``run`` and ``plan``."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.choices import Worded, offered
from harness.cli.console import Reporter, print_json, say, show, stages
from harness.cli.effects import threads_warning, workers_warning
from harness.cli.options import GRID, MOST_WORKERS, names, together
from harness.cli.planned import as_json
from harness.cli.request import request_of
from harness.cli.tables import print_table
from harness.cli.thinness import remarks
from harness.errors import ExitCode
from harness.leftovers import tidied
from harness.text import clock, counted, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.forecast import Forecast
    from harness.execution.plan import Pair, Plan
    from harness.execution.request import Request
    from harness.execution.run import RunOptions
    from harness.registry import Registry
    from harness.types import RunFinished

AGAIN = click.option(
    "--again",
    callback=names,
    metavar="RUN[,RUN…]|all",
    help="Compute these cells of the command again, though they have a result, which "
    "is replaced; 'harness runs list' has their names.",
)
DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cpu; cuda for every GPU, cuda:1 or cuda:0,2 for some; auto for GPUs if there "
    "are any.",
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
        metavar="N",
        cls=Worded,
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
    click.option(
        "--max-hours",
        cls=Worded,
        type=click.FloatRange(min=0, min_open=True),
        metavar="H",
        help="Start nothing more after so long; what is finished is kept.",
    ),
)


@click.command(
    epilog="\b\nExample:\n"
    "  harness run --upstream whisper-base --downstream linear,nonlinear \\\n"
    "    --corpus emodb --split loso --seeds 0-2"
)
@together(*GRID, AGAIN, DEVICE, *PLACE)
@click.option("--quiet", is_flag=True, help="Report failures only.")
@click.pass_obj
def run(registry: Registry, /, **options: Any) -> ExitCode:  # noqa: ANN401 - click's
    """Train and score classifiers on frozen speech models.

    The recordings of each corpus go through each speech model (upstream) once, and the
    hidden states are stored: the model itself is not trained. On them each classifier
    (downstream, or head) is trained to name the emotion, or what --target says, and
    scored on speakers that it has not been trained on. Controls, which a score must
    beat, are added to it.

    What is finished is never done again, so the same command also goes on with a run
    that was interrupted. 'harness plan' takes the same options and says beforehand what
    they would do.
    """
    report = do(asked(registry, options))
    incomplete = report.failed or report.missing or report.late
    return ExitCode.SOME_CELLS_FAILED if incomplete else ExitCode.OK


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command asks for, where it is to be done, and whether to report on it."""

    request: Request
    place: RunOptions
    registry: Registry
    quiet: bool


def asked(registry: Registry, options: dict[str, Any]) -> Asked:
    """Read what a run is to do, and refuse what has no effect; nothing is done yet."""
    from harness.execution.run import RunOptions

    quiet = options.pop("quiet")
    place = RunOptions(
        **{one.name: options.pop(one.name) for one in fields(RunOptions)}
    )
    request = request_of(options, registry)
    executor = registry.executors[place.executor]
    for sentence in (*workers_warning(executor, place.workers), *threads_warning()):
        say(f"warning: {sentence}")
    return Asked(request=request, place=place, registry=registry, quiet=quiet)


def do(asked: Asked) -> RunFinished:
    """Compute what has no result yet, and report each cell."""
    from harness.execution.run import run as run_request

    request, place, registry = asked.request, asked.place, asked.registry
    registry.manager.register(
        Reporter(quiet=asked.quiet, goes_on=place.goes_on(request), cache=request.cache)
    )
    with tidied(request.cache, request.runs):
        report = run_request(request, registry, place, stages(quiet=asked.quiet))
    for sentence in report.missing:
        say(f"left out: {sentence}")
    if report.late:
        say(
            f"{counted(report.late, 'cell')} left after {place.max_hours:g} h "
            "(--max-hours). What is finished is kept; run the same command again to "
            "go on."
        )
    return report


# ---------------------------------------------------------------- plan


@click.command()
@together(*GRID, AGAIN, DEVICE, *PLACE)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="JSON also names every cell, with the name of its result.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Try two clips of each upstream and two steps of each head for the forecast.",
)
@click.pass_obj
def plan(registry: Registry, /, form: str, **options: Any) -> None:  # noqa: ANN401 - click's
    """Say what 'harness run' would do, and what that takes.

    Takes the options of 'harness run'. Nothing is downloaded, extracted or trained.
    """
    with planned(registry, options) as (todo, found, place):
        if form == "json":
            print_json(as_json(todo, found, place))
        else:
            print_plan(todo, found, place)


@contextmanager
def planned(
    registry: Registry, options: dict[str, Any]
) -> Iterator[tuple[Plan, Forecast, RunOptions]]:
    """Decide what a run would do, forecast what that takes, and say how it would run.

    Corpora that are not made yet lie there meanwhile.
    """
    from harness.execution.planner import make_plan

    measure = options.pop("measure")
    asks = asked(registry, options)
    with tempfile.TemporaryDirectory() as scratch:
        todo = make_plan(
            asks.request,
            registry,
            stages=stages(quiet=asks.quiet),
            scratch=Path(scratch),
        )
        yield todo, _expected(todo, asks, measure=measure), asks.place


def print_plan(todo: Plan, found: Forecast, place: RunOptions) -> None:
    """Print what is to be done, what it takes, and what is left out."""
    _print_pairs(todo)
    _print_splits(todo)
    _print_seeds(todo)
    for line in (*_forecast(todo, found), *_ways(found, place), *_remarks(todo)):
        show(line)


def _print_pairs(todo: Plan) -> None:
    """Print a row for each (upstream × corpus)."""
    changed = any(pair.perturbed for pair in todo.pairs)
    columns = (
        *("upstream", "feeding", "corpus", *["perturbed"] * changed, "split"),
        *("cells", "done", "audio to extract (min:s)", "to store"),
    )
    print_table(columns, [_row(pair, changed=changed) for pair in todo.pairs])
    for line in _extracted_more(todo):
        show(line)


def _extracted_more(todo: Plan) -> Iterator[str]:
    """Say what perturbed recordings are extracted beside those as they are."""
    found = {
        (pair.condition, one.key): one.seconds
        for pair in todo.pairs
        for one in pair.missing
    }
    more = sum(s for (_, key), s in found.items() if key in todo.perturbed)
    if more:
        yield (
            f"\nTo extract: {clock(sum(found.values()) - more)} of recordings as they "
            f"are, and {clock(more)} more of perturbed ones. Each is extracted once, "
            "whatever the folds and the heads."
        )


def _row(pair: Pair, *, changed: bool) -> tuple[str, ...]:
    from harness.execution import cost

    audio = sum(recording.seconds for recording in pair.missing)
    return (
        pair.upstream.name,
        pair.condition.feeding,
        pair.manifest.corpus.name,
        *[pair.perturbed.name if pair.perturbed else "clean"] * changed,
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
        for remark in remarks(division):
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


def _expected(todo: Plan, asks: Asked, *, measure: bool) -> Forecast:
    """Forecast what is left to do, on this machine."""
    from harness.execution import cost, forecast
    from harness.execution.run import workers_at
    from harness.execution.tasks import work_of

    device, executor = asks.place.device, asks.registry.executors[asks.place.executor]
    tasks = work_of(todo, asks.registry, device=device, quiet=True).tasks
    if not tasks:
        speed = forecast.Speed()
    elif measure:
        speed = forecast.measured(todo, tasks, device)
    else:
        speed = forecast.speed_of(device)
    workers = 1 if executor.window == 1 else workers_at(asks.place)
    return forecast.forecast(tasks, speed, workers, cost.free_memory())


def _forecast(todo: Plan, found: Forecast) -> Iterator[str]:
    """Say how much there is to do, and what it takes."""
    from harness.execution import cost

    done = len(todo.cells) - len({job.cell.run_id for job in todo.todo})
    yield f"\n{counted(len(todo.cells), 'cell')}, {done} of them done."
    if not found.tasks:
        return
    yield from found.untried
    yield (
        f"The rest, {counted(found.tasks, 'task')}, takes about "
        f"{size(sum(map(cost.disk, todo.pairs)))} of disk, {size(found.memory)} of "
        f"memory and {clock(found.seconds)} on this machine, "
        f"{counted(found.workers, 'task')} at once."
    )
    if found.too_large:
        yield (
            f"{counted(len(found.too_large), 'task')} would take more than the memory "
            "that is free, and would run alone."
        )


def _ways(found: Forecast, place: RunOptions) -> Iterator[str]:
    """Say what options about the run's way change of it, where they were given."""
    if not found.tasks:
        return
    if place.keep_going is not None:
        others = "the others are computed" if place.keep_going else "the run ends"
        yield f"When a cell fails, {others}."
    if place.keep_features == "pooled":
        yield "The frames of an upstream on a corpus are dropped after its last cell."
    if place.max_hours is not None:
        rest = found.seconds / 3600 - place.max_hours
        late = f": about {clock(3600 * rest)} would be left" if rest > 0 else ""
        yield f"Nothing more is started after {place.max_hours:g} h{late}."


def _remarks(todo: Plan) -> Iterator[str]:
    """Say what differs from what was published, is left out, or would be fetched."""
    yield from todo.doubts
    yield from todo.outdated
    for sentence in todo.missing:
        yield f"left out: {sentence}"
    for corpus in todo.unmade:
        yield f"{corpus.name} is not made yet; 'harness run' synthesises it."
    for upstream in todo.absent:
        yield (
            f"{upstream.name} is not on this machine; 'harness run' would download "
            f"{upstream.checkpoint} at {upstream.revision}."
        )
