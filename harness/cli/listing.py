"""``harness list``: what the plugins offer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from harness.cli.console import print_json, print_table, show
from harness.types import Claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.registry import Plugin, Registry
    from harness.types import (
        Corpus,
        Downstream,
        Executor,
        Metric,
        Reads,
        Renderer,
        SplitStrategy,
        Suite,
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
        "trained_on": upstream.pretraining,
        "licence": upstream.licence,
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


def _metric(metric: Metric) -> Facts:
    return {
        "metric": metric.name,
        "title": metric.title,
        "higher_is_better": metric.higher_is_better,
        "summary": metric.summary,
    }


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
    "splits": _split,
    "metrics": _metric,
    "suites": _suite,
    "executors": _executor,
    "renderers": _renderer,
    "plugins": _plugin,
}
"""What is printed of each kind of offer, by the name of the registry's attribute."""


@click.command("list")
@click.argument("what", type=click.Choice(list(KINDS)), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="JSON has a list for each kind of offer, or the one list that was asked for.",
)
@click.pass_obj
def list_offers(registry: Registry, what: str | None, form: str) -> None:
    """Print what is installed: models, heads, corpora, splits, metrics and more."""
    kinds = [what] if what else list(KINDS)
    offers = {
        kind: [KINDS[kind](one) for one in getattr(registry, kind)] for kind in kinds
    }
    if form == "json":
        value = offers[what] if what else offers
        print_json(value, default=asdict)
        return
    for kind, rows in offers.items():
        _print(kind, rows)
    if what == "corpora":
        show(
            "\nA claim is how many utterances of how many labels its source states. "
            "Where a corpus differs, 'harness corpus info NAME' says why."
        )


def _print(kind: str, rows: list[Facts]) -> None:
    if not rows:
        show(f"no {kind}")
        return
    columns = [name.replace("_", " ") for name in rows[0]]
    print_table(columns, [[_text(value) for value in row.values()] for row in rows])


def _text(value: object) -> str:
    """Write a value of a row for a person; what is unknown or empty is a dash."""
    match value:
        case None | "" | ():
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() if value >= 1e6:
            return f"{value / 1e6:.0f} M"
        case tuple():
            return ", ".join(map(_text, value))
        case Claim():
            return f"{value.utterances} of {value.labels} ({value.source})"
    return str(value)
