"""AESDD, the acted emotional speech dynamic database: Greek, acted, 6 speakers.

What     604 utterances, 5 emotions: anger 121, disgust 122, fear 120, happiness 119,
         sadness 122; no neutral. 19 sentences and an improvised one (20), which has no
         sentence code here. 44.1 kHz; 41 minutes in all, clips of 1.0 to 12.7 s.
Paper    Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris: Speech emotion recognition for
         performance interaction. J. Audio Eng. Soc. 66(6), 2018, 457-467.
Licence  Not stated; offered for research.
Get it   The folder that http://m3c.web.auth.gr/research/ links to on mega.nz, 410 MB.
Variants aesdd: all that today's archive holds. aesdd@v1: speakers 1 to 5, 504
         utterances (anger 101, disgust 102, fear 100, happiness 99, sadness 102).
Counts   Papers say 500, also the study of the paper suite: that is the plan of the
         first version, 5 speakers x 5 emotions x 20. No rule gives exactly 500 today.
Traps    "s05 (3).wav" is in the archive but cannot be decoded: it is left out. Five
         names have a speaker "(01)" for "(1)". Second takes have a letter after the
         bracket, "s01 (5)a.wav". Sources disagree on the speakers' genders, and the
         authors do not list them: they stay unknown.
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
COUNTS = {"anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 122}
IMPROVISED = "20"
COUNTS_V1 = {"anger": 101, "disgust": 102, "fear": 100, "happiness": 99, "sadness": 102}
CORRUPT = "s05 (3).wav"


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs of all six speakers but the corrupt one."""
    count = sum(COUNTS.values())
    return read_tree(AESDD, root, _utterance, count=count, skip=_is_corrupt)


def read_v1(root: Path) -> Iterator[Utterance]:
    """List those of the first version's five speakers."""
    return (utterance for utterance in read(root) if utterance.speaker != "6")


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
    version="6 speakers",
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
    versions={"6 speakers": 604, "1, 5 speakers": 504},
    files=known_files("aesdd"),
    defects={f"sadness/{CORRUPT}": "cannot be decoded, in no copy that we know of"},
    claims=table_1(
        *(500, 5),
        because="500 is the plan of the first version, 5 speakers x 5 emotions x 20; "
        "today's archive has 6 speakers, and no rule gives exactly 500.",
    ),
)
AESDD_V1 = replace(
    AESDD,
    name="aesdd@v1",
    version="1, 5 speakers",
    read=read_v1,
    counts=COUNTS_V1,
    files=known_files("aesdd@v1"),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer AESDD with all its speakers, and as it was first published."""
    yield AESDD
    yield AESDD_V1
