r"""demo, a corpus that the harness synthesises for itself: no download, known truth.

What     288 utterances, 4 emotions of 72 each: anger, happiness, neutral, sadness.
         12 speakers (6 F, 6 M), six in each of two invented languages, which have
         their own vowels, consonants and rhythm; each says the six sentences of its
         language. 16 kHz, mono, 16 bit; 1 to 2 s each, 7 minutes in all.
Cue      Emotion moves pitch, its span, tempo, level, tilt and breath by ``CUES``;
         every utterance strays from that by ``SPREAD`` (standard deviations). Both
         languages have the same cue. A logistic regression on mean log-mels finds it
         in new speakers: macro-F1 85 % (57 % at half the cue, 19 % without, where
         the confound misleads; chance is 25 %), and 87 to 91 % in the other language.
Confound Half of a speaker's utterances are of one favourite emotion (``CONFOUND``),
         and vocal tract, pitch, microphone and background tell speakers apart. Where
         speakers are known from training, that alone gives macro-F1 36 % without any
         cue, and 98 % with it.
Licence  CC0-1.0: it is computed, nobody speaks.
Get it   It is made in the cache when it is first asked for, within some seconds.
Run      harness run --upstream fbank --downstream linear --corpus demo
         harness run --upstream fbank --downstream linear --corpus demo@a \
           --test-corpus demo@a,demo@b   (each language is a corpus by itself, too)
"""

from __future__ import annotations

import re
import wave
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness import Corpus, StoreError, Utterance, hookimpl
from harness.files import scratch_beside
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.types import Gender
    from harness_plugins.corpora._voice import Prosody, Sound, Speaker

VERSION = 1  # rises when a sample of any recording changes
SEED = 535
TAKES = 24  # utterances a speaker
CUE = 1.0  # factor on CUES
CONFOUND = 0.5  # a speaker's share of the favourite emotion; 0.25 would be none

# semitones, log2 of span, log2 of tempo, dB, dB an octave, dB of breath
CUES = {
    "anger": (3.0, 0.4, 0.15, 10.0, 5.0, -4.0),
    "happiness": (6.0, 0.9, 0.10, 5.5, 0.0, 7.0),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sadness": (-2.0, -0.8, -0.25, -7.5, -4.5, 3.0),
}
SPREAD = (1.0, 0.2, 0.06, 1.2, 0.6, 1.5)

LANGUAGES = {"a": "x-demo-a", "b": "x-demo-b"}
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
SENTENCES = {  # ' stands before an accented vowel
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
#   seconds, locus of the second formant, voice, noise, where the noise is, burst
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
NAME = re.compile(
    r"(?P<speaker>(?P<language>[ab])(?P<gender>[fm])[1-3])"
    r"-(?P<sentence>[ab][1-6])"
    rf"-(?P<emotion>{'|'.join(CUES)})"
    r"-(?P<take>\d\d)\.wav"
)


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs that ``synthesise`` wrote."""
    return read_tree(DEMO, root, _utterance, count=TAKES * len(FAVOURITES))


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    gender: Gender = "female" if match["gender"] == "f" else "male"
    return Utterance(
        id=file.name,
        path=file.path,
        label=match["emotion"],
        speaker=match["speaker"],
        gender=gender,
        sentence=match["sentence"],
        language=LANGUAGES[match["language"]],
    )


def recordings(
    *, cue: float = CUE, confound: float = CONFOUND, seed: int = SEED
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Synthesise every recording.

    Args:
        cue: Factor on ``CUES``; 0 plants none.
        confound: A speaker's share of the favourite emotion; 0.25 plants none.
        seed: Of all that is random. Recordings do not depend on one another, and the
            same ones differ between two values of ``cue`` by the cue alone.

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


def synthesise(folder: Path) -> None:
    """Write every recording as 16-bit wav; takes some seconds."""
    import numpy as np

    for name, waveform in recordings():
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(np.round(waveform * 32_767).astype("<i2").tobytes())


def _emotions(favourite: str, confound: float) -> list[str]:
    """Give a speaker's emotions, take by take."""
    others = [emotion for emotion in CUES if emotion != favourite]
    favoured = round(TAKES * confound)
    rest = [others[i % len(others)] for i in range(TAKES - favoured)]
    return [favourite] * favoured + sorted(rest)


def _speaker(number: int, name: str, rng: np.random.Generator) -> Speaker:
    """Draw a strong signature: vocal tract, pitch, microphone, background."""
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
    """Draw how one utterance of an emotion is said."""
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
    """Spell out a sentence; the length of each sound varies by a tenth."""
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


DEMO = Corpus(
    name="demo",
    title="the demonstration corpus",
    version=str(VERSION),
    languages=tuple(LANGUAGES.values()),
    labels=tuple(sorted(CUES)),
    licence="CC0-1.0",
    homepage="none: it is computed",
    citation="Synthesised by speech-harness.",
    obtain="Delete that folder: the corpus is made again when next asked for.",
    read=read,
    about=__doc__ or "",
    counts=dict.fromkeys(CUES, 72),
    versions={str(VERSION): TAKES * len(FAVOURITES)},
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer the demonstration corpus, and each of its languages by itself."""
    yield DEMO
    for letter, language in LANGUAGES.items():
        yield replace(
            DEMO,
            name=f"{DEMO.name}@{letter}",
            title=f"{DEMO.title}, language {letter} alone",
            languages=(language,),
            read=partial(read_language, language),
            counts={},
            versions={name: count // 2 for name, count in DEMO.versions.items()},
        )


def read_language(language: str, root: Path) -> Iterator[Utterance]:
    """Read the utterances of one of the languages."""
    return (one for one in read(root) if one.language == language)


@hookimpl
def harness_corpus_root(corpus: Corpus, cache: Path) -> Path | None:
    """Make the corpus below the cache, if it is not there: all of it or nothing."""
    if corpus.name.partition("@")[0] != DEMO.name:
        return None
    root = cache / f"demo-v{VERSION}"
    if _is_complete(root):
        return root
    try:
        _put(root)
    except OSError as error:
        raise StoreError(
            f"Cannot make corpus '{DEMO.name}' at {root}: {error.strerror}. Make room "
            "there, or choose another folder with --cache."
        ) from error
    return root


def _put(root: Path) -> None:
    """Synthesise beside ``root`` and rename."""
    with scratch_beside(root) as scratch:
        fresh = scratch / "fresh"
        fresh.mkdir()
        synthesise(fresh)
        if root.exists() and not _is_complete(root):
            root.replace(scratch / "incomplete")
        try:
            fresh.replace(root)
        except OSError:
            if not _is_complete(root):  # or else another process was faster
                raise


def _is_complete(root: Path) -> bool:
    return len(list(root.glob("*.wav"))) == TAKES * len(FAVOURITES)
