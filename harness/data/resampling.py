"""Windowed sinc resampling, for any two rates in bounded time and memory."""

from __future__ import annotations

import functools
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

WIDTH = 64
ROLLOFF = 0.9475937167399596
BETA = 14.769656459379492
"""The filter of resampy's ``kaiser_best`` (torchaudio's resampling tutorial): flat to
7 kHz, aliases attenuated by 144 dB. The default one of torchaudio is 3.7 dB down at
7.5 kHz and passes aliases at -8 dB."""

DENSE = 1 << 22
"""Numbers in torchaudio's kernel, at most: it has a row for each phase, and the columns
grow with the rate that remains when both are reduced. 44.1 to 16 kHz takes 130 000."""

FINEST = 100_000
"""Parts that a period of the target is divided into, at most: the filter has 135
numbers for each. A larger reduced rate is rounded to a ratio that is within 5e-6 of
it, less than what the clocks of two recorders differ by."""


def resample(waveform: Tensor, source: int, target: int) -> Tensor:
    """Resample a waveform, (S,), from one rate to another, both in hertz."""
    if source == target:
        return waveform
    ratio = Fraction(target, source)
    up, down = ratio.numerator, ratio.denominator
    reach = ceil(WIDTH * down / (min(up, down) * ROLLOFF))
    if up * (down + 2 * reach) <= DENSE:
        return _dense(source, target)(waveform)
    return _sparse(waveform, ratio.limit_denominator(FINEST))


@functools.lru_cache(maxsize=16)
def _dense(source: int, target: int) -> Callable[[Tensor], Tensor]:
    """Build torchaudio's resampler of two rates."""
    from torchaudio.transforms import Resample

    resample: Callable[[Tensor], Tensor] = Resample(
        source,
        target,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=WIDTH,
        rolloff=ROLLOFF,
        beta=BETA,
    )
    return resample


def _sparse(waveform: Tensor, ratio: Fraction) -> Tensor:
    """Resample with the same filter, of which nothing but its support is kept."""
    import torch
    from scipy.signal import resample_poly

    up, down = ratio.numerator, ratio.denominator
    double = waveform.double().numpy()
    made = resample_poly(double, up, down, window=_taps(up, down))
    return torch.from_numpy(made).float()


@functools.lru_cache(maxsize=2)
def _taps(up: int, down: int) -> NDArray[np.float64]:
    """Sample the filter at ``up`` times the source's rate; one pass of it sums to 1."""
    import numpy as np
    from scipy.special import i0

    cutoff = min(up, down) * ROLLOFF
    reach = int(WIDTH * up * down / cutoff)
    time = np.arange(-reach, reach + 1) * (cutoff / (up * down))
    window = i0(BETA * np.sqrt(np.maximum(1 - (time / WIDTH) ** 2, 0))) / i0(BETA)
    taps: NDArray[np.float64] = np.sinc(time) * window * (cutoff / (up * down))
    return taps
