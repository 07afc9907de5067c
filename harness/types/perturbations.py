"""What a perturbation plugin offers: how recordings are made harder to recognise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PerturbedParts = Literal["test", "all"]
"""The parts whose recordings are perturbed: the test part, trained on clean ones, or
every part."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Speech:
    """The recording that is perturbed.

    Attributes:
        waveform: Shape (S,), float32 in [-1, 1]: the whole utterance as the model would
            read it, mixed down and at the model's rate.
        rate: That rate, in hertz.
        random: Seeded by the recording's samples and the perturbation's name without
            its options, so that two levels of a noise are one noise.
        resample: From a waveform, its rate and another one, both in hertz, to the
            waveform at that rate, by the filter that decoding has.
        others: Other utterances of the corpus by other speakers, each as ``waveform``;
            as many as ``Perturbation.others`` asks for.
    """

    waveform: Tensor
    rate: int
    random: np.random.Generator
    resample: Callable[[Tensor, int, int], Tensor]
    others: tuple[Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """A way to make recordings harder: noise, a codec, a room.

    Attributes:
        name: Kebab-case; the word after ``--perturb``.
        summary: One line for ``harness list perturbations``.
        apply: From a ``Speech`` to its perturbed waveform, (S',) float32. What exceeds
            ±1 is clipped afterwards, as a recorder does.
        others: How many utterances by other speakers it mixes in.
        tempo: How many times as fast it plays, so that a clip that gets too short for a
            model is left out.
        options: A frozen dataclass whose fields, all with defaults, are what a user may
            set by ``NAME:field=value``; ``apply`` is passed an instance.
        version: Raised when its code changes a sample.
    """

    name: str
    summary: str
    apply: Callable[..., Tensor]
    others: int = 0
    tempo: float = 1.0
    options: type[Any] | None = None
    version: int = 1
