"""The synthesis of the corpus ``demo``: its languages, speakers and emotions.

Every constant is this project's own choice; ``demo.py`` reports what they lead to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from harness_plugins.corpora._voice import Prosody, Sound, Speaker

SEED = 535
TAKES = 24  # utterances of each speaker
CUE = 1.0  # factor on CUES
CONFOUND = 0.5  # a speaker's share of the favourite emotion; 0.25 is no confound

# pitch in semitones, log2 of span, log2 of tempo, level in dB, tilt in dB an octave,
# breath in dB
CUES = {
    "anger": (3.0, 0.4, 0.15, 10.0, 5.0, -4.0),
    "happiness": (6.0, 0.9, 0.10, 5.5, 0.0, 7.0),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sadness": (-2.0, -0.8, -0.25, -7.5, -4.5, 3.0),
}
SPREAD = (1.0, 0.2, 0.06, 1.2, 0.6, 1.5)

FAVOURITES = {
    "af1": "anger",
    "af2": "neutral",
    "af3": "sadness",
    "am1": "happiness",
    "am2": "anger",
    "am3": "neutral",
    "bf1": "happiness",
    "bf2": "sadness",
    "bf3": "anger",
    "bm1": "sadness",
    "bm2": "neutral",
    "bm3": "happiness",
}
RHYTHMS = {"a": (0.13, 0.11), "b": (0.18, 0.08)}  # accented and plain, in seconds
SENTENCES = {  # ' precedes an accented vowel
    "a1": " tal'ima sop'une ",
    "a2": " kim'o las'etupa ",
    "a3": " n'atile m'okusi ",
    "a4": " pel'unas tim'ako ",
    "a5": " s'oma k'inu t'ale ",
    "a6": " mulip'e kas'ota ",
    "b1": " g'ården v'ïx b'öldra ",
    "b2": " z'üng dar'äv g'ïnex ",
    "b3": " b'örzen g'åx v'üdrän ",
    "b4": " dr'äv n'ïgö z'ård'ün ",
    "b5": " v'ålgïx b'üz dr'ögen ",
    "b6": " x'örnåg d'ïv zän'üb ",
}
VOWELS = {  # the lower three formants of a vocal tract of factor one, in hertz
    "i": (280, 2250, 2900),
    "e": (420, 1950, 2550),
    "a": (750, 1300, 2500),
    "o": (450, 850, 2450),
    "u": (310, 750, 2250),
    "ü": (270, 1900, 2200),
    "ö": (400, 1500, 2250),
    "å": (620, 1000, 2450),
    "ï": (340, 1600, 2350),
    "ä": (620, 1750, 2500),
}
# seconds, locus of the second formant (hertz), voice, noise, centre of the noise
# (hertz), burst
CONSONANTS = {
    " ": (0.07, 1500, 0.0, 0.0, 3000, 0.0),
    "p": (0.06, 900, 0.0, 0.0, 900, 0.5),
    "t": (0.05, 1750, 0.0, 0.0, 4200, 0.8),
    "k": (0.05, 2000, 0.0, 0.0, 1900, 0.7),
    "b": (0.05, 900, 0.15, 0.0, 900, 0.3),
    "d": (0.04, 1750, 0.15, 0.0, 3800, 0.4),
    "g": (0.05, 2000, 0.15, 0.0, 1800, 0.4),
    "s": (0.09, 1700, 0.0, 0.5, 6000, 0.0),
    "x": (0.09, 1900, 0.0, 0.5, 2800, 0.0),
    "v": (0.06, 1000, 0.35, 0.15, 4500, 0.0),
    "z": (0.07, 1700, 0.35, 0.3, 5500, 0.0),
    "m": (0.06, 1000, 0.35, 0.0, 3000, 0.0),
    "n": (0.06, 1600, 0.35, 0.0, 3000, 0.0),
    "l": (0.06, 1250, 0.5, 0.0, 3000, 0.0),
    "r": (0.04, 1300, 0.4, 0.0, 3000, 0.0),
}


def recordings(
    *, cue: float = CUE, confound: float = CONFOUND, seed: int = SEED
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Synthesise every recording.

    Args:
        cue: Factor on ``CUES``; 0 is no cue.
        confound: A speaker's share of the favourite emotion; 0.25 is no confound.
        seed: Seed of everything random. Recordings do not depend on one another, and
            between two values of ``cue`` they differ by the cue alone.

    Yields:
        File name, and waveform (S,) in [-1, 1] at 16 kHz.
    """
    import numpy as np

    from harness_plugins.corpora import _voice

    for number, (name, favourite) in enumerate(FAVOURITES.items()):
        speaker = _speaker(number, name, np.random.default_rng([seed, number]))
        for take, emotion in enumerate(_emotions(favourite, confound)):
            rng = np.random.default_rng([seed, number, take])
            sentence = f"{name[0]}{take % 6 + 1}"
            sounds = list(_sounds(sentence, rng))
            prosody = _prosody(emotion, cue, rng)
            waveform = _voice.speak(sounds, speaker, prosody, rng)
            yield f"{name}-{sentence}-{emotion}-{take:02}.wav", waveform


