"""The verb ``corpus``: describe a corpus, check it, and download it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import click

from harness.choices import offered
from harness.cli.console import print_json, say, show, stages
from harness.cli.options import CACHE, DATA_ROOT
from harness.cli.tables import print_table
from harness.errors import DataError, ExitCode, HarnessError, MissingCorpusError
from harness.leftovers import tidied
from harness.text import counted, fenced, markdown, size
from harness.types import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.data.corpora import LocalCorpora
    from harness.data.download.remote import RemoteArchive
    from harness.data.passport import Passport
    from harness.data.passport.problems import Problem
    from harness.registry import Registry
    from harness.types import Corpus, Download

    Form = Literal["text", "json", "markdown"]
    Held = Mapping[str, Mapping[str, float]]

SHOWN = 20
"""Problems of a kind that are printed; the others are only counted."""

FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)


@click.group()
def corpus() -> None:
    """Describe, check and download corpora."""


def _local(registry: Registry, data_root: Path, cache_folder: Path) -> LocalCorpora:
    from harness.data.corpora import LocalCorpora

    return LocalCorpora(
        registry=registry,
        data_root=data_root,
        cache=cache_folder,
        stages=stages(quiet=False),
    )


# ---------------------------------------------------------------- check


@corpus.command("check", short_help="Decode all files, and compare them.")
@click.argument("names", nargs=-1, metavar="NAME…", shell_complete=offered("corpora"))
@click.option("--all", "everything", is_flag=True, help="Every corpus that is found.")
@DATA_ROOT
@CACHE
@FORMAT
@click.pass_obj
def check_corpus(
    registry: Registry,
    names: tuple[str, ...],
    everything: bool,
    data_root: Path,
    cache_folder: Path,
    form: Form,
) -> ExitCode:
    """Decode every file of a corpus, and compare it with what was published.

    Exits with 2 where a file is missing, unexpected, altered or cannot be used.
    """
    if bool(names) == everything:
        raise click.UsageError("Name some corpora, or pass --all.")
    corpora = _local(registry, data_root, cache_folder)
    if everything:
        return _check_all(corpora, form)
    passports = [corpora.passport(corpora[name]) for name in names]
    _print_passports(passports, form, registry, several=len(names) > 1)
    return _exit_code(all(passport.is_sound for passport in passports))


def _check_all(corpora: LocalCorpora, form: Form) -> ExitCode:
    """Check every corpus that is found; list the missing and the unreadable ones."""
    passports, missing, errors = [], [], []
    for one in corpora:
        try:
            passports.append(corpora.passport(one))
        except MissingCorpusError:
            missing.append(one.name)
        except HarnessError as error:
            is_named = f"'{one.name}'" in str(error)
            errors.append(str(error) if is_named else f"{one.name}: {error}")
    _print_passports(passports, form, corpora.registry, several=True)
    if missing:
        say(f"Not in {corpora.data_root}: {', '.join(missing)}.")
    for line in errors:
        say(line)
    return _exit_code(all(one.is_sound for one in passports) and not errors)


def _exit_code(is_sound: bool) -> ExitCode:
    return ExitCode.OK if is_sound else ExitCode.USER


def _print_passports(
    passports: Sequence[Passport], form: Form, registry: Registry, *, several: bool
) -> None:
    from harness.data.passport.forms import as_json
    from harness.data.targets import held

    of = [
        held(one.manifest.corpus, one.manifest.utterances, registry.targets)
        for one in passports
    ]
    if form == "json":
        values = [
            as_json(passport) | {"targets": targets}
            for passport, targets in zip(passports, of, strict=True)
        ]
        print_json(values if several else values[0])
        return
    for passport, targets in zip(passports, of, strict=True):
        _print_passport(passport, form, targets)


def _target_rows(targets: Held) -> list[tuple[str, str]]:
    """Return what a corpus has for each target, as rows of a table."""
    from harness.data.targets import describe_held

    return [(f"target {name}", describe_held(of)) for name, of in targets.items()]


def _print_passport(passport: Passport, form: Form, targets: Held) -> None:
    from harness.data.passport.forms import counts, facts

    manifest = passport.manifest
    _heading(f"{manifest.corpus.title}, version {manifest.corpus.version}", form)
    _line(
        f"{counted(len(manifest.utterances), 'utterance')} of "
        f"{counted(len({u.speaker for u in manifest.utterances}), 'speaker')}, "
        f"{counted(len(manifest.labels), 'label')}, in {manifest.root}",
        form,
    )
    show()
    columns = ("speaker", "gender", *manifest.labels, "all")
    _table(columns, list(counts(manifest)), form)
    _table(("what", "is"), [*facts(passport), *_target_rows(targets)], form)
    if passport.problems:
        rows = list(_shortened(passport.problems))
        _table(("problem", "where", "what"), rows, form)
    _line(passport.verdict, form)


def _shortened(problems: Sequence[Problem]) -> Iterator[tuple[str, str, str]]:
    """Yield rows of problems, at most ``SHOWN`` of a kind."""
    totals = Counter(problem.kind for problem in problems)
    printed: Counter[str] = Counter()
    for problem in problems:
        printed[problem.kind] += 1
        if printed[problem.kind] <= SHOWN:
            yield problem.kind, problem.path, problem.detail
        elif printed[problem.kind] == totals[problem.kind]:
            more = f"and {totals[problem.kind] - SHOWN} more; see --format json"
            yield problem.kind, "…", more


# ---------------------------------------------------------------- print


def _line(text: str, form: Form) -> None:
    """Print a line, and in Markdown nothing that it makes of it."""
    show(markdown(text) if form == "markdown" else text)


def _heading(text: str, form: Form) -> None:
    show(f"## {markdown(text)}\n" if form == "markdown" else text)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], form: Form) -> None:
    """Print a table, and an empty line after it."""
    if form == "text":
        print_table(columns, rows)
    else:
        for row in (columns, *rows):
            show(f"| {' | '.join(map(markdown, row))} |")
            if row is columns:
                show(f"| {' | '.join(['---'] * len(columns))} |")
    show()


# ---------------------------------------------------------------- info


@corpus.command("info")
@click.argument("name", shell_complete=offered("corpora"))
@DATA_ROOT
@CACHE
@FORMAT
@click.pass_obj
def corpus_info(
    registry: Registry, name: str, data_root: Path, cache_folder: Path, form: Form
) -> None:
    """Describe a corpus: its contents, its licence, and how to get it."""
    from harness.data.passport import description
    from harness.data.passport.verdict import compare_claim
    from harness.data.targets import held

    corpora = _local(registry, data_root, cache_folder)
    one = corpora[name]
    on_disk = description.OnDisk.of(one, corpora.root(one))
    targets = held(one, on_disk.utterances, registry.targets)
    if form == "json":
        print_json(description.describe(one, on_disk) | {"targets": targets})
        return
    _heading(f"{one.title} ({one.name})", form)
    if one.about:
        about = one.about.strip()
        show(f"{fenced(about) if form == 'markdown' else about}\n")
    rows = [*description.description_rows(one, on_disk), *_target_rows(targets)]
    _table(("what", "is"), rows, form)
    _table(*description.side_by_side(one, corpora.siblings(one)), form)
    size = one.versions.get(one.version, sum(one.counts.values()))
    for claim in one.claims:
        said = compare_claim(claim, size, len(one.labels), here=f"in {one.name}")
        _line(said, form)


# ---------------------------------------------------------------- download


@corpus.command("download")
@click.argument("name", shell_complete=offered("corpora"))
@click.option("--accept-licence", is_flag=True, help="Do not ask.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="ZIP|URL",
    help="An archive on this machine, or a mirror's address, instead of the published "
    "one. Repeat it for a corpus of several archives.",
)
@DATA_ROOT
@CACHE
@click.pass_obj
def download_corpus(
    registry: Registry,
    name: str,
    accept_licence: bool,
    sources: tuple[str, ...],
    data_root: Path,
    cache_folder: Path,
) -> None:
    """Download a corpus that needs no form, and check it.

    For other corpora, instructions are printed. A download that breaks off is resumed
    by the same command. The corpus' folder appears when it is complete.
    """
    from harness.data.download import download, install
    from harness.data.download.archive import existing_zip

    remote = [source for source in sources if "://" in source]
    if remote and len(remote) < len(sources):
        raise click.UsageError("--from takes zips of this machine, or addresses.")
    corpora = _local(registry, data_root, cache_folder)
    one = corpora[name]
    root = corpora.root(one)
    if corpora.is_complete(one):
        show(f"{one.title} is complete at {root} already.")
        return
    if one.download is not None and not sources:
        with tidied(cache_folder, data_root):
            _fetch(corpora, one.download(), accept_licence)
        return
    siblings, progress = corpora.siblings(one), corpora.stages
    with tidied(cache_folder, data_root):
        if sources and not remote:
            packed = [existing_zip(source) for source in sources]
            passport = install(one, packed, root, siblings=siblings, stages=progress)
        else:
            files = _accepted_files(one, sources, root, accept_licence)
            passport = download(
                one, files, root, cache_folder, siblings=siblings, stages=progress
            )
    show(f"{one.title} is at {root}. {passport.verdict}")


def _accepted_files(
    one: Corpus, sources: Sequence[str], root: Path, accept_licence: bool
) -> list[RemoteArchive]:
    """List the files to download, once the user has accepted the licence.

    Raises:
        DataError: Where there are none, or the licence is not accepted.
    """
    from harness.data.download.remote import published_archives, remote_archives

    mirrors = tuple(Archive(url=source) for source in sources)
    files = remote_archives(mirrors or published_archives(one, root))
    _print_terms(one, {file.url: file.size for file in files}, root)
    _require_accepted(accept_licence)
    return files


def _fetch(corpora: LocalCorpora, found: Download, accept_licence: bool) -> None:
    """Fetch what a server has of a corpus, once the user has accepted the licence."""
    from harness.data.download import put

    one, root = found.corpus, corpora.folder(found.corpus)
    if corpora.is_complete(one):
        show(f"{one.name} is complete at {root} already.")
        return
    _print_terms(one, {found.url: found.size}, root)
    _require_accepted(accept_licence)
    passport = put(one, found.fetch, root, stages=corpora.stages)
    show(f"{one.name} is at {root}. {passport.verdict}")
    show(f"use       harness run … --corpus {one.name}")


def _require_accepted(accept_licence: bool) -> None:
    """Ask the user, unless that was answered on the command line.

    Raises:
        DataError: Where the licence is not accepted.
    """
    if not (accept_licence or _confirmed()):
        raise DataError("Nothing was downloaded. Answer yes, or pass --accept-licence.")


def _confirmed() -> bool:
    """Ask the user; the answer is no where nobody can answer."""
    try:
        return click.confirm("Do you accept the licence and start?", err=True)
    except click.Abort:
        return False


def _print_terms(one: Corpus, sizes: Mapping[str, int], root: Path) -> None:
    """Print what is downloaded, under which licence, and how large it is."""
    amount = size(sum(sizes.values())) if all(sizes.values()) else "unknown"
    show(f"{one.title}, version {one.version}")
    show(f"licence   {one.licence}")
    show(f"cite      {one.citation}")
    for url in sizes:
        show(f"from      {url}")
    show(f"size      {amount}, and about as much again while it is unpacked")
    show(f"into      {root}")
