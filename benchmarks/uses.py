"""An upstream as a run uses it, for benchmarks that extract without a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data import audio
from harness.data.places import Places
from harness.features import extraction
from harness.features.checkpoints import find_checkpoint
from harness.memory import Memory
from harness.registry import Registry, plugin_manager
from harness.types import UpstreamCondition

if TYPE_CHECKING:
    from pathlib import Path

    from harness.types import Precision


def use_of(
    name: str,
    checkpoint: Path,
    *,
    data: Path,
    cache: Path,
    feeding: str = "",
    precision: Precision = "float32",
    device: str = "cpu",
) -> extraction.Use:
    """Use an upstream with the weights of a folder.

    Args:
        name: The upstream's.
        checkpoint: The folder.
        data: Where recordings lie.
        cache: Where features go.
        feeding: How it is fed; by default as it is fed first.
        precision: Of its arithmetic.
        device: A torch device.
    """
    upstream = Registry.of(plugin_manager()).upstreams[name]
    given, memory = {name: checkpoint}, Memory(cache / "facts")
    found = find_checkpoint(upstream, given, memory, download=False)
    assert found is not None
    condition = UpstreamCondition(
        name=name,
        version=upstream.version,
        plugin="",
        checkpoint=found.sha256,
        layers=upstream.layers,
        dim=upstream.dim,
        hop=upstream.hop,
        rate=upstream.rate,
        feeding=feeding or upstream.feedings[0],
        precision=precision,
        frame_type="float32",
        max_seconds=None,
        decoding=audio.VERSION,
        extraction=extraction.VERSION,
    )
    return extraction.Use(
        upstream=upstream,
        condition=condition,
        plugin="benchmark",
        places=Places(data=data, cache=cache, checkpoints=given),
        device=device,
    )
