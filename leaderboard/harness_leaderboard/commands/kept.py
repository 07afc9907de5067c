"""``harness runs list``, ``show``, ``remove`` and ``export``: what is stored."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.console import print_json
from harness.cli.options import CACHE, DATA_ROOT
from harness.errors import HarnessError
from harness.files import saving
from harness.text import counted
from harness.training.metrics import ccc, macro_f1
from harness_leaderboard.commands.options import (
    FORMAT,
    METRIC,
    ONLY,
    RUNS,
    RUNS_HERE,
    Reading,
    filters_of,
    read,
    renderer_of,
)
from harness_leaderboard.commands.output import show
from harness_leaderboard.render.entries import unit_of
from harness_leaderboard.results import folders, kept, tables
from harness_leaderboard.results.columns import scored
from harness_leaderboard.results.export import FORMS, TEXTS, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness.registry import Registry
    from harness.types import CorpusCondition, Metric, Render, Result
    from harness_leaderboard.results.folders import Folder

NAMES = click.argument("names", nargs=-1, metavar="[RUN]…")


def _results(
    runs: Folder, only: tuple[str, ...], metrics: Sequence[Metric]
) -> pa.Table:
    """Read the flat columns of results that pass the filters."""
    columns = (*tables.columns_of_results(), *map(scored, metrics))
    return tables.as_results(read(runs, columns, filters_of(only), metrics))


# ---------------------------------------------------------------- list


@click.command(
    "list",
    cls=Reading,
    epilog="\b\nExample:\n  harness runs list --only corpus=emodb --metric uar",
)
@RUNS
@METRIC
@ONLY
@FORMAT
@click.pass_obj
def list_runs(
    registry: Registry,
    runs: Folder,
    metric: str | None,
    only: tuple[str, ...],
    form: str | None,
) -> None:
    """List what is stored: a row for each result.

    A run is called by the beginning of its name, as much of it as tells it apart.
    """
    from harness_leaderboard.views.kept import listed

    chosen = registry.metrics[metric] if metric else macro_f1
    needed = (chosen,) if metric else (chosen, ccc)
    show(listed(_results(runs, only, needed), *needed), _render(registry, form))


def _render(registry: Registry, form: str | None) -> Render:
    return renderer_of(registry, form).render


# ---------------------------------------------------------------- show


@click.command(
    "show",
    cls=Reading,
    epilog="\b\nExamples:\n  harness runs show 3f9c\n"
    "  harness runs show --utterance wav/03a01Wa.wav",
)
@NAMES
@click.option(
    "--utterance",
    metavar="ID",
    help="What each result predicted of this utterance, instead of whole results.",
)
@RUNS
@ONLY
@FORMAT
@DATA_ROOT
@CACHE
@click.pass_obj
def show_runs(
    registry: Registry,
    names: tuple[str, ...],
    utterance: str | None,
    runs: Folder,
    only: tuple[str, ...],
    form: str | None,
    data_root: Path,
    cache_folder: Path,
) -> None:
    """Show results in full, or what was predicted of one utterance.

    Of a result its condition, where it comes from, scores, learning curve, confusion
    and wrong predictions are shown (of numbers, every true and predicted one), with the
    files where the corpus is on this machine.
    JSON has all that is stored, every prediction included.
    """
    if not (names or utterance):
        raise click.UsageError("Name a run (see 'harness runs list'), or --utterance.")
    found = list(kept.whole(runs, _chosen(runs, names, only)))
    files = _Files(registry, data_root, cache_folder)
    if utterance:
        _show_utterance(registry, found, utterance, files, form)
    elif form == "json":
        values = [_with_files(result, files) for result in found]
        print_json(values if len(values) > 1 else values[0])
    else:
        _show_whole(registry, found, files, form)


def _chosen(
    runs: Folder, names: tuple[str, ...], only: tuple[str, ...]
) -> frozenset[str]:
    """Return the results that are named, among those that pass the filters."""
    there = kept.ids_of(read(runs, ("run_id",), filters_of(only), ()))
    return frozenset(kept.named(names, there)) if names else there


def _with_files(result: Result, files: _Files) -> dict[str, Any]:
    """Return all that is stored, and the file of each utterance where it is known."""
    paths = files.of(result.condition.corpus)
    value = asdict(result)
    for one in value["predictions"]:
        one["file"] = paths.get(one["utterance"])
    return value


def _show_whole(
    registry: Registry, found: list[Result], files: _Files, form: str | None
) -> None:
    from harness_leaderboard.views.kept import in_full

    units = {one.name: unit_of(one.bounds) for one in registry.metrics}
    for result in found:
        for table in in_full(result, files.of(result.condition.corpus), units):
            show(table, _render(registry, form))
            click.echo()


def _show_utterance(
    registry: Registry,
    found: list[Result],
    utterance: str,
    files: _Files,
    form: str | None,
) -> None:
    from harness_leaderboard.views.kept import of_utterance

    testing = [
        result
        for result in found
        if any(one.utterance == utterance for one in result.predictions)
    ]
    if not testing:
        raise HarnessError(
            f"No result tested the utterance '{utterance}'. 'harness runs export "
            "--predictions' lists the ids of those that were tested."
        )
    file = files.of(testing[0].condition.corpus).get(utterance, "")
    show(of_utterance(utterance, testing, file), _render(registry, form))


class _Files:
    """Where the utterances of corpora lie on this machine."""

    def __init__(self, registry: Registry, data_root: Path, cache: Path) -> None:
        self._place = {"registry": registry, "data_root": data_root, "cache": cache}

    def of(self, corpus: CorpusCondition) -> Mapping[str, str]:
        """Return the files of a corpus by the ids of utterances, those that are here.

        The ids of corpora that were joined begin with the names of theirs.
        """
        names = (*corpus.trained, *corpus.tested)
        found = [(name, id, file) for name in names for id, file in self._read(name)]
        if len(names) == 1:
            return {id: file for _, id, file in found}
        return {f"{name}/{id}": file for name, id, file in found}

    def _read(self, name: str) -> Iterator[tuple[str, str]]:
        from harness.data.corpora import LocalCorpora

        corpora = LocalCorpora(**self._place)  # type: ignore[arg-type]
        try:
            corpus = corpora[name]
            folder = corpora.folder(corpus)
            listed = list(corpus.read(folder)) if folder.is_dir() else []
        except HarnessError:  # it is not here, or no longer what it was
            return
        for one in listed:
            yield one.id, str(folder / one.path)


# ---------------------------------------------------------------- remove


@click.command(
    "remove",
    epilog="\b\nExamples:\n  harness runs remove 3f9c\n"
    "  harness runs remove --only upstream=acme --dry-run",
)
@NAMES
@RUNS_HERE
@ONLY
@click.option("--dry-run", is_flag=True, help="List what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove_runs(
    registry: Registry,
    names: tuple[str, ...],
    runs: Path,
    only: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove results, also out of packed files; the same command computes them anew.

    To replace results by new ones, 'harness run --again' does both.
    """
    from harness_leaderboard.views.kept import listed

    folders.require_local(runs)
    if not (names or only):
        raise click.UsageError(
            "Name the runs (see 'harness runs list'), or choose some by --only."
        )
    chosen = registry.metrics["macro_f1"]
    found = _results(runs, only, (chosen,))
    ids = kept.named(names, kept.ids_of(found)) if names else kept.ids_of(found)
    doomed = frozenset(ids)
    show(listed(kept.among(found, doomed), chosen), registry.renderers["rich"].render)
    if dry_run:
        click.echo("Nothing was removed, as --dry-run says.")
        return
    if not (yes or _confirmed(len(doomed))):
        raise HarnessError("Nothing was removed. Answer yes, or add --yes.")
    count = kept.remove(runs, doomed)
    click.echo(f"{counted(count, 'result')} removed from {runs}.")


