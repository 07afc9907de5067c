r"""demo, a corpus that the harness synthesises itself: no download, a known cue.

What     288 utterances, 4 emotions of 72 each: anger, happiness, neutral, sadness.
         12 speakers (6 F, 6 M), six in each of two invented languages, which have
         their own vowels, consonants and rhythm; each says the six sentences of its
         language. 16 kHz, mono, 16 bit; 1 to 2 s each, 7 minutes in all.
Cue      Emotion changes pitch, its span, tempo, level, tilt and breath by ``CUES``,
         and every utterance varies by ``SPREAD`` (standard deviations). Both languages
         have the same cue. A logistic regression on mean log-mels detects it in new
         speakers: macro-F1 85 % (57 % at half the cue, 19 % without, where the
         confound misleads; chance is 25 %), and 87 to 91 % in the other language.
Confound Half of a speaker's utterances are of one favourite emotion (``CONFOUND``),
         and speakers differ in vocal tract, pitch, microphone and background. Where
         the test speakers are in the training data, that alone yields macro-F1 36 %
         without any cue, and 98 % with it.
Licence  CC0-1.0: it is computed, and has no human speaker.
Get it   It is synthesised in the cache when it is first needed, within some seconds.
Run      harness run --upstream fbank --downstream linear --corpus demo
         harness run --upstream fbank --downstream linear --corpus demo@a \
           --test-corpus demo@a,demo@b   (each language is a corpus of its own, too)
"""

from __future__ import annotations

import re
import wave
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._demo import CUES, FAVOURITES, TAKES, recordings
from harness_plugins.corpora._tree import GENDERS, File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1  # rises when a sample of any recording changes
LANGUAGES = {"a": "x-demo-a", "b": "x-demo-b"}
COUNT = TAKES * len(FAVOURITES)
NAME = re.compile(
    r"(?P<speaker>(?P<language>[ab])(?P<gender>[fm])[1-3])"
    r"-(?P<sentence>[ab][1-6])"
    rf"-(?P<emotion>{'|'.join(CUES)})"
    r"-(?P<take>\d\d)\.wav"
)


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs that ``make`` writes."""
    return read_tree(DEMO, root, _utterance, count=COUNT)


def read_language(language: str, root: Path) -> Iterator[Utterance]:
    """List the wavs of one of the languages."""
    return (one for one in read(root) if one.language == language)


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    return Utterance(
        id=file.name,
        path=file.path,
        label=match["emotion"],
        speaker=match["speaker"],
        gender=GENDERS[match["gender"]],
        sentence=match["sentence"],
        language=LANGUAGES[match["language"]],
    )


def make(folder: Path) -> None:
    """Write every recording as 16-bit wav; takes some seconds."""
    import numpy as np

    for name, waveform in recordings():
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(np.round(waveform * 32_767).astype("<i2").tobytes())


DEMO = Corpus(
    name="demo",
    title="the demonstration corpus",
    version=str(VERSION),
    languages=tuple(LANGUAGES.values()),
    labels=tuple(sorted(CUES)),
    licence="CC0-1.0",
    homepage="none: it is computed",
    citation="Synthesised by speech-harness.",
    obtain="'harness corpus check demo' synthesises it; delete a damaged folder first.",
    read=read,
    about=__doc__ or "",
    counts=dict.fromkeys(CUES, 72),
    versions={str(VERSION): COUNT},
    make=make,
)


def _language(letter: str, language: str) -> Corpus:
    return replace(
        DEMO,
        name=f"{DEMO.name}@{letter}",
        title=f"{DEMO.title}, language {letter} alone",
        languages=(language,),
        read=partial(read_language, language),
        counts={},
        versions={str(VERSION): COUNT // 2},
    )


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer the demonstration corpus, and each of its languages on its own."""
    yield DEMO
    for letter, language in LANGUAGES.items():
        yield _language(letter, language)


@hookimpl
def harness_corpus_root(corpus: Corpus, cache: Path) -> Path | None:
    """Return the corpus' folder below the cache, named by its content's version."""
    return cache / f"demo-v{VERSION}" if corpus.base == DEMO.name else None
