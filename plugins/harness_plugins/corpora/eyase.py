"""EYASE: Egyptian Arabic, semi-natural, 6 actors of television drama.

What     579 utterances, 4 emotions: anger 150, neutral 150, sadness 147, happiness 132.
         Three women with 80 each, three men with 117, 110 and 112. 44.1 kHz, mono, 16
         bit, recorded at a low level; 23 minutes in all, clips of 0.8 to 5.8 s.
Paper    Abdel-Hamid: Egyptian Arabic speech emotion recognition using prosodic,
         spectral and wavelet features. Speech Communication 122, 2020, 19-30.
Licence  Not stated.
Get it   EYASE.rar from Google Drive, file 1dGEhcc3hjtZKMkojdLxdSGYo2Nk4UJxF, unpacked
         with its folders.
Traps    The 80 files of Female02 have the names of those of Female01, "fm01_...", with
         other speech: the speaker is the folder, which is therefore part of the id.
         Unpacked without folders, 499 files remain, 80 of them of an unknown speaker:
         that is refused.
Run      harness run --upstream whisper-base --downstream linear --corpus eyase
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Gender

NAME = re.compile(
    r"(?P<prefix>fm0[13]|ml0[1-3])"
    r"_(?P<emotion>ang|hap|neu|sad)"
    r" \((?P<take>\d{1,2})\)\.wav"
)
LABELS = {"ang": "anger", "hap": "happiness", "neu": "neutral", "sad": "sadness"}
COUNTS = {"anger": 150, "happiness": 132, "neutral": 150, "sadness": 147}
PREFIXES = {
    "Female01": "fm01",
    "Female02": "fm01",  # in every known copy
    "Female03": "fm03",
    "Male01": "ml01",
    "Male02": "ml02",
    "Male03": "ml03",
}


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs."""
    return read_tree(EYASE, root, _utterance, count=sum(COUNTS.values()))


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    speaker = file.folder.capitalize()
    if match is None or match["prefix"] != PREFIXES.get(speaker):
        return None
    gender: Gender = "female" if speaker.startswith("Female") else "male"
    return Utterance(
        id=f"{speaker}/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=speaker,
        gender=gender,
    )


EYASE = Corpus(
    name="eyase",
    title="EYASE",
    version="2020",
    languages=("ar-EG",),
    labels=tuple(COUNTS),
    licence="not stated",
    homepage="https://www.sciencedirect.com/science/article/pii/S0167639319302183",
    citation=(
        "Abdel-Hamid (2020). Egyptian Arabic speech emotion recognition using "
        "prosodic, spectral and wavelet features. Speech Communication 122, 19-30."
    ),
    obtain=(
        "Get EYASE.rar from "
        "https://drive.google.com/uc?id=1dGEhcc3hjtZKMkojdLxdSGYo2Nk4UJxF and unpack "
        "it with its folders (Female01, ...) into eyase/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"2020": 579, "2020, unpacked without folders": 499},
    files=known_files("eyase"),
    claims=table_1(579, 4),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer EYASE."""
    yield EYASE
