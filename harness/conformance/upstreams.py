"""What the harness counts on in an upstream."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.conformance.rules import (
    Broken,
    description_is_picklable,
    import_is_light,
    name_is_kebab_case,
)
from harness.features.checkpoints import find_checkpoint
from harness.features.padding import ROUNDING, movement, voice
from harness.files import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness.types import Upstream


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """An upstream as it is checked.

    Attributes:
        offer: The upstream.
        checkpoint: A local folder for it, if the user has one.
        feeding: How it is fed, by default as its description prefers.
        device: A torch device.
    """

    offer: Upstream
    checkpoint: Path | None = None
    feeding: str | None = None
    device: str = "cpu"

    @cached_property
    def encode(self) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
        """Load the upstream, once."""
        upstream = self.offer
        given = {upstream.name: self.checkpoint} if self.checkpoint else {}
        found = find_checkpoint(
            upstream, given, Memory(Path(os.devnull)), download=True
        )
        return upstream.load(
            found.folder if found else None,
            device=self.device,
            feeding=self.feeding or upstream.feedings[0],
        )

    def clip(self, seconds: float = 1.0, seed: int = 0) -> Tensor:
        """Make a clip, (S,), at the upstream's rate."""
        return voice(seconds, self.offer.rate, seed)

    def states(self, *clips: Tensor) -> list[Tensor]:
        """Give the states of each clip, (L, T, D), heard in one batch."""
        states = list(self.encode([clip.clone() for clip in clips]))
        if len(states) != len(clips) or any(state.ndim != 3 for state in states):
            shapes = [tuple(state.shape) for state in states]
            raise Broken(
                f"{len(clips)} clips gave {shapes}: return one tensor (L, T, D) a clip."
            )
        return states

    @cached_property
    def second(self) -> Tensor:
        """The states of a clip of one second."""
        return self.states(self.clip())[0]


def frames_are_a_hop_apart(hearing: Hearing) -> None:
    """A clip gives as many frames as hops fit into it, give or take two."""
    hop = hearing.offer.hop
    for seconds in (0.5, 1.0, 2.5):
        frames = hearing.states(hearing.clip(seconds))[0].shape[1]
        if abs(frames - seconds / hop) > 2:
            raise Broken(
                f"{seconds} s gave {frames} frames where a hop of {hop} s makes "
                f"{seconds / hop:.0f}: mend 'hop' in the description, or drop the "
                "frames that cover no audio."
            )


def layers_and_dims_are_as_described(hearing: Hearing) -> None:
    """L and D are those of the description."""
    layers, _, dim = hearing.second.shape
    upstream = hearing.offer
    if (layers, dim) != (upstream.layers, upstream.dim):
        raise Broken(
            f"It gave {layers} layers of {dim} dims where the description says "
            f"{upstream.layers} of {upstream.dim}: mend the description, or use the "
            "checkpoint that it describes."
        )


def features_are_finite_float32(hearing: Hearing) -> None:
    """States are finite numbers in float32."""
    _finite(hearing.second, "a clip of one second")
    if str(hearing.second.dtype) != "torch.float32":
        raise Broken(
            f"States are {hearing.second.dtype}: compute in float32, whatever the "
            "checkpoint's file has (model.float())."
        )


def silence_gives_finite_features(hearing: Hearing) -> None:
    """Digital silence gives finite states."""
    silence = hearing.clip().zero_()
    _finite(hearing.states(silence)[0], "a second of digital silence")


def short_clips_are_heard(hearing: Hearing) -> None:
    """A clip of 0.1 s gives frames, and so does one of ``min_seconds``."""
    shortest = hearing.offer.min_seconds
    for seconds in (max(0.1, shortest), shortest):
        try:
            states = hearing.states(hearing.clip(seconds))[0]
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise Broken(
                f"A clip of {seconds:g} s raised {type(error).__name__}: mend "
                "'min_seconds' in the description, or hear shorter clips."
            ) from error
        if not states.shape[1]:
            raise Broken(
                f"A clip of {seconds:g} s gave no frame: mend 'min_seconds' in the "
                "description, or hear shorter clips."
            )
        _finite(states, f"a clip of {seconds:g} s")


