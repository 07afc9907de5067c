"""The verb ``corpus``: look at a corpus, compare it with what is known, and get it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.console import print_table, say, stages
from harness.cli.options import CACHE, DATA_ROOT
from harness.errors import DataError, ExitCode, MissingCorpusError
from harness.text import size
from harness.types import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.data.download.remote import Remote
    from harness.data.passport import Passport
    from harness.data.passport.problems import Problem
    from harness.registry import Registry
    from harness.types import Corpus

MOST = 20
"""How many problems of a kind are printed before they are only counted."""

FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)


@click.group()
def corpus() -> None:
    """Look at corpora, and get them."""


# ---------------------------------------------------------------- check


@corpus.command("check")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--all", "everything", is_flag=True, help="Every corpus that is here.")
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
    form: str,
) -> ExitCode:
    """Decode every file of a corpus, and compare it with what was published.

    Leaves with 2 where a file is missing, unexpected, altered or cannot be used.
    """
    if bool(names) == everything:
        raise click.UsageError("Name some corpora, or give --all.")
    wanted = [registry.corpora[name] for name in names] or list(registry.corpora)
    passports, absent, refused = [], [], []
    for one in wanted:
        try:
            passports.append(_examine(registry, one, data_root, cache_folder))
        except DataError as error:
            if not everything:
                raise
            if isinstance(error, MissingCorpusError):
                absent.append(one.name)
            else:
                refused.append(f"{one.name}: {error}")
    if form == "json":
        _print_json(passports, everything or len(names) > 1)
    else:
        for passport in passports:
            _print_passport(passport, form)
    if absent:
        say(f"Not in {data_root}: {', '.join(absent)}.")
    for line in refused:
        say(line)
    sound = all(passport.is_sound for passport in passports) and not refused
    return ExitCode.OK if sound else ExitCode.USER


def _examine(
    registry: Registry, corpus: Corpus, data_root: Path, cache_folder: Path
) -> Passport:
    from harness.data.passport import examine
    from harness.data.roots import corpus_root
    from harness.files import Memory

    return examine(
        corpus,
        corpus_root(corpus, registry, data_root=data_root, cache=cache_folder),
        Memory(cache_folder / "memory.json"),
        siblings=_siblings(registry, corpus),
        stages=stages(quiet=False),
    )


def _variants(registry: Registry, corpus: Corpus) -> list[Corpus]:
    """List the corpora that lie in the same folder below the data root."""
    folder = corpus.name.partition("@")[0]
    return [one for one in registry.corpora if one.name.partition("@")[0] == folder]


def _siblings(registry: Registry, corpus: Corpus) -> list[Corpus]:
    """List the other corpora in the same folder."""
    return [one for one in _variants(registry, corpus) if one.name != corpus.name]


def _print_json(passports: Sequence[Passport], several: bool) -> None:
    from harness.data.passport.forms import as_json

    values = [as_json(passport) for passport in passports]
    value = values if several else values[0]
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_passport(passport: Passport, form: str) -> None:
    from harness.data.passport.forms import counts, facts

    manifest = passport.manifest
    _heading(f"{manifest.corpus.title}, version {manifest.corpus.version}", form)
    click.echo(
        f"{len(manifest.utterances)} utterances of "
        f"{len({u.speaker for u in manifest.utterances})} speakers, "
        f"{len(manifest.labels)} labels, in {manifest.root}\n"
    )
    columns = ("speaker", "gender", *manifest.labels, "all")
    _table(columns, list(counts(manifest)), form)
    _table(("what", "is"), list(facts(passport)), form)
    if passport.problems:
        rows = list(_shortened(passport.problems))
        _table(("problem", "where", "what"), rows, form)
    click.echo(passport.verdict)


def _shortened(problems: Sequence[Problem]) -> Iterator[tuple[str, str, str]]:
    """Yield the problems, but no more than some of a kind."""
    totals = Counter(problem.kind for problem in problems)
    told: Counter[str] = Counter()
    for problem in problems:
        told[problem.kind] += 1
        if told[problem.kind] <= MOST:
            yield problem.kind, problem.path, problem.detail
        elif told[problem.kind] == totals[problem.kind]:
            more = f"and {totals[problem.kind] - MOST} more; see --format json"
            yield problem.kind, "…", more


def _heading(text: str, form: str) -> None:
    click.echo(f"## {text}\n" if form == "markdown" else text)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> None:
    """Print a table, and an empty line after it."""
    if form == "text":
        print_table(columns, rows)
    else:
        for row in (columns, ["---"] * len(columns), *rows):
            cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
            click.echo(f"| {' | '.join(cells)} |")
    click.echo()


# ---------------------------------------------------------------- info


@corpus.command("info")
@click.argument("name")
@FORMAT
@click.pass_obj
def corpus_info(registry: Registry, name: str, form: str) -> None:
    """Tell what a corpus is, under which licence, and how to get it."""
    from harness.data.passport.verdict import judged

    one = registry.corpora[name]
    variants = _variants(registry, one) or [one]
    if form == "json":
        click.echo(json.dumps(_info(one), indent=2, ensure_ascii=False))
        return
    _heading(f"{one.title} ({one.name})", form)
    if one.about:
        fence = "```\n" if form == "markdown" else ""
        click.echo(f"{fence}{one.about.strip()}\n{fence}")
    rows = [(key, value) for key, value in _info(one).items() if isinstance(value, str)]
    _table(("what", "is"), rows, form)
    _table(*_side_by_side(variants), form)
    size = one.versions.get(one.version, sum(one.counts.values()))
    for claim in one.claims:
        click.echo(judged(claim, size, len(one.labels), here=f"in {one.name}"))


def _info(one: Corpus) -> dict[str, object]:
    """Describe a corpus that need not be here as a JSON value."""
    others = {v: n for v, n in one.versions.items() if v != one.version}
    size = one.versions.get(one.version)
    direct = f"harness corpus download {one.name}" if one.archives else ""
    return {
        "corpus": one.name,
        "title": one.title,
        "version": f"{one.version}, {size} utterances" if size else one.version,
        "other versions": "; ".join(f"{v}: {n} utterances" for v, n in others.items())
        or "none known",
        "languages": ", ".join(one.languages),
        "licence": one.licence,
        "homepage": one.homepage,
        "citation": one.citation,
        "how to get it": f"{one.obtain} Or: {direct}" if direct else one.obtain,
        "defects": "; ".join(f"{id} {what}" for id, what in one.defects.items())
        or "none known beyond what is said above",
        "labels": {label: one.counts.get(label) for label in one.labels},
    }


def _side_by_side(
    variants: Sequence[Corpus],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Give the columns and rows of a table with the counts of variants."""
    labels = sorted({label for variant in variants for label in variant.labels})
    files = [list(one.files().values()) if one.files else [] for one in variants]
    parts = [Counter(file.part for file in known) for known in files]
    rows = [
        ("version", *(one.version for one in variants)),
        *(
            (label, *(str(one.counts.get(label, "–")) for one in variants))
            for label in labels
        ),
        ("all", *(str(one.versions.get(one.version, "–")) for one in variants)),
        ("speakers", *(str(len({f.speaker for f in one}) or "–") for one in files)),
        *(
            (f"published {part}", *(str(count[part] or "–") for count in parts))
            for part in ("train", "valid", "test")
        ),
    ]
    return ("corpus", *(one.name for one in variants)), rows


