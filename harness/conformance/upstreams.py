"""What the harness counts on in an upstream."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.conformance.rules import (
    Broken,
    NotRun,
    description_is_picklable,
    import_is_light,
    name_is_kebab_case,
    place,
    takes,
)
from harness.errors import HarnessError
from harness.features.checkpoints import find_checkpoint
from harness.features.padding import ROUNDING, movement, voice
from harness.memory import Memory
from harness.registry.isolation import ended, reason
from harness.registry.options import with_defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from harness.features.checkpoints import Checkpoints
    from harness.types import Upstream

    Encode = Callable[[Sequence[Tensor]], Sequence[Tensor]]

LOAD = "load(checkpoint, *, device, feeding)"
"""How an upstream's function is declared."""

LONGEST_TRIED = 8.0
"""Seconds up to which a shortest clip is looked for."""


@dataclass(frozen=True, kw_only=True)
class UpstreamCheck:
    """An upstream as it is checked.

    Attributes:
        offer: The upstream.
        checkpoints: Local folders of its checkpoints, by name, if the user has some.
        feeding: How it is fed, by default as its description prefers.
        device: A torch device, or ``auto``.
    """

    offer: Upstream
    checkpoints: Mapping[str, Path] = field(default_factory=dict)
    feeding: str | None = None
    device: str = "cpu"

    @cached_property
    def model(self) -> Upstream:
        """The upstream with its options."""
        return with_defaults(self.offer)

    @cached_property
    def found(self) -> Checkpoints | None:
        """Find its checkpoints, downloaded if need be, once."""
        memory = Memory(Path(os.devnull))
        return find_checkpoint(self.model, self.checkpoints, memory, download=True)

    def load(self) -> Encode:
        """Load it, as a run does it.

        Raises:
            Broken: Where it cannot be called, or raises.
        """
        named: dict[str, Any] = {
            "device": place(self.device),
            "feeding": self.feeding or self.model.feedings[0],
        }
        if self.found is not None and self.found.more:
            named["more"] = self.found.more
        folder = self.found.folder if self.found else None
        takes(self.model.load, LOAD, folder, **named)
        try:
            return self.model.load(folder, **named)
        except HarnessError:
            raise
        except ImportError as error:
            raise Broken(
                f"Loading it raised {ended(reason(error))} Install what is missing, "
                "and name it among the dependencies of the plugin's package."
            ) from error
        except (Exception, SystemExit) as error:  # isolates what self.offer names
            raise Broken(f"Loading it raised {ended(reason(error))}") from error

    @cached_property
    def loaded(self) -> Encode | HarnessError:
        """The encoder, or why there is none; loaded once."""
        try:
            return self.load()
        except HarnessError as error:
            return error

    @property
    def encode(self) -> Encode:
        """The encoder, loaded once; where it does not load, no rule on it is run."""
        if isinstance(self.loaded, HarnessError):
            raise NotRun("it does not load")
        return self.loaded

    def clip(self, seconds: float = 1.0, seed: int = 0) -> Tensor:
        """Make a clip, (S,), at the upstream's rate; the shortest one at least."""
        return voice(max(seconds, self.model.min_seconds), self.model.rate, seed)

    def states(self, *clips: Tensor) -> list[Tensor]:
        """Return the states of each clip, (L, T, D), encoded in one batch."""
        states = list(self.encode([clip.clone() for clip in clips]))
        if len(states) != len(clips) or any(state.ndim != 3 for state in states):
            shapes = [tuple(state.shape) for state in states]
            raise Broken(
                f"For {len(clips)} clips it returned {shapes}: return one tensor "
                "(L, T, D) a clip."
            )
        return states

    @cached_property
    def second(self) -> Tensor:
        """The states of a clip of one second."""
        return self.states(self.clip())[0]


def it_loads(check: UpstreamCheck) -> None:
    """It loads, from its checkpoint and on the device that was asked for."""
    if isinstance(check.loaded, HarnessError):
        raise check.loaded


def frames_are_a_hop_apart(check: UpstreamCheck) -> None:
    """A clip has as many frames as hops fit into it, give or take two.

    Without a hop, every clip has one vector.
    """
    hop, rate = check.model.hop, check.model.rate
    for asked in (0.5, 1.0, 2.5):
        clip = check.clip(asked)
        seconds, frames = len(clip) / rate, check.states(clip)[0].shape[1]
        if hop is None and frames != 1:
            raise Broken(
                f"{seconds:g} s has {frames} frames where a description without a hop "
                "makes one vector: correct 'hop', or average over time."
            )
        if hop is not None and abs(frames - seconds / hop) > 2:
            raise Broken(
                f"{seconds:g} s has {frames} frames where a hop of {hop} s makes "
                f"{seconds / hop:.0f}: correct 'hop' in the description (None for one "
                "vector a clip), or drop the frames that cover no audio."
            )


def layers_and_dims_are_as_described(check: UpstreamCheck) -> None:
    """L and D are those of the description."""
    layers, _, dim = check.second.shape
    model = check.model
    if (layers, dim) != (model.layers, model.dim):
        raise Broken(
            f"It returned {layers} layers of {dim} dims where the description says "
            f"{model.layers} of {model.dim}: correct the description, or use the "
            "checkpoint that it describes."
        )


def features_are_finite_float32(check: UpstreamCheck) -> None:
    """States are finite numbers in float32."""
    _finite(check.second, "a clip of one second")
    if str(check.second.dtype) != "torch.float32":
        raise Broken(
            f"States are {check.second.dtype}: compute in float32, whatever the "
            "checkpoint's file has (model.float())."
        )


