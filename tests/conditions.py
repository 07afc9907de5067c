"""Conditions that no plan was made for; each test names what matters to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toys import TOY

from harness.types import (
    Condition,
    CorpusCondition,
    DownstreamCondition,
    Optimiser,
    Reads,
    Recipe,
    UpstreamCondition,
)

if TYPE_CHECKING:
    from harness import Downstream, Upstream

CONDITION = Condition(
    upstream=UpstreamCondition(
        name="whisper-base",
        version=1,
        plugin="",
        checkpoint="c" * 64,
        layers=3,
        dim=8,
        hop=0.02,
        rate=16_000,
        feeding="full",
        precision="float32",
        frame_type="float32",
        max_seconds=None,
        decoding=1,
        extraction=1,
    ),
    downstream=DownstreamCondition(
        name="linear",
        version=1,
        plugin="",
        reads=Reads(layers="last", frames=False),
        recipe=Recipe(
            name="peft-ser",
            epochs=30,
            batch=32,
            optimiser=Optimiser(learning_rate=5e-4),
            deviations=("no waveform augmentation", "clips whole"),
        ),
        selection="macro_f1",
        training=1,
    ),
    corpus=CorpusCondition(
        trained=("emodb",),
        versions=("1",),
        languages=("de",),
        manifest="d" * 64,
        strategy="speaker-independent",
        strategy_version=1,
        speaker_independent=True,
        division="e" * 64,
        folds=1,
    ),
)


def upstream_condition(upstream: Upstream = TOY, **changes: Any) -> UpstreamCondition:
    """Build what the features of a model without weights depend on."""
    described = replace(
        CONDITION.upstream,
        name=upstream.name,
        version=upstream.version,
        checkpoint="",
        layers=upstream.layers,
        dim=upstream.dim,
        hop=upstream.hop,
        rate=upstream.rate,
        feeding=upstream.feedings[0],
    )
    return replace(described, **changes)


def condition_of(
    upstream: UpstreamCondition, downstream: Downstream, selection: str = "macro_f1"
) -> Condition:
    """Build the condition of a head on features."""
    head = replace(
        CONDITION.downstream,
        name=downstream.name,
        version=downstream.version,
        reads=downstream.reads,
        recipe=downstream.recipe,
        selection=selection,
    )
    return replace(CONDITION, upstream=upstream, downstream=head)
