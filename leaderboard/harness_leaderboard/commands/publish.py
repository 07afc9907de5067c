"""``harness publish``: results as a page, as a dataset, and as a model's scores."""

from __future__ import annotations

import functools
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import HarnessError
from harness.text import json_text
from harness_leaderboard.commands.board import page_of
from harness_leaderboard.commands.options import (
    METRIC,
    ONLY,
    RUNS,
    Reading,
    filters_of,
    question_of,
    read,
)
from harness_leaderboard.commands.output import warn
from harness_leaderboard.publish.private import Private
from harness_leaderboard.results.reading import read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.registry import Registry
    from harness_leaderboard.publish.parcel import Parcel
    from harness_leaderboard.results.folders import Folder

TO = click.option("--to", metavar="OWNER/NAME", help="Repository on the hub.")
OUT = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write the files to as well; any web server can show a page's.",
)
PUSH = click.option(
    "--push",
    is_flag=True,
    help="Send it, by the login of 'hf auth login'. Without this nothing is sent.",
)
HIDDEN = click.option(
    "--private", "hidden", is_flag=True, help="A repository that is made is private."
)
ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="NAME",
    help="This name of the user or the machine may be read by all. May be given "
    "several times.",
)


PLACE = "OWNER/NAME"
"""Stands for a repository that was not named."""

FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="JSON has the files with their texts, what was cut, and what was sent.",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of every form.

    Attributes:
        runs: The folder of results.
        metric: By its name.
        only: Which results.
        out: A folder to write to.
        push: Whether to send it.
        allow: Names that may be read by all.
        form: How what would be sent is printed.
        to: The repository.
        hidden: Whether one that is made is private.
    """

    runs: Folder
    metric: str
    only: tuple[str, ...]
    out: Path | None
    push: bool
    allow: tuple[str, ...]
    form: str
    to: str | None
    hidden: bool = False


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every form, which the verb is passed as one."""
    names = {field.name for field in fields(Asked)}

    @functools.wraps(function)
    def verb(registry: Registry, /, **given: Any) -> None:  # noqa: ANN401 - of click
        asked = Asked(**{name: given.pop(name) for name in names & given.keys()})
        function(registry, asked, **given)

    made: Callable[..., None] = verb
    for option in reversed((RUNS, METRIC, ONLY, OUT, PUSH, ALLOW, FORMAT)):
        made = option(made)
    return made


@click.group()
def publish() -> None:
    """Make of results what others can read; send it with --push.

    Absolute paths are cut to their last part, a name of this user or machine is
    refused, and audio is never sent.
    """


@publish.command(
    cls=Reading,
    epilog="\b\nExamples:\n  harness publish page --out site/\n"
    "  harness publish page --to acme/emotion-board --push",
)
@TO
@HIDDEN
@click.option(
    "--title",
    default="",
    help="Of the page.  [default: the targets, such as 'Emotion in frozen speech "
    "models']",
)
@click.pass_obj
@_options
def page(registry: Registry, asked: Asked, title: str) -> None:
    """Publish all tables as a page: a static Space, or any web folder."""
    from harness_leaderboard.publish import page as form

    question = question_of(registry, asked.metric)
    with _clean(asked) as (runs, private):
        table, _ = read_runs(runs, ("target",))
        targets = set(table["target"].to_pylist())
        made = form.parcel(page_of(registry, runs, question, {}), targets, title)
        _finish(made, private, asked)


@publish.command(
    cls=Reading,
    epilog="\b\nExamples:\n  harness publish results\n"
    "  harness publish results --to acme/emotion-results --licence cc-by-4.0 --push",
)
@TO
@HIDDEN
@click.option(
    "--licence", default="", metavar="ID", help="Of the results, such as cc-by-4.0."
)
@click.option(
    "--no-predictions",
    is_flag=True,
    help="Leave out predictions, and columns that name utterances or speakers.",
)
@click.pass_obj
@_options
def results(
    registry: Registry, asked: Asked, licence: str, no_predictions: bool
) -> None:
    """Publish results and predictions as a dataset with a card."""
    from harness_leaderboard.publish import dataset as form

    question = question_of(registry, asked.metric)
    with _clean(asked) as (runs, private):
        made = form.parcel(
            runs,
            tuple(registry.metrics),
            question.controls,
            licence=licence,
            predictions=not no_predictions,
        )
        _finish(made, private, asked)


