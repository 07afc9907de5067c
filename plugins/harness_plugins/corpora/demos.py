"""DEMoS, the database of elicited mood in speech: Italian, induced, 68 speakers.

What     9697 utterances, 8 labels: disgust 1678, sadness 1530, anger 1477, happiness
         1395, fear 1156, guilt 1129, surprise 1000, neutral 332. 23 women and 45 men,
         numbered 01 to 69 without 35. 2.5 GB.
Paper    Parada-Cabaleiro, Costantini, Batliner, Schmitt, Schuller: DEMoS: an Italian
         emotional speech corpus. Lang. Resour. Eval. 54(2), 2020, 341-383.
Licence  The authors' end user licence agreement: academic use.
Get it   Ask on https://zenodo.org/records/2544829: permanent staff signs the agreement.
Variants demos: every file. demos@7: without neutral, 9365 utterances of 7 labels.
         demos@no-guilt: without guilt, 8568 utterances of the 7 labels that are
         common in other corpora.
Counts   The study of the suite paper reports 9697 samples and 7 emotions. 9697 files
         have 8 labels; perhaps neutral was not counted as an emotion. The plain name
         has that number of samples.
Traps    Names of neutral files have no prefix "PR_" or "NP_" (prototypical or not). Ten
         speakers have no neutral. A well-known loader lists seven men as women: here
         the gender is that of the file name.
Run      harness run --upstream whisper-base --downstream linear --corpus demos
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import GENDERS, File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?:(?P<prototypical>PR|NP)_)?"
    r"(?P<gender>[fm])_(?P<speaker>\d{2})"
    r"_(?P<emotion>rab|tri|gio|pau|dis|col|sor|neu)"
    r"(?P<take>\d{2}[a-c])\.wav"
)
LABELS = {
    "rab": "anger",  # rabbia
    "dis": "disgust",  # disgusto
    "pau": "fear",  # paura
    "col": "guilt",  # colpa
    "gio": "happiness",  # gioia
    "neu": "neutral",
    "tri": "sadness",  # tristezza
    "sor": "surprise",  # sorpresa
}
COUNTS = {
    "anger": 1477,
    "disgust": 1678,
    "fear": 1156,
    "guilt": 1129,
    "happiness": 1395,
    "neutral": 332,
    "sadness": 1530,
    "surprise": 1000,
}


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs of all eight labels."""
    return read_tree(DEMOS, root, _utterance, count=sum(COUNTS.values()))


def read_without(root: Path, *, label: str) -> Iterator[Utterance]:
    """List the wavs of the seven other labels."""
    return (utterance for utterance in read(root) if utterance.label != label)


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    folder = "NEU" if match["emotion"] == "neu" else "DEMOS"
    return Utterance(
        id=f"{folder}/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=match["speaker"],
        gender=GENDERS[match["gender"]],
    )


DEMOS = Corpus(
    name="demos",
    title="DEMoS",
    version="8 labels",
    languages=("it-IT",),
    labels=tuple(COUNTS),
    licence="end user licence agreement (academic use)",
    homepage="https://zenodo.org/records/2544829",
    citation=(
        "Parada-Cabaleiro, Costantini, Batliner, Schmitt, Schuller (2020). DEMoS: an "
        "Italian emotional speech corpus. Lang. Resour. Eval. 54(2), 341-383."
    ),
    obtain=(
        "Sign its agreement at https://zenodo.org/records/2544829 (permanent staff, "
        "institutional e-mail) and unpack wav_DEMoS.zip into demos/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={
        "8 labels": 9697,
        "7 labels, without neutral": 9365,
        "7 labels, without guilt": 8568,
    },
    files=known_files("demos"),
    claims=table_1(
        *(9697, 7),
        because="9697 files have 8 labels, perhaps neutral was not counted; 7 labels "
        "leave 9365 (demos@7, without neutral) or 8568 (demos@no-guilt).",
    ),
)


def _without(label: str, variant: str) -> Corpus:
    return replace(
        DEMOS,
        name=f"{DEMOS.name}@{variant}",
        version=f"7 labels, without {label}",
        labels=tuple(other for other in COUNTS if other != label),
        read=partial(read_without, label=label),
        counts={other: count for other, count in COUNTS.items() if other != label},
        files=known_files("demos", variant),
    )


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer DEMoS with its eight labels, and two choices of seven."""
    yield DEMOS
    yield _without("neutral", "7")
    yield _without("guilt", "no-guilt")
