"""A small source-filter voice: glottal pulses and noise through moving formants.

Time runs in samples at 16 kHz (S of them) and in frames of 5 ms (T of them). The
source is the derivative of a Rosenberg pulse with jitter, shimmer and breath; five
resonances filter it frame by frame, in overlapping windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Response = NDArray[np.complex128]

RATE = 16_000  # hertz
HOP = 80  # samples, 5 ms
STEP = 2 * HOP  # samples from one filter to the next
WINDOW = 2 * STEP  # samples that one filter applies to; neighbours overlap by half
FFT = 1024  # leaves 44 ms for a resonance to decay
UPPER_FORMANTS = (3500.0, 4500.0)  # hertz; vowels move the lower three
LEVEL = -35.0  # of neutral speech, in decibels of full scale
BREATH = 0.08  # aspiration of neutral speech, relative to the pulses
BANDWIDTHS = np.array([70.0, 90.0, 140.0, 220.0, 300.0])  # hertz


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """What is constant in everything that one person says into one microphone.

    Attributes:
        pitch: Usual fundamental frequency, in hertz.
        tract: Factor on every formant; it is high for a short vocal tract.
        level: Gain of the microphone, in decibels.
        colour: Response of microphone and room, (FFT // 2 + 1,) in decibels.
        noise: Background noise relative to the speech, in decibels.
    """

    pitch: float
    tract: float
    level: float
    colour: Array
    noise: float


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """The cue of emotion: how speech differs from neutral speech.

    Attributes:
        pitch: Semitones.
        span: Factor on the movement of the pitch.
        tempo: Factor on the speaking rate.
        level: Decibels.
        tilt: Decibels an octave above 500 Hz.
        breath: Decibels of aspiration noise.
    """

    pitch: float = 0.0
    span: float = 1.0
    tempo: float = 1.0
    level: float = 0.0
    tilt: float = 0.0
    breath: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A segment of speech with constant targets; the voice glides between segments.

    Attributes:
        seconds: Duration at the usual tempo.
        formants: The lower three, in hertz, for a vocal tract of factor one.
        voice: Amplitude of the glottal source.
        noise: Amplitude of fricative noise.
        centre: Centre frequency of that noise, in hertz.
        accent: Rise of the pitch, in semitones.
    """

    seconds: float
    formants: tuple[float, float, float]
    voice: float = 0.0
    noise: float = 0.0
    centre: float = 3000.0
    accent: float = 0.0


def speak(
    sounds: list[Sound], speaker: Speaker, prosody: Prosody, rng: np.random.Generator
) -> Array:
    """Synthesise a sequence of sounds.

    Returns:
        Waveform (S,) at 16 kHz, at ``LEVEL`` plus the levels of speaker and prosody.
    """
    frames = [max(2, round(s.seconds / prosody.tempo * RATE / HOP)) for s in sounds]
    formants = _glide([s.formants for s in sounds], frames, over=9) * speaker.tract
    voice = _glide([s.voice for s in sounds], frames, over=7)
    noise = _glide([s.noise for s in sounds], frames, over=3)
    centre = _glide([s.centre for s in sounds], frames, over=3)
    accent = _glide([s.accent for s in sounds], frames, over=25)

    pitch = _pitch(accent, speaker, prosody, rng)
    glottal = _glottal_source(_samples(pitch), prosody, rng) * _samples(voice)
    hiss = rng.standard_normal(len(glottal)) * _samples(noise)

    colour = _response(speaker.colour)
    tract = _vocal_tract(formants[::2]) * _response(slope(prosody.tilt)) * colour
    mouth = 0.35 * _resonance(centre[::2], 0.35 * centre[::2]) * colour
    wave = _filtered(glottal, tract) + _filtered(hiss, mouth)
    wave *= _factor(LEVEL + prosody.level) / _active_level(wave, voice + noise)
    room = _room_noise(len(wave), speaker.colour + slope(-4.0), rng)
    return _factor(speaker.level) * (wave + _factor(LEVEL + speaker.noise) * room)


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _active_level(wave: Array, activity: Array) -> float:
    """Return the root mean square of the speech without its pauses."""
    return float(np.sqrt(np.mean(wave[_samples(activity) > 0.1] ** 2)))


def _glide(targets: Sequence[object], frames: list[int], *, over: int) -> Array:
    """Repeat each target for its frames, then smooth over ``over`` frames: (T, …)."""
    steps = np.repeat(np.asarray(targets, dtype=float), frames, axis=0)
    return _smooth(steps, over)


def _smooth(track: Array, over: int) -> Array:
    """Smooth (T, …) over an odd number of frames, by a Hann window."""
    weights = np.hanning(over + 2)[1:-1]
    edges = [(over // 2, over // 2)] + [(0, 0)] * (track.ndim - 1)
    padded = np.pad(track, edges, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, over, axis=0)
    return np.asarray(windows @ (weights / weights.sum()))


def _samples(track: Array) -> Array:
    """Interpolate frames (T,) to samples (S,), S = T · HOP."""
    frames = (np.arange(len(track) * HOP) - HOP / 2) / HOP
    return np.interp(frames, np.arange(len(track)), track)


def _pitch(
    accent: Array, speaker: Speaker, prosody: Prosody, rng: np.random.Generator
) -> Array:
    """Draw the fundamental frequency (T,) in hertz: declination, accents, drift."""
    declination = np.linspace(1.5, -2.0, len(accent))
    drift = _smooth(rng.standard_normal(len(accent)), over=31)
    semitones = prosody.pitch + prosody.span * (accent + declination + 2 * drift)
    return np.asarray(speaker.pitch * 2 ** (semitones / 12))


def _glottal_source(pitch: Array, prosody: Prosody, rng: np.random.Generator) -> Array:
    """Synthesise the derivative of the glottal flow (S,), with breath noise.

    Args:
        pitch: Fundamental frequency (S,) in hertz.
        prosody: Its ``breath`` is used.
        rng: Draws jitter (1 %), shimmer (5 %) and breath.
    """
    cycle = np.floor(np.cumsum(pitch) / RATE).astype(int)
    jitter = 1 + 0.01 * rng.standard_normal(cycle[-1] + 2)
    phase = np.cumsum(pitch * jitter[cycle]) / RATE
    shimmer = 1 + 0.05 * rng.standard_normal(int(phase[-1]) + 2)
    flow = _rosenberg(phase % 1.0)
    pulses = np.diff(flow, prepend=0.0) * shimmer[phase.astype(int)] * RATE / pitch
    breath = BREATH * _factor(prosody.breath) * rng.standard_normal(len(flow))
    return np.asarray(pulses + breath * (0.3 + flow))


def _rosenberg(phase: Array, opening: float = 0.4, closing: float = 0.2) -> Array:
    """Return the glottal flow at a phase in [0, 1): it opens, closes, stays shut."""
    rising = 0.5 * (1 - np.cos(np.pi * phase / opening))
    falling = np.cos(0.5 * np.pi * (phase - opening) / closing)
    shut = np.zeros_like(phase)
    parts = [phase < opening, phase < opening + closing]
    return np.asarray(np.select(parts, [rising, falling], shut))


def _vocal_tract(formants: Array) -> Response:
    """Return the response (T, FFT // 2 + 1) of five resonances in cascade.

    Args:
        formants: The lower three, (T, 3), in hertz.
    """
    upper = np.broadcast_to(UPPER_FORMANTS, (len(formants), 2))
    poles = np.ones((len(formants), 1))
    for centre, width in zip(np.hstack([formants, upper]).T, BANDWIDTHS, strict=True):
        poles = _multiply(poles, _poles(centre, width))
    return _all_pole(poles)


def _resonance(centre: Array, width: Array) -> Response:
    """Return a digital resonator's response (T, FFT // 2 + 1), one at 0 Hz."""
    return _all_pole(_poles(centre, width))


def _poles(centre: Array, width: Array | float) -> Array:
    """Return a resonator's denominator, (T, 3) coefficients."""
    radius = np.exp(-np.pi * width / RATE) * np.ones_like(centre)
    cosine = np.cos(2 * np.pi * np.minimum(centre, 7600) / RATE)
    return np.stack([np.ones_like(centre), -2 * radius * cosine, radius**2], axis=1)


def _multiply(left: Array, right: Array) -> Array:
    """Multiply polynomials row by row: (T, m) by (T, n) is (T, m + n - 1)."""
    product = np.zeros((len(left), left.shape[1] + right.shape[1] - 1))
    for power in range(right.shape[1]):
        product[:, power : power + left.shape[1]] += left * right[:, power, None]
    return product


def _all_pole(denominator: Array) -> Response:
    return np.asarray(
        denominator.sum(axis=1, keepdims=True) / np.fft.rfft(denominator, FFT)
    )


def slope(decibels: float) -> Array:
    """Return a gain (FFT // 2 + 1,) in decibels: ``decibels`` an octave over 500 Hz."""
    frequency = np.fft.rfftfreq(FFT, 1 / RATE)
    return np.asarray(decibels * np.log2(np.maximum(frequency, 500.0) / 500.0))


def _response(decibels: Array) -> Response:
    """Return the causal, minimum-phase response (1, FFT // 2 + 1) of a gain."""
    cepstrum = np.fft.irfft(decibels * np.log(10) / 20, FFT)
    cepstrum[1 : FFT // 2] *= 2
    cepstrum[FFT // 2 + 1 :] = 0
    return np.asarray(np.exp(np.fft.rfft(cepstrum, FFT)))[None]


def _room_noise(samples: int, decibels: Array, rng: np.random.Generator) -> Array:
    """Draw noise (S,) of standard deviation one with a gain as its spectrum."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    bins = np.linspace(0, FFT // 2, len(spectrum))
    gain = 10 ** (np.interp(bins, np.arange(FFT // 2 + 1), decibels) / 20)
    noise = np.fft.irfft(spectrum * gain, samples)
    return np.asarray(noise / noise.std())


def _filtered(wave: Array, response: Response) -> Array:
    """Filter (S,) by one response a step, in overlapping windows."""
    starts = np.arange(0, len(wave) + WINDOW, STEP)
    padded = np.pad(wave, (WINDOW // 2, 2 * WINDOW + FFT))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[starts]
    windows = windows * np.hanning(WINDOW + 1)[:-1]
    filters = np.minimum(np.arange(len(starts)), len(response) - 1)
    pieces = np.fft.irfft(np.fft.rfft(windows, FFT) * response[filters], FFT)
    out = np.zeros(len(padded))
    for start, piece in zip(starts, pieces, strict=True):
        out[start : start + FFT] += piece
    return out[WINDOW // 2 : WINDOW // 2 + len(wave)]