@publish.command(
    cls=Reading,
    epilog="\b\nExamples:\n"
    "  harness publish model openai/whisper-base --upstream whisper-base \\\n"
    "    --downstream linear\n"
    "  harness publish model acme/wave --upstream acme --downstream linear \\\n"
    "    --benchmark emodb=acme/emodb-benchmark:emodb-loso --push",
)
@click.argument("to", metavar="OWNER/MODEL")
@click.option("--upstream", required=True, help="The model, as the board calls it.")
@click.option("--downstream", required=True, help="The head whose score it is.")
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="CORPUS=OWNER/DATASET:TASK",
    help="A corpus, and the task of a dataset on the hub that has a leaderboard of it, "
    "by its eval.yaml. May be given several times.",
)
@click.option("--source", default="", metavar="URL", help="Where all results are.")
@click.pass_obj
@_options
def model(
    registry: Registry,
    asked: Asked,
    upstream: str,
    downstream: str,
    benchmarks: tuple[str, ...],
    source: str,
) -> None:
    """Propose scores to a model's repository.

    They are entries in .eval_results/, sent as a pull request, of one head on the
    frozen model; a paragraph for its card is written besides. Controls, sets of folds
    that lack one, plugins that broke a rule, and results that contradict themselves are
    refused.
    """
    from harness_leaderboard.publish import model as form

    _refuse_another(registry, upstream, asked.to or "")
    question = question_of(registry, asked.metric)
    known = dict(map(form.benchmark, benchmarks))
    with _clean(asked) as (runs, private):
        found = form.scores(
            runs, (upstream, downstream), question, tuple(registry.metrics)
        )
        warn(found.notes)
        _finish(found.parcel(known, source), private, asked)


def _refuse_another(registry: Registry, upstream: str, repository: str) -> None:
    """Refuse to publish the scores of one model as those of another."""
    for one in registry.upstreams.named(upstream):
        if one.checkpoint and one.checkpoint != repository:
            raise HarnessError(
                f"{upstream} is {one.checkpoint}, and not {repository}. Name that "
                "repository, or another --upstream."
            )


@contextmanager
def _clean(asked: Asked) -> Iterator[tuple[Path, Private]]:
    """Copy the results that are asked for, without anything private."""
    from harness_leaderboard.publish.copy import copy

    found = read(asked.runs, (), filters_of(asked.only), [])
    private = Private.here(asked.allow)
    with tempfile.TemporaryDirectory(prefix="publish-") as folder:
        run_ids = frozenset(found["run_id"].to_pylist())
        copy(asked.runs, run_ids, private, Path(folder))
        yield Path(folder), private


def _finish(parcel: Parcel, private: Private, asked: Asked) -> None:
    """Show a parcel; write and send it where that is asked for."""
    for name, text in parcel.texts():
        private.refuse_paths(name, text)
    if asked.push and not (asked.to and parcel.files):
        lacking = "--to OWNER/NAME" if parcel.files else "--benchmark"
        raise HarnessError(f"There is nothing to send, or nowhere: name {lacking}.")
    if asked.out:
        parcel.write(asked.out)
    if asked.form == "json":
        _finish_json(parcel, private, asked)
        return
    for path, short in private.cut.items():
        click.echo(f"cut   {path} to {short}")
    for line in parcel.shown(asked.to or PLACE):
        click.echo(line)
    if asked.out:
        click.echo(f"\nWritten to {asked.out}.")
    if asked.push:
        made = parcel.push(asked.to or "", private=asked.hidden)
        click.echo(f"\nSent: {made}")
    elif parcel.files:
        click.echo("\nNothing was sent; --push sends it.", err=True)
    else:
        lacking = "name the hub's leaderboard of a corpus by --benchmark"
        click.echo(f"\nThere is no score to send: {lacking}.", err=True)


def _finish_json(parcel: Parcel, private: Private, asked: Asked) -> None:
    """Print a parcel as one JSON object, and send it where that is asked for."""
    sent = parcel.push(asked.to or "", private=asked.hidden) if asked.push else None
    written = str(asked.out) if asked.out else None
    facts = parcel.facts(asked.to or PLACE)
    more = {"cut": private.cut, "written": written, "sent": sent}
    click.echo(json_text({**facts, **more}))