def _emotions(favourite: str, confound: float) -> list[str]:
    """List a speaker's emotions, take by take."""
    others = [emotion for emotion in CUES if emotion != favourite]
    favoured = round(TAKES * confound)
    rest = [others[i % len(others)] for i in range(TAKES - favoured)]
    return [favourite] * favoured + sorted(rest)


def _speaker(number: int, name: str, rng: np.random.Generator) -> Speaker:
    """Draw a speaker: vocal tract, pitch, microphone, background."""
    import numpy as np

    from harness_plugins.corpora._voice import FFT, Speaker, slope

    female = name[1] == "f"
    waves = np.cos(np.outer(np.arange(2, 7), np.linspace(0, np.pi, FFT // 2 + 1)))
    return Speaker(
        pitch=(205.0 if female else 115.0) * 2 ** (rng.uniform(-3, 3) / 12),
        tract=(1.16 if female else 1.0) * rng.uniform(0.94, 1.06),
        level=rng.uniform(-1.5, 1.5),
        colour=slope(rng.uniform(-0.4, 0.4)) + rng.normal(0, 1.2, 5) @ waves,
        noise=rng.uniform(-45, -39),
    )


def _prosody(emotion: str, cue: float, rng: np.random.Generator) -> Prosody:
    """Draw the prosody of one utterance of an emotion."""
    from harness_plugins.corpora._voice import Prosody

    pitch, span, tempo, level, tilt, breath = (
        cue * shift + rng.normal(0, spread)
        for shift, spread in zip(CUES[emotion], SPREAD, strict=True)
    )
    return Prosody(
        pitch=pitch,
        span=2**span,
        tempo=2**tempo,
        level=level,
        tilt=tilt,
        breath=breath,
    )


def _sounds(sentence: str, rng: np.random.Generator) -> Iterator[Sound]:
    """Yield the sounds of a sentence; their durations vary by ±10 %."""
    from harness_plugins.corpora._voice import Sound

    long, short = RHYTHMS[sentence[0]]
    for accent, letter in re.findall("('?)(.)", SENTENCES[sentence]):
        stretch = rng.uniform(0.9, 1.1)
        if letter in VOWELS:
            yield Sound(
                seconds=stretch * (long if accent else short),
                formants=VOWELS[letter],
                voice=1.0 if accent else 0.7,
                accent=3.0 if accent else 0.0,
            )
            continue
        seconds, locus, voice, noise, centre, burst = CONSONANTS[letter]
        mouth = (300, locus, 2500)
        yield Sound(
            seconds=stretch * seconds,
            formants=mouth,
            voice=voice,
            noise=noise,
            centre=centre,
        )
        if burst:
            yield Sound(seconds=0.015, formants=mouth, noise=burst, centre=centre)
