"""``harness list``: what the plugins offer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from harness.choices import described_by
from harness.cli.console import print_json, show
from harness.cli.tables import print_table
from harness.types import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.registry import Plugin, Registry
    from harness.types import (
        Corpus,
        Downstream,
        Executor,
        Metric,
        Perturbation,
        Reads,
        Renderer,
        SplitStrategy,
        Suite,
        Target,
        Upstream,
    )

Facts = dict[str, object]
"""A row: what is printed of an offer by column, the values as JSON has them."""


def _upstream(upstream: Upstream) -> Facts:
    return {
        "upstream": upstream.name,
        "layers": upstream.layers,
        "dim": upstream.dim,
        "weights": upstream.parameters or None,
        "languages": upstream.languages,
        "licence": upstream.licence,
        "trained_on": upstream.pretraining,
        "checkpoint": upstream.checkpoint,
    }


def _downstream(downstream: Downstream) -> Facts:
    return {
        "downstream": downstream.name,
        "reads": _reads(downstream.reads),
        "seeds": downstream.seeds,
        "summary": downstream.summary,
    }


def _reads(reads: Reads) -> str:
    layers = {"last": "last layer", "all": "all layers", "each": "each layer"}
    states = "frames" if reads.frames else "means over time"
    return f"{layers[reads.layers]}, {states}"


def _corpus(corpus: Corpus) -> Facts:
    return {
        "corpus": corpus.name,
        "languages": corpus.languages,
        "utterances": corpus.versions.get(corpus.version),
        "labels": len(corpus.labels),
        "claims": corpus.claims,
        "licence": corpus.licence,
    }


def _split(strategy: SplitStrategy) -> Facts:
    return {
        "split": strategy.name,
        "speaker_independent": strategy.speaker_independent,
        "takes_folds": strategy.takes_folds,
        "summary": strategy.summary,
    }


def _target(target: Target) -> Facts:
    return {
        "target": target.name,
        "predicts": "a number" if target.numbers else "a class",
        "split": target.split,
        "selected_by": target.selected_by,
        "summary": target.summary,
    }


def _metric(metric: Metric) -> Facts:
    return {
        "metric": metric.name,
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "summary": metric.summary,
    }


def _perturbation(perturbation: Perturbation) -> Facts:
    return {"perturbation": perturbation.name, "summary": perturbation.summary}


def _suite(suite: Suite) -> Facts:
    return {"suite": suite.name, "summary": suite.summary}


def _executor(executor: Executor) -> Facts:
    return {"executor": executor.name, "summary": executor.summary}


def _renderer(renderer: Renderer) -> Facts:
    return {"renderer": renderer.name, "summary": renderer.summary}


def _plugin(plugin: Plugin) -> Facts:
    return {
        "plugin": plugin.name,
        "package": plugin.distribution,
        "version": plugin.version,
        "state": plugin.problem or "in use",
    }


KINDS: dict[str, Callable[[Any], Facts]] = {
    "upstreams": _upstream,
    "downstreams": _downstream,
    "corpora": _corpus,
    "targets": _target,
    "splits": _split,
    "metrics": _metric,
    "perturbations": _perturbation,
    "suites": _suite,
    "executors": _executor,
    "renderers": _renderer,
    "plugins": _plugin,
}
"""What is printed of each kind of offer, by the name of the registry's attribute."""


JSON_ALONE = ("checkpoint",)
"""Columns that only JSON has: a table with them is wider than most terminals."""


class Kind(click.ParamType[str]):
    """A kind of offer, or of what the options of verbs take, such as views."""

    name = "kind"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """List the kinds in help, with blanks where a line may be broken."""
        return f"[{' | '.join(_kinds(ctx))}]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read a kind, or refuse what is none."""
        known = list(_kinds(ctx))
        return click.Choice(known).convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a kind."""
        found = [one for one in _kinds(ctx) if one.startswith(incomplete)]
        return [CompletionItem(one) for one in found]


def _kinds(ctx: click.Context | None) -> Iterator[str]:
    yield from KINDS
    yield from described_by(ctx.find_root().command if ctx else click.Command("none"))


@click.command("list")
@click.argument("what", type=Kind(), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="JSON has every fact: a list for each kind, or the one list that was asked "
    "for.",
)
@click.pass_context
def list_offers(context: click.Context, what: str | None, form: str) -> None:
    """Print what can be named: models, heads, corpora, metrics."""
    registry: Registry = context.obj
    words = described_by(context.find_root().command)
    offers: dict[str, list[Facts]] = {
        kind: [KINDS[kind](one) for one in getattr(registry, kind)]
        if kind in KINDS
        else [{kind[:-1]: name, "summary": s} for name, s in words[kind].items()]
        for kind in ([what] if what else _kinds(context))
    }
    if form == "json":
        value = offers[what] if what else offers
        print_json(value, default=asdict)
        return
    for place, (kind, rows) in enumerate(offers.items()):
        if place:
            show()
        _print(kind, rows)
    if what in NOTES:
        show(f"\n{NOTES[what]}")


NOTES = {
    "upstreams": "Languages are those of the training data, as BCP-47 tags; «mul» is "
    "many. 'hf:ID-or-PATH' is any checkpoint of these families, and 'random:NAME' one "
    "of these without its training. Where weights come from: --format json.",
    "corpora": "A claim is how many utterances of how many labels its source states, "
    "such as Table 1 of the paper. 'harness corpus info NAME' names the source, says "
    "why a corpus differs, and how to get it.",
}
"""What is said below a list that was asked for alone."""


def _print(kind: str, rows: list[Facts]) -> None:
    if not rows:
        show(f"no {kind}")
        return
    names = [name for name in rows[0] if name not in JSON_ALONE]
    columns = [name.replace("_", " ") for name in names]
    print_table(columns, [[_text(row[name]) for name in names] for row in rows])


def _text(value: object) -> str:
    """Write a value of a row for a person; what is unknown or empty is a dash."""
    match value:
        case None | "" | ():
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() if value >= 1e6:
            return f"{value / 1e6:.0f} M"
        case int() if value >= 1e5:
            return f"{value / 1e6:.1f} M"
        case Claim():
            return f"{value.utterances} of {value.labels}"
        case tuple():
            return ", ".join(map(_text, value))
    return str(value)