def long_clips_are_heard_whole(hearing: Hearing) -> None:
    """A clip of 60 s gives the frames of 60 s."""
    states = hearing.states(hearing.clip(60.0))[0]
    _finite(states, "a clip of 60 s")
    heard = states.shape[1] * hearing.offer.hop
    if abs(heard - 60) > 0.5:
        raise Broken(
            f"Of 60 s only {heard:.1f} s came out: feed longer clips in windows and "
            "join their frames, or mend 'hop'."
        )


def the_same_clip_gives_the_same_features(hearing: Hearing) -> None:
    """Hearing a clip again, from the same random state, changes nothing."""
    if (gap := _gap(_seeded(hearing, 0), _seeded(hearing, 0))) > ROUNDING:
        raise Broken(
            f"The same clip gave other states the second time (max |Δ|/std {gap:.2g}): "
            "keep nothing from one call to the next."
        )


def nothing_is_random(hearing: Hearing) -> None:
    """No dropout, no LayerDrop, no masking: the model is in eval mode."""
    if (gap := _gap(_seeded(hearing, 0), _seeded(hearing, 1))) > ROUNDING:
        raise Broken(
            f"Another random state gives other features (max |Δ|/std {gap:.2g}): call "
            "model.eval() in 'load', as dropout, LayerDrop or masking is left on."
        )


def company_changes_nothing(hearing: Hearing) -> None:
    """A clip's features are the same alone and in any batch: padding does not leak."""
    shortest = max(0.4, hearing.offer.min_seconds)
    clips = [hearing.clip(), hearing.clip(1.7, seed=1), hearing.clip(shortest, seed=2)]
    for row, state in enumerate(hearing.states(*clips)):
        if (gap := _gap(hearing.states(clips[row])[0], state)) > ROUNDING:
            raise Broken(
                "Features depend on what shares the batch (max |Δ|/std "
                f"{gap:.2g}): mask the padding, and run whatever else looks over time "
                "(convolutions, norms) clip by clip, or encode clips one by one."
            )


def the_input_is_left_alone(hearing: Hearing) -> None:
    """The waveforms that are given are not written to."""
    clip = hearing.clip()
    hearing.encode([clip])
    if not clip.equal(hearing.clip()):
        raise Broken(
            "It wrote into the waveform that it was given: work on a copy, without "
            "in-place operations such as -= or sub_."
        )


def features_carry_no_gradient(hearing: Hearing) -> None:
    """States hold no graph, so that memory does not grow with what was heard."""
    if hearing.second.requires_grad:
        raise Broken(
            "States require a gradient: decorate the encoder with "
            "@torch.inference_mode()."
        )


def memory_returns(hearing: Hearing) -> None:
    """After a clip was heard, nothing of it stays in memory."""
    held = []
    for seed in range(3):
        hearing.encode([hearing.clip(seed=seed)])
        held.append(_bytes_of_tensors())
    if held[2] > held[1] > held[0]:
        raise Broken(
            f"Each clip leaves {(held[2] - held[0]) // 2:,} bytes of tensors behind: "
            "keep no list or cache of what was heard."
        )


def _finite(states: Tensor, of: str) -> None:
    if not states.isfinite().all():
        raise Broken(
            f"States of {of} are NaN or infinite: divide by no spread that can be zero "
            "(add an epsilon), and compute in float32."
        )


def _seeded(hearing: Hearing, seed: int) -> Tensor:
    """Hear a clip from a given random state, which is put back."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return hearing.states(hearing.clip())[0]


def _gap(one: Tensor, other: Tensor) -> float:
    """Give the largest difference over the standard deviation, of the worst layer."""
    if one.shape != other.shape:
        return float("inf")
    gap = max(movement(one.cpu(), other.cpu()).delta)
    return float("inf") if gap != gap else gap


def _bytes_of_tensors() -> int:
    """Count the bytes of every tensor that Python holds."""
    import torch

    gc.collect()
    tensors = (one for one in gc.get_objects() if issubclass(type(one), torch.Tensor))
    return sum(tensor.element_size() * tensor.nelement() for tensor in tensors)


UPSTREAM_RULES = (
    name_is_kebab_case,
    description_is_picklable,
    import_is_light,
    frames_are_a_hop_apart,
    layers_and_dims_are_as_described,
    features_are_finite_float32,
    silence_gives_finite_features,
    short_clips_are_heard,
    long_clips_are_heard_whole,
    the_same_clip_gives_the_same_features,
    nothing_is_random,
    company_changes_nothing,
    the_input_is_left_alone,
    features_carry_no_gradient,
    memory_returns,
)
