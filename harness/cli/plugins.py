"""The verbs for whoever writes a plugin: ``check`` and ``new-plugin``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.console import print_table, say
from harness.cli.options import CACHE, CHECKPOINT, DATA_ROOT
from harness.errors import DataError, ExitCode, HarnessError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.conformance import Check, Hearing, Subject
    from harness.registry import Registry
    from harness.types import Corpus


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@CHECKPOINT
@click.option("--feeding", metavar="NAME", help="How upstreams are fed.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, …")
@DATA_ROOT
@CACHE
@click.pass_obj
def check(
    registry: Registry,
    names: tuple[str, ...],
    checkpoints: Mapping[str, Path],
    feeding: str | None,
    device: str,
    data_root: Path,
    cache_folder: Path,
) -> ExitCode:
    """See whether upstreams, downstreams and corpora keep the rules.

    Prints a line for each rule and, for an upstream, its padding certificate: how far
    features move by what surrounds a clip. Leaves with 2 where a rule is broken.
    """
    from harness.conformance import Hearing, Learning, Reading, checks

    def subjects(name: str) -> Iterator[Subject]:
        for upstream in registry.upstreams.named(name):
            yield Hearing(
                offer=upstream,
                checkpoint=checkpoints.get(name),
                feeding=feeding,
                device=device,
            )
        for downstream in registry.downstreams.named(name):
            yield Learning(offer=downstream)
        for corpus in registry.corpora.named(name):
            root = _root(corpus, registry, data_root, cache_folder.expanduser())
            yield Reading(offer=corpus, root=root)

    broken = 0
    for name in names:
        found = list(subjects(name))
        if not found:
            kinds = (registry.upstreams, registry.downstreams, registry.corpora)
            known = [offer.name for kind in kinds for offer in kind]
            raise UnknownNameError("upstream, downstream or corpus", name, known)
        for subject in found:
            click.echo(f"{name} ({type(subject.offer).__name__.lower()})")
            if isinstance(subject, Hearing):
                _load(subject)
            broken += sum(not _holds(one) for one in checks(subject))
            if isinstance(subject, Hearing):
                _certify(subject)
    return ExitCode.USER if broken else ExitCode.OK


def _root(corpus: Corpus, registry: Registry, data_root: Path, cache: Path) -> Path:
    """Find a corpus' folder."""
    from harness.data.roots import corpus_root

    root = corpus_root(corpus, registry, data_root=data_root, cache=cache)
    if not root.is_dir():
        raise DataError(
            f"Corpus '{corpus.name}' is not at {root}. {corpus.obtain} Then set "
            "HARNESS_DATA (or --data-root) to the folder above it."
        )
    return root


def _load(hearing: Hearing) -> None:
    """Load an upstream, so that a checkpoint's troubles are told once."""
    upstream = hearing.offer
    if hearing.feeding is not None and hearing.feeding not in upstream.feedings:
        raise HarnessError(
            f"{upstream.name} cannot be fed '{hearing.feeding}'. Known for it: "
            f"{', '.join(upstream.feedings)}."
        )
    hearing.encode  # noqa: B018 - it is loaded when it is first asked for


def _holds(check: Check) -> bool:
    """Put an offer to a rule, and print the verdict."""
    from harness.conformance import Broken

    try:
        exempt = check()
    except Broken as error:
        problem = str(error)
    except Exception as error:  # isolates the plugin that is checked by name
        problem = f"It raised {type(error).__name__}: {error}"
    else:
        click.echo(f"  exempt  {check}: {exempt}" if exempt else f"  ok      {check}")
        return True
    click.echo(f"  BROKEN  {check}: {problem}")
    return False


def _certify(hearing: Hearing) -> None:
    """Print an upstream's padding certificate, layer by layer, and the verdicts."""
    from harness.features.padding import TRIALS, measure, verdicts

    try:
        moved = measure(hearing.encode, hearing.offer.rate)
    except Exception as error:  # isolates the plugin that is checked by name
        click.echo(f"  no certificate: it raised {type(error).__name__}: {error}")
        return
    click.echo("\nHow far features of a clip of 1 s move, max |Δ|/std and 1 − cos:\n")
    columns = [moved[trial] for trial in TRIALS]
    print_table(
        ("layer", *(name for title in TRIALS.values() for name in (title, "pooled"))),
        [
            (
                str(layer + 1),
                *(
                    f"{figure:.2g}"
                    for one in columns
                    for figure in (one.delta[layer], one.distance[layer])
                ),
            )
            for layer in range(len(columns[0].delta))
        ],
    )
    click.echo()
    for sentence in verdicts(moved):
        click.echo(sentence)


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    show_default="harness-NAME",
    help="Where the package is written.",
)
@click.pass_obj
def new_plugin(registry: Registry, name: str, folder: Path | None) -> None:
    """Write a package with an upstream of your own, ready to install and run."""
    from harness.cli.scaffold import write_plugin

    if any(upstream.name == name for upstream in registry.upstreams):
        raise HarnessError(
            f"An upstream is called '{name}' already, by the plugin "
            f"{registry.upstreams.plugin(name)}. Choose another name."
        )
    folder = folder or Path(f"harness-{name}")
    write_plugin(name, folder)
    say(
        f"Written to {folder}. Next:\n"
        f"  pip install -e {folder}\n"
        f"  harness check {name}\n"
        f"  harness run --upstream {name} --downstream linear --corpus demo"
    )
