"""EmoMatchSpanishDB: Spanish, elicited from 50 non-actors.

What     2020 utterances, 7 emotions: anger, disgust, fear, happiness, neutral, sadness
         and surprise. It is the part of a larger recording in which a perception test
         confirmed the intended emotion, so that the label in the name is the final
         one. 48 kHz; may be stereo.
Paper    Garcia-Cuesta, Barba Salvador, Gachet Páez: EmoMatchSpanishDB. Multimed. Tools
         Appl. 83(5), 2024, 13093-13112, doi 10.1007/s11042-023-15959-w.
Licence  Not known.
Get it   Ask the authors; no public address is known.
Counts   The study of the suite paper reports 2020, others 2005 and about 2050: count
         your copy by "harness corpus check emomatch". More than 2050 is refused.
Traps    The grammar of the names is taken from the authors' later code, not from a list
         of the released files. Names end in upper case, "41_Ira_12.WAV". The related
         corpus EmoSpanishDB has names like these whose label is not the one in the
         name: do not put it here. The original recordings, one folder a speaker with
         names like "Ira_2.WAV", are another collection and are refused. Sources differ
         on the number of women, and no list of them is published: the gender is
         unknown here.
Run      harness run --upstream whisper-base --downstream linear --corpus emomatch
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import Corpus, Utterance, hookimpl
from harness_plugins.corpora._known import table_1
from harness_plugins.corpora._tree import File, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<speaker>\d{1,2})"
    r"_(?P<emotion>Neutro|Alegr[ií]a|Tristeza|Ira|Miedo|Asco|Sorpresa)"
    r"_{1,2}(?P<sentence>\d{1,2})\.wav"
)
LABELS = {
    "Ira": "anger",
    "Asco": "disgust",
    "Miedo": "fear",
    "Alegria": "happiness",
    "Neutro": "neutral",
    "Tristeza": "sadness",
    "Sorpresa": "surprise",
}
MOST = 2050


def read(root: Path) -> Iterator[Utterance]:
    """List the wavs."""
    return read_tree(EMOMATCH, root, _utterance, count=MOST)


def _utterance(file: File) -> Utterance | None:
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    return Utterance(
        id=file.name,
        path=file.path,
        label=LABELS[match["emotion"].replace("í", "i")],
        speaker=match["speaker"].zfill(2),
        sentence=match["sentence"].zfill(2),
    )


EMOMATCH = Corpus(
    name="emomatch",
    title="EmoMatchSpanishDB",
    version="2024",
    languages=("es-ES",),
    labels=tuple(LABELS.values()),
    licence="not known",
    homepage="https://doi.org/10.1007/s11042-023-15959-w",
    citation=(
        "Garcia-Cuesta, Barba Salvador, Gachet Páez (2024). EmoMatchSpanishDB. "
        "Multimed. Tools Appl. 83(5), 13093-13112."
    ),
    obtain=(
        "Ask its authors (https://doi.org/10.1007/s11042-023-15959-w) and put the "
        "wavs, named like 41_Ira_12.WAV, into emomatch/."
    ),
    read=read,
    about=__doc__ or "",
    versions={"2024": 2020},
    claims=table_1(
        *(2020, 7),
        because="2005 and about 2050 are reported elsewhere; no list of the released "
        "files is known.",
    ),
)


@hookimpl
def harness_corpora() -> Iterator[Corpus]:
    """Offer EmoMatchSpanishDB."""
    yield EMOMATCH
