"""AESDD, the acted emotional speech dynamic database: Greek, acted, 5 or 6 speakers.

What     504 utterances of speakers 1 to 5, 5 emotions: anger 101, disgust 102, fear
         100, happiness 99, sadness 102; no neutral. 19 sentences and an improvised one
         (20), which has no sentence code here. 44.1 kHz; clips of 1.0 to 12.7 s.
Paper    Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris: Speech emotion recognition for
         performance interaction. J. Audio Eng. Soc. 66(6), 2018, 457-467.
Licence  Not stated; offered for research.
Get it   The folder on mega.nz, 410 MB, linked from http://m3c.web.auth.gr/research/.
Variants aesdd: the five speakers of the first version. aesdd@all: everything in today's
         archive, 604 utterances of six speakers, 41 minutes (anger 121, disgust 122,
         fear 120, happiness 119, sadness 122).
Counts   Publications report 500, which is the plan of the first version: 5 speakers x
         5 emotions x 20. With second takes and without missing ones it has 504; no
         rule yields exactly 500 today.
Traps    "s05 (3).wav" is in the archive but cannot be decoded: it is left out. Five
         names have the speaker "(01)" for "(1)". Second takes have a letter after the
         bracket, "s01 (5)a.wav". Sources disagree on the speakers' genders, and the
         authors do not list them: they are unknown here.
Run      harness run --upstream whisper-base --downstream linear --corpus aesdd
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<emotion>[adfhs])"
    r"(?P<sentence>\d{2})"
    r" \(0?(?P<speaker>[1-6])\)"
    r"(?P<take>[a-z]?)\.wav"
)
LABELS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "s": "sadness",
}
COUNTS = {"anger": 101, "disgust": 102, "fear": 100, "happiness": 99, "sadness": 102}
COUNTS_ALL = {
    "anger": 121,
    "disgust": 122,
    "fear": 120,
    "happiness": 119,
    "sadness": 122,
}
LATER_SPEAKER = "6"
IMPROVISED = "20"
CORRUPT = "s05 (3).wav"


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs of the first version's five speakers."""
    return (one for one in read_all(root) if one.speaker != LATER_SPEAKER)


def read_all(root: Path) -> Iterator[Utterance]:
    """List the wavs of all six speakers, without the corrupt one."""
    count = sum(COUNTS_ALL.values())
    return read_tree(AESDD, root, _utterance, count=count, skip=_is_corrupt)


def _is_corrupt(file: File) -> bool:
    return file.name == CORRUPT


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    label = LABELS[match["emotion"]]
    return Utterance(
        id=f"{label}/{file.name}",
        path=file.path,
        label=label,
        speaker=match["speaker"],
        sentence=match["sentence"] if match["sentence"] != IMPROVISED else None,
    )


AESDD = Corpus(
    name="aesdd",
    title="AESDD",
    version="5 speakers",
    languages=("el-GR",),
    labels=tuple(COUNTS),
    licence="not stated; offered for research",
    homepage="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    citation=(
        "Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris (2018). Speech emotion "
        "recognition for performance interaction. J. Audio Eng. Soc. 66(6), 457-467."
    ),
    obtain=(
        "Get it from https://mega.nz/#F!0ShVXY7C!-73kVoK05OjTPEA95UUvMw and unpack it "
        "into aesdd/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"5 speakers": 504, "6 speakers": 604},
    files=known_files("aesdd"),
    defects={f"sadness/{CORRUPT}": "cannot be decoded in any known copy"},
    claims=table_1(
        *(500, 5),
        because="500 is the plan of the first version, 5 speakers x 5 emotions x 20; "
        "its speakers have 504 utterances today, and no rule yields exactly 500.",
    ),
)
AESDD_ALL = replace(
    AESDD,
    name="aesdd@all",
    version="6 speakers",
    read=read_all,
    counts=COUNTS_ALL,
    files=known_files("aesdd", "all"),
    claims=table_1(
        *(500, 5),
        because="A sixth speaker came later; 'aesdd' is the first five.",
    ),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer AESDD as first published, and with all its speakers."""
    yield AESDD
    yield AESDD_ALL
