"""Conditions of upstreams, heads and corpora that no plan was made for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toys import TOY

from harness.types import (
    Condition,
    CorpusCondition,
    DownstreamCondition,
    UpstreamCondition,
)

if TYPE_CHECKING:
    from harness import Downstream, Upstream


def upstream_condition(upstream: Upstream = TOY, **changes: Any) -> UpstreamCondition:
    """Build what the features of a model without weights depend on."""
    condition = UpstreamCondition(
        name=upstream.name,
        version=upstream.version,
        plugin="",
        checkpoint="",
        layers=upstream.layers,
        dim=upstream.dim,
        hop=upstream.hop,
        rate=upstream.rate,
        feeding=upstream.feedings[0],
        precision="float32",
        frame_type="float32",
        max_seconds=None,
        decoding=1,
        extraction=1,
    )
    return replace(condition, **changes)


def condition_of(
    upstream: UpstreamCondition, downstream: Downstream, selection: str = "macro_f1"
) -> Condition:
    """Build the condition of a head on the corpus of tones."""
    return Condition(
        upstream=upstream,
        downstream=DownstreamCondition(
            name=downstream.name,
            version=downstream.version,
            plugin="",
            reads=downstream.reads,
            recipe=downstream.recipe,
            selection=selection,
            training=1,
        ),
        corpus=CorpusCondition(
            trained=("tones",),
            versions=("1",),
            languages=("x-tones",),
            manifest="",
            strategy="file",
            strategy_version=1,
            speaker_independent=True,
            division="",
            folds=1,
        ),
    )
