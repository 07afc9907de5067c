"""ShEMO, the Sharif emotional speech database: Persian, radio plays, 87 speakers.

What     3000 utterances, 6 emotions: anger 1059, neutral 1028, sadness 449, surprise
         225, happiness 201, fear 38. 31 women and 56 men. Mostly 44.1 kHz, at least 121
         files 22.05 kHz; 3 h 25 min in all, clips of 0.4 to 33.3 s.
Paper    Mohamad Nezami, Jamshid Lou, Karami: ShEMO: a large-scale validated database
         for Persian speech emotion detection. Lang. Resour. Eval. 53(1), 2019, 1-16.
Licence  None stated; free of charge for academic purposes.
Get it   male.zip and female.zip, 870 MB, from the links in the README of
         https://github.com/pariajm/sharif-emotional-speech-dataset. The zips of
         https://github.com/mansourehk/ShEMO are pointers of 134 bytes.
Variants shemo: labels as in the names of the wavs, with the counts of the publication.
         shemo@modified: the labels of Yazdani & Shekofteh (arXiv 2211.09956), who
         matched each recording to its transcript by speech recognition: 163 differ,
         most of them now neutral (neutral 1160, anger 1042, sadness 361, happiness
         203, surprise 202, fear 32).
Traps    The names in shemo.json and in the transcripts agree with those of the wavs for
         2838 files only: do not match by them. In a name, F is female in the first
         place and fear in the fourth, W is surprise. Sampling rates differ between
         files: each is resampled from its own. Fear is rare; many studies exclude it.
Run      harness run --upstream whisper-base --downstream linear --corpus shemo
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness import Archive, Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import GENDERS, File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<speaker>(?P<gender>[FM])\d{2})"
    r"(?P<emotion>[AFHNSW])"
    r"(?P<take>\d{2})\.wav"
)
LABELS = {
    "A": "anger",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "W": "surprise",
}
COUNTS = {
    "anger": 1059,
    "fear": 38,
    "happiness": 201,
    "neutral": 1028,
    "sadness": 449,
    "surprise": 225,
}
COUNTS_MODIFIED = {
    "anger": 1042,
    "fear": 32,
    "happiness": 203,
    "neutral": 1160,
    "sadness": 361,
    "surprise": 202,
}
MODIFIED = {  # from aliyzd95/modified_shemo, only where it differs from the name
    "anger": """
        F03W06 F09S12 F21S36 M03W08 M20N03 M20W05 M25S10 M26W03 M34N04 M51N09
    """,
    "fear": """
        F24S16 F24S17 M07W02
    """,
    "happiness": """
        F07S46 F07S47 F24W25 F30S11 M21N11
    """,
    "neutral": """
        F01S23 F01W05 F01W06 F02S15 F02W05 F02W06 F03S10 F03S11 F03S12 F03S13
        F03S14 F03S15 F03S16 F03S17 F03S18 F05S04 F07S30 F07S48 F07W07 F09H04
        F09S13 F09S14 F09S15 F09S16 F09S17 F09S18 F09S19 F10H01 F11A01 F12W01
        F13A24 F14S01 F15A05 F15A06 F20S01 F20S02 F20W02 F21S37 F21S38 F21S39
        F21S40 F21S41 F21S42 F21S43 F21S44 F21W06 F21W24 F21W31 F21W32 F21W33
        F23A20 F23S04 F24S18 F24S19 F24S20 F24S21 F25A08 F26F02 F28A27 F28S07
        F28S08 F30S12 F30W01 M03S21 M03W09 M05S15 M09A24 M09S01 M12A70 M12S06
        M12S07 M12S08 M12S09 M12S10 M12S11 M12S12 M12S13 M14S02 M16H09 M17S02
        M18F01 M18S02 M19F01 M19S02 M19S03 M20S02 M22S03 M22W02 M22W03 M22W04
        M24S03 M24S04 M25A16 M25S11 M25S12 M25S13 M25S14 M26A19 M26A38 M26A39
        M26A40 M26F01 M26S05 M26S06 M26W04 M27A01 M27A02 M27W02 M27W03 M27W04
        M28A47 M28S22 M28S23 M28S24 M28W04 M29S02 M30W01 M32F01 M33A02 M37S01
        M37S02 M37S03 M38A02 M38F01 M40S02 M40S03 M43A18 M43W08 M44S05 M45A01
        M46A06 M47S01 M48A05 M48S02 M50S01 M51A01 M53S03
    """,
    "sadness": """
        F19N39
    """,
    "surprise": """
        F07A04 F07S27 F21F01 F21F02 F24A12 F30F02 M41A06
    """,
}


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs with the labels of their names."""
    return read_tree(SHEMO, root, _utterance, count=sum(COUNTS.values()))


def read_modified(root: Path) -> Iterator[Utterance]:
    """List the wavs with the labels that were corrected later."""
    corrected = {name: label for label in MODIFIED for name in MODIFIED[label].split()}
    for utterance in read(root):
        name = PurePosixPath(utterance.id).stem
        yield replace(utterance, label=corrected.get(name, utterance.label))


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    gender = GENDERS[match["gender"].lower()]
    return Utterance(
        id=f"{gender}/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=match["speaker"],
        gender=gender,
    )


SHEMO = Corpus(
    name="shemo",
    title="ShEMO",
    version="labels of the file names",
    languages=("fa-IR",),
    labels=tuple(COUNTS),
    licence="not stated; free for academic purposes",
    homepage="https://github.com/mansourehk/ShEMO",
    citation=(
        "Mohamad Nezami, Jamshid Lou, Karami (2019). ShEMO: a large-scale validated "
        "database for Persian speech emotion detection. Lang. Resour. Eval. 53(1), "
        "1-16."
    ),
    obtain=(
        "Get male.zip and female.zip by the links in the README of "
        "https://github.com/pariajm/sharif-emotional-speech-dataset and unpack both "
        "into shemo/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"labels of the file names": 3000},
    files=known_files("shemo"),
    claims=table_1(3000, 6),
    archives=(
        Archive(
            url="https://www.dropbox.com/s/42okby6c40w3j2x/female.zip?dl=1",
            size=374_368_830,
            sha256="663d8d7dceb44adbbf87d84be3a080fb691d169fbd972f6941e6302bc39f71e6",
        ),
        Archive(
            url="https://www.dropbox.com/s/5ebs8hq1zm0qkp6/male.zip?dl=1",
            size=496_606_401,
            sha256="747670d0d918e59d5e5020cf66610242890b093d42968c467c4f02eb5e6a6b1a",
        ),
    ),
)
SHEMO_MODIFIED = replace(
    SHEMO,
    name="shemo@modified",
    version="labels modified by Yazdani and Shekofteh",
    citation=f"{SHEMO.citation} Yazdani, Shekofteh (2022). arXiv 2211.09956.",
    read=read_modified,
    counts=COUNTS_MODIFIED,
    versions={"labels modified by Yazdani and Shekofteh": 3000},
    files=known_files("shemo", "modified"),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer ShEMO with its original labels and with the modified ones."""
    yield SHEMO
    yield SHEMO_MODIFIED
