"""EmoDB, the Berlin database of emotional speech: German, acted, 10 speakers.

What     535 utterances, 7 emotions: anger 127, boredom 81, neutral 79, happiness 71,
         fear 69, sadness 62, disgust 46. Ten actors (5 F, 5 M) say ten sentences.
         16 kHz, mono, 16 bit; 25 minutes in all, clips of 1.2 to 9.0 s.
Paper    Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: A database of German
         emotional speech. Interspeech 2005, 1517-1520.
Licence  CC0-1.0, as published by audEERING in audb; free download, no form.
Get it   http://emodb.bilderbar.info/download/download.zip, unpacked so that the
         wavs are in emodb/wav/.
Traps    Version 2.0 (816 files, with those that were not recognised in the perception
         test, and as many laryngograph recordings) has the same names: it is refused.
         audb's versions before 1.1.1 had wrong genders; the table below is the corpus'
         own. All files are normalised to full scale, so that level is uninformative.
Run      harness run --upstream whisper-base --downstream linear --corpus emodb
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import Archive, Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Gender

NAME = re.compile(
    r"(?P<speaker>03|08|09|1[0-6])"
    r"(?P<sentence>a0[12457]|b0[1239]|b10)"
    r"(?P<emotion>[WLEAFTN])"
    r"(?P<take>[a-f])\.wav"
)
LABELS = {
    "W": "anger",  # Wut
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happiness",  # Freude
    "T": "sadness",  # Trauer
    "N": "neutral",
}
COUNTS = {
    "anger": 127,
    "boredom": 81,
    "disgust": 46,
    "fear": 69,
    "happiness": 71,
    "neutral": 79,
    "sadness": 62,
}
SPEAKERS: dict[str, Gender] = {
    "03": "male",  # 31 years old
    "08": "female",  # 34
    "09": "female",  # 21
    "10": "male",  # 32
    "11": "male",  # 26
    "12": "male",  # 30
    "13": "female",  # 32
    "14": "female",  # 35
    "15": "male",  # 25
    "16": "female",  # 31
}


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs; ``read_tree`` refuses what is not this corpus."""
    return read_tree(EMODB, root, _utterance, count=sum(COUNTS.values()))


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None or file.folder != "wav":
        return None
    return Utterance(
        id=f"wav/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=match["speaker"],
        gender=SPEAKERS[match["speaker"]],
        sentence=match["sentence"],
    )


EMODB = Corpus(
    name="emodb",
    title="EmoDB",
    version="1.0",
    languages=("de-DE",),
    labels=tuple(COUNTS),
    licence="CC0-1.0",
    homepage="http://emodb.bilderbar.info",
    citation=(
        "Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss (2005). A database of German "
        "emotional speech. Interspeech, 1517-1520."
    ),
    obtain=(
        "Get version 1 from http://emodb.bilderbar.info/download/download.zip and "
        "unpack it so that its wavs are in emodb/wav/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"1.0": 535, "2.0": 816},
    files=known_files("emodb"),
    claims=table_1(535, 7),
    archives=(Archive(url="http://emodb.bilderbar.info/download/download.zip"),),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer EmoDB."""
    yield EMODB
