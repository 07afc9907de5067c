"""EMOVO: Italian, acted, 6 speakers.

What     588 utterances, 7 emotions of 84 each: anger, disgust, fear, happiness,
         neutral, sadness, surprise. Six actors (3 F, 3 M, aged 23 to 30) say fourteen
         sentences. 48 kHz, stereo, 16 bit; 31 minutes in all, clips of 1.3 to 14.0 s.
Paper    Costantini, Iaderola, Paoloni, Todisco: EMOVO corpus: an Italian emotional
         speech database. LREC 2014, 3501-3504, https://aclanthology.org/L14-1478/.
Licence  Not stated clearly; for research.
Get it   EMOVO.zip from http://voice.fub.it/activities/corpora/emovo/index.html
         or, as that page is often down, Google Drive, file
         1SUtaKeA-LYnKaD3qv87Y5wYgihJiNJAo.
Traps    The two channels differ in nearly all files: the input is their mean. One file,
         rab-f1-b1.wav, is mono. Ten files reach full scale.
Run      harness run --upstream whisper-base --downstream linear --corpus emovo
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import known_files, table_1
from harness_plugins.corpora._tree import GENDERS, File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)"
    r"-(?P<speaker>(?P<gender>[fm])[1-3])"
    r"-(?P<sentence>b[1-3]|l[1-4]|n[1-5]|d[12])\.wav"
)
LABELS = {
    "rab": "anger",  # rabbia
    "dis": "disgust",  # disgusto
    "pau": "fear",  # paura
    "gio": "happiness",  # gioia
    "neu": "neutral",
    "tri": "sadness",  # tristezza
    "sor": "surprise",  # sorpresa
}
COUNTS = dict.fromkeys(LABELS.values(), 84)


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs."""
    return read_tree(EMOVO, root, _utterance, count=sum(COUNTS.values()))


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    return Utterance(
        id=f"{match['speaker']}/{file.name}",
        path=file.path,
        label=LABELS[match["emotion"]],
        speaker=match["speaker"],
        gender=GENDERS[match["gender"]],
        sentence=match["sentence"],
    )


EMOVO = Corpus(
    name="emovo",
    title="EMOVO",
    version="2014",
    languages=("it-IT",),
    labels=tuple(COUNTS),
    licence="not stated; for research",
    homepage="http://voice.fub.it/activities/corpora/emovo/index.html",
    citation=(
        "Costantini, Iaderola, Paoloni, Todisco (2014). EMOVO corpus: an Italian "
        "emotional speech database. LREC, 3501-3504."
    ),
    obtain=(
        "Get EMOVO.zip from http://voice.fub.it/activities/corpora/emovo/index.html or "
        "https://drive.google.com/uc?id=1SUtaKeA-LYnKaD3qv87Y5wYgihJiNJAo and unpack "
        "it into emovo/."
    ),
    read=read,
    about=__doc__ or "",
    counts=COUNTS,
    versions={"2014": 588},
    files=known_files("emovo"),
    claims=table_1(588, 7),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer EMOVO."""
    yield EMOVO
