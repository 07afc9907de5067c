"""The verbs that look and tidy: ``list``, ``split`` and ``cache``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.console import print_table, say, stages
from harness.cli.options import CACHE, DATA_ROOT, RUNS, SKIP_BAD, SPLIT, together
from harness.errors import DataError
from harness.text import age, size

if TYPE_CHECKING:
    from harness.data.manifest import Manifest
    from harness.registry import Registry
    from harness.types import Reads


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(
        ["upstreams", "downstreams", "corpora", "suites", "executors", "plugins"]
    ),
    required=False,
)
@click.pass_obj
def list_offers(registry: Registry, what: str | None) -> None:
    """Show what is there: upstreams, downstreams, corpora, executors, plugins."""
    tables: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {
        "upstreams": (
            ("upstream", "layers", "dim", "weights", "trained on", "checkpoint"),
            [
                (
                    u.name,
                    str(u.layers),
                    str(u.dim),
                    f"{u.parameters / 1e6:.0f} M" if u.parameters else "none",
                    u.pretraining or "–",
                    u.checkpoint or "–",
                )
                for u in registry.upstreams
            ],
        ),
        "downstreams": (
            ("downstream", "reads", "what it is"),
            [(d.name, _reads(d.reads), d.summary) for d in registry.downstreams],
        ),
        "corpora": (
            ("corpus", "languages", "utterances", "labels", "Table 1", "licence"),
            [
                (
                    c.name,
                    ", ".join(c.languages),
                    str(c.versions.get(c.version, "–")),
                    str(len(c.labels)),
                    ", ".join(f"{x.utterances} of {x.labels}" for x in c.claims) or "–",
                    c.licence,
                )
                for c in registry.corpora
            ],
        ),
        "suites": (
            ("suite", "what it is"),
            [(s.name, s.summary) for s in registry.suites],
        ),
        "executors": (
            ("executor", "where tasks run"),
            [(e.name, e.summary) for e in registry.executors],
        ),
        "plugins": (
            ("plugin", "package", "version", "state"),
            [
                (p.name, p.distribution, p.version, p.problem or "in use")
                for p in registry.plugins
            ],
        ),
    }
    for name in [what] if what else tables:
        print_table(*tables[name])
    if what == "corpora":
        click.echo(
            "\nTable 1 of the paper has so many utterances of so many labels. Where a "
            "corpus differs, 'harness corpus info NAME' says why."
        )


def _reads(reads: Reads) -> str:
    layers = {"last": "last layer", "all": "all layers", "each": "each layer"}
    states = "frames" if reads.frames else "means over time"
    return f"{layers[reads.layers]}, {states}"


# ---------------------------------------------------------------- split


@click.command()
@click.argument("name")
@together(*SPLIT, SKIP_BAD)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the split to this file, for 'harness run --split FILE'.",
)
@DATA_ROOT
@CACHE
@click.pass_obj
def split(
    registry: Registry,
    name: str,
    strategy: str,
    folds: int,
    split_seed: int,
    skip_bad: bool,
    out: Path | None,
    data_root: Path,
    cache_folder: Path,
) -> None:
    """Divide a corpus, tell how close it came, and write it down for others to use."""
    from harness.data.manifest import refuse_bad
    from harness.splits.balance import closeness, describe
    from harness.splits.files import write_split
    from harness.splits.strategies import make_split
    from harness.splits.transfer import check

    if out is not None and out.suffix != ".json":
        raise DataError(f"A split file's name ends in .json; {out} does not.")
    manifest = _manifest(registry, name, data_root, cache_folder)
    if not skip_bad:
        refuse_bad([manifest])
    made = make_split(
        manifest.utterances,
        strategy,
        folds=folds,
        seed=split_seed,
        files=manifest.corpus.files,
    )
    check(made, manifest)
    for line in describe(closeness(made, manifest.utterances)):
        click.echo(line)
    if out is not None:
        write_split(
            made,
            out,
            corpus=name,
            version=manifest.corpus.version,
            manifest_sha256=manifest.sha256,
        )
        say(f"Written to {out}. Use it by: harness run --corpus {name} --split {out}")


def _manifest(
    registry: Registry, name: str, data_root: Path, cache_folder: Path
) -> Manifest:
    from harness.data.manifest import read_manifest
    from harness.data.roots import corpus_root
    from harness.files import Memory

    corpus = registry.corpora[name]
    root = corpus_root(corpus, registry, data_root=data_root, cache=cache_folder)
    memory = Memory(cache_folder / "memory.json")
    return read_manifest(corpus, root, memory, stages=stages(quiet=False))


# ---------------------------------------------------------------- cache


@click.group(invoke_without_command=True)
@CACHE
@click.pass_context
def cache(context: click.Context, cache_folder: Path) -> None:
    """Show which features and what unfinished work are kept, and their size."""
    from harness.features.store import KINDS, stored
    from harness.leftovers import leftovers

    if context.invoked_subcommand is not None:
        return
    rows = [
        (
            store.folder.name,
            str(store.identity.get("feeding")),
            str(len(store.keys("pooled"))),
            *(size(store.bytes(kind)) for kind in KINDS),
        )
        for store in stored(cache_folder / "features")
    ]
    print_table(("features", "feeding", "utterances", *KINDS), rows)
    unfinished = [
        (str(one.path.relative_to(cache_folder)), size(one.size), age(one.age))
        for one in leftovers(cache_folder)
    ]
    if unfinished:
        click.echo()
        print_table(("unfinished", "size", "last written"), unfinished)
    click.echo(f"in {cache_folder}")


@cache.command("prune")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Means over time, too, and unfinished work of any age.",
)
@click.option("--only", metavar="TEXT", default="", help="Stores whose name has this.")
@RUNS
@click.pass_context
def prune_cache(
    context: click.Context, everything: bool, only: str, runs: Path
) -> None:
    """Remove stored frames (they are extracted again when a head needs them).

    Means over time are small and stay, unless --all is given. Of unfinished trainings
    and downloads those go that have a result in --runs, or are a week old.
    """
    from harness.features.store import KINDS, stored
    from harness.leftovers import OLD, prune

    registry: Registry = context.find_root().obj
    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    kinds = KINDS if everything else ("last", "all")
    freed = sum(
        store.drop(kind, store.keys(kind))
        for store in stored(folder / "features")
        if only in store.folder.name
        for kind in kinds
    )
    if not only:
        finished = registry.hook.harness_finished_runs(runs=runs) or frozenset()
        freed += prune(folder, finished=finished, older=-1.0 if everything else OLD)
    click.echo(f"{size(freed)} freed")