def features_of_silence_are_finite(check: UpstreamCheck) -> None:
    """Digital silence has finite states."""
    silence = check.clip().zero_()
    _finite(check.states(silence)[0], "a second of digital silence")


def short_clips_are_encoded(check: UpstreamCheck) -> None:
    """A clip of 0.1 s has frames, and so has one of ``min_seconds``."""
    shortest = check.model.min_seconds
    for seconds in (max(0.1, shortest), shortest):
        if problem := _problem_of(check, seconds):
            raise Broken(f"A clip of {seconds:g} s {problem}: {_remedy(check)}.")
        clip = voice(seconds, check.model.rate)
        _finite(check.states(clip)[0], f"a clip of {seconds:g} s")


def _problem_of(check: UpstreamCheck, seconds: float) -> str:
    """Say why a clip of so many seconds cannot be encoded, if so."""
    try:
        states = check.states(voice(seconds, check.model.rate))[0]
    except (NotRun, Broken):
        raise
    except Exception as error:  # isolates what check.offer names
        return f"raised {type(error).__name__}"
    return "" if states.shape[1] else "has no frame"


def _remedy(check: UpstreamCheck) -> str:
    """Find by bisection which ``min_seconds`` would do, to a millisecond."""
    fails, works = 0, 16  # milliseconds
    while _problem_of(check, works / 1000):
        fails, works = works, 2 * works
        if works > 1000 * LONGEST_TRIED:
            return f"no clip of up to {LONGEST_TRIED:g} s can be encoded"
    while works - fails > 1:
        middle = (fails + works) // 2
        if _problem_of(check, middle / 1000):
            fails = middle
        else:
            works = middle
    return f"min_seconds={works / 1000:g} would do, or encode shorter clips"


def long_clips_are_encoded_whole(check: UpstreamCheck) -> None:
    """A clip of 60 s has the frames of 60 s."""
    states = check.states(check.clip(60.0))[0]
    _finite(states, "a clip of 60 s")
    if check.model.hop is None:
        return
    covered = states.shape[1] * check.model.hop
    if abs(covered - 60) > 0.5:
        raise Broken(
            f"Of 60 s only {covered:.1f} s came out: feed longer clips in windows and "
            "join their frames, or correct 'hop'."
        )


def the_same_clip_has_the_same_features(check: UpstreamCheck) -> None:
    """Encoding a clip again, from the same random state, changes nothing."""
    if (gap := _gap(_seeded(check, 0), _seeded(check, 0))) > ROUNDING:
        raise Broken(
            f"The same clip had other states the second time (max |Δ|/std {gap:.2g}): "
            "keep nothing from one call to the next."
        )


def nothing_is_random(check: UpstreamCheck) -> None:
    """No dropout, no LayerDrop, no masking: the model is in eval mode."""
    if (gap := _gap(_seeded(check, 0), _seeded(check, 1))) > ROUNDING:
        raise Broken(
            f"Another random state has other features (max |Δ|/std {gap:.2g}): call "
            "model.eval() in 'load', as dropout, LayerDrop or masking is left on."
        )


def features_are_batch_invariant(check: UpstreamCheck) -> None:
    """A clip's features are the same alone and in any batch: padding does not leak."""
    clips = [check.clip(), check.clip(1.7, seed=1), check.clip(0.4, seed=2)]
    for row, state in enumerate(check.states(*clips)):
        if (gap := _gap(check.states(clips[row])[0], state)) > ROUNDING:
            raise Broken(
                "Features depend on what shares the batch (max |Δ|/std "
                f"{gap:.2g}): mask the padding, and run whatever else looks over time "
                "(convolutions, norms) clip by clip, or encode clips one by one."
            )


def the_input_is_left_alone(check: UpstreamCheck) -> None:
    """The waveforms that are passed in are not written to."""
    clip = check.clip()
    check.encode([clip])
    if not clip.equal(check.clip()):
        raise Broken(
            "It wrote into the waveform that it was passed: work on a copy, without "
            "in-place operations such as -= or sub_."
        )


def features_carry_no_gradient(check: UpstreamCheck) -> None:
    """States hold no graph, so that memory does not grow with what was encoded."""
    if check.second.requires_grad:
        raise Broken(
            "States require a gradient: decorate the encoder with "
            "@torch.inference_mode()."
        )


def memory_is_released(check: UpstreamCheck) -> None:
    """After a clip was encoded, nothing of it stays in memory."""
    held = []
    for seed in range(3):
        check.encode([check.clip(seed=seed)])
        held.append(_bytes_of_tensors())
    if held[2] > held[1] > held[0]:
        raise Broken(
            f"Each clip leaves {(held[2] - held[0]) // 2:,} bytes of tensors behind: "
            "keep no list or cache of what was encoded."
        )


def _finite(states: Tensor, of: str) -> None:
    if not states.isfinite().all():
        raise Broken(
            f"States of {of} are NaN or infinite: divide by no spread that can be zero "
            "(add an epsilon), and compute in float32."
        )


def _seeded(check: UpstreamCheck, seed: int) -> Tensor:
    """Encode a clip from a given random state, which is put back."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return check.states(check.clip())[0]


def _gap(one: Tensor, other: Tensor) -> float:
    """Return the largest difference over the standard deviation, of the worst layer."""
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
    it_loads,
    frames_are_a_hop_apart,
    layers_and_dims_are_as_described,
    features_are_finite_float32,
    features_of_silence_are_finite,
    short_clips_are_encoded,
    long_clips_are_encoded_whole,
    the_same_clip_has_the_same_features,
    nothing_is_random,
    features_are_batch_invariant,
    the_input_is_left_alone,
    features_carry_no_gradient,
    memory_is_released,
)
