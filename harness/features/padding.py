"""The padding certificate: how far an upstream's features move when they should not.

One clip is encoded alone, and again in three ways: in a batch with longer clips, with
silence after it, and followed by itself. Only the frames of the clip are compared; of
an upstream with one vector a clip, the vectors. The first must not move them at all, or
results depend on what shared a batch; the others measure how much of its surroundings a
model mixes into a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    Encode = Callable[[Sequence[Tensor]], Sequence[Tensor]]

ROUNDING = 1e-4
"""The largest difference over the standard deviation that float32 explains."""

TRIALS = {
    "batched": "batched with longer clips",
    "silence": "with silence appended",
    "repeated": "repeated",
}
MOVED = ((1e-6, "not at all"), (1e-3, "hardly"), (1e-2, "a little"))
"""Words for a cosine distance of the means over time, each up to its bound."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """How far one trial moved the features, layer by layer.

    Attributes:
        delta: (L,) the largest difference over the layer's standard deviation.
        distance: (L,) one minus the cosine of the means over time.
    """

    delta: tuple[float, ...]
    distance: tuple[float, ...]


def measure(encode: Encode, rate: int, seconds: float = 1.0) -> dict[str, Movement]:
    """Measure the certificate, by encoding eight times the clip's length.

    Args:
        encode: What ``Upstream.load`` returned.
        rate: Its sampling rate, in hertz.
        seconds: Length of the clip; at least the upstream's ``min_seconds``.
    """
    import torch

    clip, longer = voice(seconds, rate), voice(2 * seconds, rate, seed=1)

    def states(*clips: Tensor) -> Tensor:
        with torch.inference_mode():
            return encode(clips)[0].cpu()

    alone = states(clip)
    return {
        "batched": movement(alone, states(clip, longer)),
        "silence": movement(alone, states(torch.cat([clip, torch.zeros_like(clip)]))),
        "repeated": movement(alone, states(clip.repeat(2))),
    }


def movement(before: Tensor, after: Tensor) -> Movement:
    """Compare the states of one clip, (L, T, D), with those that begin ``after``."""
    import torch

    frames = min(before.shape[1], after.shape[1])
    before, after = before[:, :frames].double(), after[:, :frames].double()
    spread = before.std(dim=(1, 2)).clamp(min=torch.finfo(torch.float32).tiny)
    delta = (after - before).abs().amax(dim=(1, 2)) / spread
    cosine = torch.cosine_similarity(before.mean(1), after.mean(1))
    return Movement(
        delta=tuple(delta.tolist()), distance=tuple((1 - cosine).clamp(min=0).tolist())
    )


def figures(moved: Mapping[str, Movement]) -> dict[str, float]:
    """Return what is stored with the features: each trial's worst layer."""
    return {
        f"{trial}_{what}": max(getattr(moved[trial], what))
        for trial in moved
        for what in ("delta", "distance")
    }


def verdicts(moved: Mapping[str, Movement]) -> list[str]:
    """Say in words what each trial did to the features."""
    worst = figures(moved)
    leak = worst["batched_delta"]
    sentences = [
        f"Features depend on what shares the batch (max |Δ|/std {leak:.2g}): no result "
        "of this upstream can be trusted before that is fixed."
        if not leak <= ROUNDING
        else f"Features are batch-invariant (max |Δ|/std {leak:.1g})."
    ]
    for trial, what in (("silence", "Silence after"), ("repeated", "Repeating")):
        distance = worst[f"{trial}_distance"]
        words = next((word for bound, word in MOVED if distance <= bound), "far")
        sentences.append(
            f"{what} a clip moves its mean features {words} (1 − cos {distance:.1g})."
        )
    return sentences


def voice(seconds: float, rate: int, seed: int = 0) -> Tensor:
    """Make a clip, (S,), that resembles a voice: gliding harmonics in syllables."""
    import torch

    random = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * rate)) / rate
    phase = torch.cumsum(120 + 20 * seed + 30 * torch.sin(5 * time), 0) / rate
    tones = torch.arange(1, 20)[:, None]
    voiced = (torch.sin(2 * torch.pi * tones * phase) / tones).sum(0)
    syllables = 0.6 + 0.4 * torch.sin(2 * torch.pi * 4 * time)
    breath = torch.randn(len(time), generator=random)
    return 0.1 * syllables * voiced + 0.003 * breath
