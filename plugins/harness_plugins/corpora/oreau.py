"""Oréau, a French emotional speech database: acted, 32 speakers.

What     502 utterances, 7 emotions: anger, disgust, fear, happiness, neutral, sadness,
         surprise. 25 men and 7 women say 79 sentences, ten to thirteen an emotion.
         44.1 kHz; clips of 1.0 to 6.8 s.
Paper    Kerkeni, Cleder, Serrestou, Raoof: French emotional speech database - Oréau.
         Zenodo, 2020, doi 10.5281/zenodo.4405783.
Licence  CC BY 4.0, as far as known; free download, no form.
Get it   https://zenodo.org/records/4405783
Variants oreau: the first version, OréauFR_01, with the number of utterances that the
         study of the suite paper reports. oreau@v2: OréauFR_02, the 434 utterances
         left after a perception test: anger 67, disgust 67, fear 51, happiness 62,
         neutral 70, sadness 55, surprise 62. Other tools' lists of Oréau are of this
         version.
Traps    Both versions have the same subfolders and the same names. "OréauFR_01" or
         "OréauFR_02" in the path decides; its é is one character, two, or garbled.
         Without either, 434 files are version 2. Sentences are numbered within an
         emotion: a01 of anger is not a01 of fear, so its code here is Ca01. The number
         of utterances of each label in version 1 is not known.
Run      harness run --upstream whisper-base --downstream linear --corpus oreau
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import Archive, Corpus, DataError, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import GENDERS, File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<speaker>\d{2})"
    r"(?P<sentence>[az]\d{2})"
    r"(?P<emotion>[CDJNPST])"
    r"(?P<take>[a-z])\.wav"
)
VERSION = re.compile(r"Or.{1,3}auFR_0(?P<version>[12])", re.IGNORECASE)
LABELS = {
    "C": "anger",  # colère
    "D": "disgust",  # dégoût
    "P": "fear",  # peur
    "J": "happiness",  # joie
    "N": "neutral",  # neutre
    "T": "sadness",  # tristesse
    "S": "surprise",
}
COUNT_1 = 502
COUNTS_2 = {
    "anger": 67,
    "disgust": 67,
    "fear": 51,
    "happiness": 62,
    "neutral": 70,
    "sadness": 55,
    "surprise": 62,
}


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs of version 1."""
    number = 0
    for utterance in read_tree(
        OREAU, root, _utterance, count=COUNT_1, skip=_is_version_2
    ):
        yield utterance
        number += 1
    if number == sum(COUNTS_2.values()) and not VERSION.search(utterance.path):
        raise DataError(
            f"{root} holds {number} utterances, as version 2 of {OREAU.title} has. Use "
            f"'{OREAU_V2.name}', or get version 1. {OREAU.obtain}"
        )


def read_v2(root: Path) -> Iterator[Utterance]:
    """List the wavs of version 2."""
    count = sum(COUNTS_2.values())
    return read_tree(OREAU_V2, root, _utterance, count=count, skip=_is_version_1)


def _is_version_1(file: File) -> bool:
    return _version(file) == "1"


def _is_version_2(file: File) -> bool:
    return _version(file) == "2"


def _version(file: File) -> str | None:
    """Return the version that the folders name, if they do."""
    found = VERSION.search("/".join(file.folders))
    return found["version"] if found else None


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    gender, session = ("", "", *file.folders)[-2:]
    if match is None or gender.lower() not in GENDERS:
        return None
    return Utterance(
        id=f"{gender.lower()}/{session.lower()}/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=match["speaker"],
        gender=GENDERS[gender.lower()],
        sentence=match["emotion"] + match["sentence"],
    )


OREAU = Corpus(
    name="oreau",
    title="Oréau",
    version="1",
    languages=("fr-FR",),
    labels=tuple(COUNTS_2),
    licence="CC-BY-4.0",
    homepage="https://zenodo.org/records/4405783",
    citation=(
        "Kerkeni, Cleder, Serrestou, Raoof (2020). French emotional speech database - "
        "Oréau. Zenodo, doi 10.5281/zenodo.4405783."
    ),
    obtain=(
        "Get OréauFR_01 from https://zenodo.org/records/4405783 and unpack it into "
        "oreau/ (OréauFR_02 is 'oreau@v2')."
    ),
    read=read,
    about=__doc__ or "",
    versions={"1": COUNT_1, "2": sum(COUNTS_2.values())},
    claims=table_1(
        *(COUNT_1, 7),
        because="Version 2 keeps the 434 utterances that a perception test confirmed.",
    ),
    archives=(Archive(url="https://zenodo.org/api/records/4405783"),),
)
OREAU_V2 = replace(
    OREAU,
    name="oreau@v2",
    version="2",
    obtain=(
        "Get OréauFR_02 from https://zenodo.org/records/4405783 and unpack it into "
        "oreau/ (OréauFR_01 is 'oreau')."
    ),
    read=read_v2,
    counts=COUNTS_2,
    files=known_files("oreau", "v2"),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer both versions of Oréau."""
    yield OREAU
    yield OREAU_V2