# ---------------------------------------------------------------- download


@corpus.command("download")
@click.argument("name")
@click.option("--accept-licence", is_flag=True, help="Do not ask.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="ZIP|URL",
    help="An archive that you have already, or a mirror's address, instead of the "
    "published one; several where it comes in several.",
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
    """Get a corpus that needs no form, and check it; for others, say how.

    What breaks off goes on when the same command is given again. The corpus' folder
    appears when it is complete.
    """
    from harness.data.download import get, install
    from harness.data.download.remote import remotes
    from harness.data.roots import corpus_root

    one = registry.corpora[name]
    root = corpus_root(one, registry, data_root=data_root, cache=cache_folder)
    if _is_there(registry, one, data_root, cache_folder):
        click.echo(f"{one.title} is complete at {root} already.")
        return
    tell, siblings = stages(quiet=False), _siblings(registry, one)
    if sources and not any("://" in source for source in sources):
        packed = [_archive(source) for source in sources]
        passport = install(one, packed, root, siblings=siblings, stages=tell)
    else:
        files = remotes(_archives(one, sources, root))
        _print_terms(one, files, root)
        if not (accept_licence or _agreed()):
            raise DataError(
                "Nothing was fetched. Answer yes, or give --accept-licence."
            )
        passport = get(one, files, root, cache_folder, siblings=siblings, stages=tell)
    click.echo(f"{one.title} is at {root}. {passport.verdict}")


def _archives(one: Corpus, sources: Sequence[str], root: Path) -> tuple[Archive, ...]:
    """Give what a corpus is downloaded as, or say how to get it by hand."""
    archives = tuple(Archive(url=source) for source in sources) or one.archives
    if not archives:
        raise DataError(
            f"{one.title} cannot be fetched by a program: it is behind a form, or its "
            f"address gives no plain file. {one.obtain} It belongs to {root}; a zip is "
            f"put there by 'harness corpus download {one.name} --from ZIP', and what "
            f"was unpacked by hand is checked by 'harness corpus check {one.name}'."
        )
    return archives


def _archive(source: str) -> Path:
    """Find an archive that the user has."""
    import zipfile

    path = Path(source).expanduser()
    if not zipfile.is_zipfile(path):
        what = "is no zip archive" if path.exists() else "is not there"
        raise DataError(
            f"{path} {what}. Give a zip by --from; what is packed in another way, "
            "unpack by hand, and see 'harness corpus check'."
        )
    return path


def _agreed() -> bool:
    try:
        return click.confirm("Do you accept the licence, and shall it begin?", err=True)
    except click.Abort:  # there is nobody to answer
        return False


def _is_there(
    registry: Registry, corpus: Corpus, data_root: Path, cache_folder: Path
) -> bool:
    try:
        return _examine(registry, corpus, data_root, cache_folder).is_sound
    except DataError:
        return False


def _print_terms(one: Corpus, files: Sequence[Remote], root: Path) -> None:
    total = sum(file.size for file in files)
    much = size(total) if all(file.size for file in files) else "unknown"
    click.echo(f"{one.title}, version {one.version}")
    click.echo(f"licence   {one.licence}")
    click.echo(f"cite      {one.citation}")
    for file in files:
        click.echo(f"from      {file.url}")
    click.echo(f"size      {much}, and about as much again while it is unpacked")
    click.echo(f"into      {root}")
