"""CaFE, the Canadian French emotional speech dataset: acted, 12 speakers.

What     936 utterances, 7 emotions: 144 each of anger, disgust, fear, happiness,
         sadness and surprise, 72 neutral. Twelve actors (6 F, 6 M, aged 15 to 64) say
         six sentences, each emotion but neutral at two intensities. 48 kHz, mono, 16
         bit; 69 minutes in all, clips of 2.6 to 7.7 s.
Paper    Gournay, Lahaie, Lefebvre: A Canadian French emotional speech dataset. ACM
         Multimedia Systems 2018, 399-402.
Licence  CC BY-NC-SA 4.0; free download, no form.
Get it   CaFE_48k.zip from https://zenodo.org/record/1478765.
Variants cafe: the 48 kHz wavs. cafe@192k: the same recordings as AIFF with 192 kHz and
         24 bit, from CaFE_192k_1.zip (speakers 01 to 06) and CaFE_192k_2.zip (07 to
         12). Both may be in the same folder.
Traps    The zip's folder names become "Colère", "ColŠre" or "ColКre", depending on the
         unpacking program: labels are taken from the file names alone. A
         neutral wav is "08-N-1-1.wav", a neutral AIFF "08-N-1.aiff".
Run      harness run --upstream whisper-base --downstream linear --corpus cafe
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import Archive, Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<speaker>0[1-9]|1[0-2])"
    r"-(?P<emotion>[CDJNPST])"
    r"(?:-(?P<intensity>[12]))?"
    r"-(?P<sentence>[1-6])\.(?:wav|aiff?)"
)
LABELS = {
    "C": "anger",  # colère
    "D": "disgust",  # dégoût
    "J": "happiness",  # joie
    "N": "neutral",  # neutre
    "P": "fear",  # peur
    "S": "surprise",
    "T": "sadness",  # tristesse
}
COUNTS = {
    "anger": 144,
    "disgust": 144,
    "fear": 144,
    "happiness": 144,
    "neutral": 72,
    "sadness": 144,
    "surprise": 144,
}
RECORD = "https://zenodo.org/api/records/1478765"
INTENSITIES = {"1": "weak", "2": "strong"}  # faible, fort


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs."""
    return read_tree(CAFE, root, _utterance, count=sum(COUNTS.values()))


def read_192k(root: Path) -> Iterator[Utterance]:
    """List the AIFF files."""
    count = sum(COUNTS.values())
    endings = (".aif", ".aiff")
    return read_tree(CAFE_192K, root, _utterance, count=count, suffixes=endings)


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    label = LABELS[match["emotion"]]
    return Utterance(
        id=file.name,
        path=file.path,
        label=label,
        speaker=match["speaker"],
        gender="male" if int(match["speaker"]) % 2 else "female",
        sentence=match["sentence"],
        intensity=None if label == "neutral" else INTENSITIES.get(match["intensity"]),
    )


CAFE = Corpus(
    name="cafe",
    title="CaFE",
    version="48 kHz",
    languages=("fr-CA",),
    labels=tuple(COUNTS),
    licence="CC-BY-NC-SA-4.0",
    homepage="https://zenodo.org/record/1478765",
    citation=(
        "Gournay, Lahaie, Lefebvre (2018). A Canadian French emotional speech dataset. "
        "ACM Multimedia Systems, 399-402."
    ),
    obtain=(
        "Get CaFE_48k.zip from https://zenodo.org/record/1478765 and unpack it into "
        "cafe/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"48 kHz": 936, "192 kHz": 936},
    files=known_files("cafe"),
    claims=table_1(936, 7),
    archives=(Archive(url=RECORD, only=r"CaFE_48k\.zip"),),
)
CAFE_192K = replace(
    CAFE,
    name="cafe@192k",
    version="192 kHz",
    obtain=(
        "Get CaFE_192k_1.zip and CaFE_192k_2.zip from "
        "https://zenodo.org/record/1478765 and unpack both into cafe/."
    ),
    read=read_192k,
    files=None,
    archives=(Archive(url=RECORD, only=r"CaFE_192k_[12]\.zip"),),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer CaFE at either sampling rate."""
    yield CAFE
    yield CAFE_192K