def _confirmed(count: int) -> bool:
    """Ask the user; the answer is no where nobody can answer."""
    try:
        return click.confirm(f"Remove {counted(count, 'result')}?", err=True)
    except click.Abort:
        return False


# ---------------------------------------------------------------- export


@click.command(
    "export",
    cls=Reading,
    epilog="\b\nExamples:\n  harness runs export --out results.csv\n"
    "  harness runs export --predictions --out predictions.parquet",
)
@RUNS
@ONLY
@click.option(
    "--predictions",
    is_flag=True,
    help="A row for each prediction of a test utterance, instead of each result.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="How it is written.  [default: as the ending of --out says, else csv]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write instead of printing.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@click.pass_obj
def export_runs(
    registry: Registry,
    runs: Folder,
    only: tuple[str, ...],
    predictions: bool,
    form: str | None,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Write stored results as one table, for a spreadsheet or a program.

    Columns are those of the condition, fold, seed, every metric as a fraction of one,
    and where a result comes from; docs/columns.md describes each.
    """
    chosen = form or (out.suffix.lstrip(".").lower() if out else "csv")
    if chosen not in FORMS or (chosen == "parquet" and out is None):
        raise HarnessError(
            f"Name a file by --out that ends in .{', .'.join(FORMS)}, or choose "
            "--format csv or json."
        )
    if out and out.exists() and not overwrite:
        raise HarnessError(
            f"{out} exists already. Name another file by --out, or add --overwrite."
        )
    table = _results(runs, only, tuple(registry.metrics))
    if predictions:
        table = tables.predictions_of(runs, table)
    _write(table, chosen, out)


def _write(table: pa.Table, form: str, out: Path | None) -> None:
    if out is None:
        click.echo(TEXTS[form](table), nl=False)
        return
    with saving(out) as beside:
        if form == "parquet":
            write_parquet(table, beside)
        else:
            beside.write_text(TEXTS[form](table), "utf-8")
    click.echo(f"{counted(len(table), 'row')} in {out}")
