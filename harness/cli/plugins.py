"""The verbs for whoever writes a plugin: ``check`` and ``new-plugin``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.choices import Worded, offered
from harness.cli.console import say, show
from harness.cli.options import CACHE, CHECKPOINT, DATA_ROOT
from harness.cli.tables import print_table
from harness.errors import DataError, ExitCode, HarnessError, UnknownNameError
from harness.registry.isolation import reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.conformance import (
        CorpusCheck,
        DownstreamCheck,
        Subject,
        UpstreamCheck,
    )
    from harness.registry import Plugin, Registry
    from harness.types import Corpus, Downstream, Upstream


@click.command()
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="NAME…",
    shell_complete=offered("upstreams", "downstreams", "corpora"),
)
@CHECKPOINT
@click.option("--feeding", metavar="NAME", help="How upstreams are fed.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="cpu, cuda, auto, …",
)
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
    """Check whether models, heads and corpora keep the rules.

    Prints a line for each rule and, for an upstream, its padding certificate: how far
    features move by what surrounds a clip. What is found is kept, and stands with the
    results of what was checked. Leaves with 2 where a rule is broken.
    """
    from harness.conformance import UpstreamCheck
    from harness.features.device import prepare

    setting = _Setting(
        registry=registry,
        checkpoints=checkpoints,
        feeding=feeding,
        device=prepare(device),
        data_root=data_root,
        cache=cache_folder,
    )
    setting.refuse_idle(names)
    broken = 0
    for name in dict.fromkeys(names):
        for subject, plugin in setting.subjects(name):
            show(f"{name} ({type(subject.offer).__name__.lower()})")
            broken += _examine(subject, plugin, setting.cache)
            if isinstance(subject, UpstreamCheck):
                _certify(subject)
    return ExitCode.USER if broken else ExitCode.OK


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """Where and with what offers are checked; see the options of ``check``."""

    registry: Registry
    checkpoints: Mapping[str, Path]
    feeding: str | None
    device: str
    data_root: Path
    cache: Path

    def refuse_idle(self, names: Sequence[str]) -> None:
        """Refuse options for upstreams where there is none that they are for.

        Raises:
            HarnessError: Where a checkpoint is another upstream's, or none is fed.
        """
        found = [u for name in names for u in self.registry.upstreams.named(name)]
        known = {one for u in found for one in (u.name, u.checkpoint_of) if one}
        known |= {f"{u.name}/{key}" for u in found for key in u.more_checkpoints}
        for name in self.checkpoints:
            if name not in known:
                raise UnknownNameError("upstream of this command", name, known)
        if self.feeding is not None and not found:
            raise HarnessError(
                f"--feeding is for upstreams, and {', '.join(names)} is none. "
                "Leave it out."
            )

    def subjects(self, name: str) -> Iterator[tuple[Subject, Plugin]]:
        """Yield what is called so, with what is needed to check it."""
        registry = self.registry
        upstreams = registry.upstreams.named(name)
        downstreams = registry.downstreams.named(name)
        corpora = registry.corpora.named(name)
        if not (upstreams or downstreams or corpora):
            kinds = (registry.upstreams, registry.downstreams, registry.corpora)
            known = [offer.name for kind in kinds for offer in kind]
            noun = "upstream, downstream or corpus"
            raise UnknownNameError(noun, name, known, registry.upstreams.why(name))
        for upstream in upstreams:
            yield self._upstream(upstream), registry.upstreams.plugin(name)
        for head in downstreams:
            yield self._downstream(head), registry.downstreams.plugin(name)
        for corpus in corpora:
            yield self._corpus(corpus), registry.corpora.plugin(name)

    def _upstream(self, upstream: Upstream) -> UpstreamCheck:
        from harness.conformance import UpstreamCheck

        if self.feeding is not None and self.feeding not in upstream.feedings:
            raise HarnessError(
                f"{upstream.name} cannot be fed '{self.feeding}'. Known for it: "
                f"{', '.join(upstream.feedings)}."
            )
        if upstream.reads == "utterances":
            raise HarnessError(
                f"'{upstream.name}' is what another program made, and no model that "
                "could be checked. 'harness plan' reads it for a corpus."
            )
        check = UpstreamCheck(
            offer=upstream,
            checkpoints=self.checkpoints,
            feeding=self.feeding,
            device=self.device,
        )
        check.found  # noqa: B018 - a checkpoint that cannot be had is said at once
        return check

    def _downstream(self, head: Downstream) -> DownstreamCheck:
        from harness.conformance import DownstreamCheck

        return DownstreamCheck(offer=head, device=self.device)

    def _corpus(self, corpus: Corpus) -> CorpusCheck:
        from harness.conformance import CorpusCheck
        from harness.data.corpora import LocalCorpora

        local = LocalCorpora(
            registry=self.registry, data_root=self.data_root, cache=self.cache
        )
        root = local.root(corpus)
        if not root.is_dir():
            raise DataError(
                f"Corpus '{corpus.name}' is not at {root}. {corpus.obtain} Then set "
                "HARNESS_DATA (or --data-root) to the folder above it."
            )
        return CorpusCheck(offer=corpus, root=root)


def _examine(subject: Subject, plugin: Plugin, cache: Path) -> int:
    """Put an offer to its rules, print and keep what is found; count broken ones."""
    from harness.conformance import checks
    from harness.verdicts import record

    broken = []
    for one in checks(subject):
        found = one.finding()
        why = f": {found.text}" if found.text else ""
        show(f"  {found.verdict:<8}{one}{why}")
        if found.verdict == "BROKEN":
            broken.append(str(one))
    offer = subject.offer
    record(cache, offer.name, offer.version, plugin.identity, broken)
    return len(broken)


def _certify(check: UpstreamCheck) -> None:
    """Print an upstream's padding certificate, layer by layer, and the verdicts."""
    from harness.features.padding import TRIALS, measure, verdicts

    length = max(1.0, check.model.min_seconds)
    try:
        moved = measure(check.encode, check.model.rate, length)
    except Exception as error:  # isolates the plugin that is checked by name
        show(f"  no certificate: {reason(error)}")
        return
    show(
        f"\nHow far features of a clip of {length:g} s move, max |Δ|/std and 1 − cos:\n"
    )
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
    show()
    for sentence in verdicts(moved):
        show(sentence)


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--folder",
    cls=Worded,
    type=click.Path(path_type=Path),
    show_default="harness-NAME",
    help="Where the package is written.",
)
@click.pass_obj
def new_plugin(registry: Registry, name: str, folder: Path | None) -> None:
    """Write a package with a model of your own, ready to run."""
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
