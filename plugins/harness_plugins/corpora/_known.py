"""The published lists of the bundled corpora: their files, splits and sizes.

Each table in ``known/`` lists a corpus' files as its archive has them, with label,
speaker, the part of the published split and, where the audio was available, the SHA-256
of the bytes. Columns of a variant end with ``@VARIANT``; where a variant has no column
of its own, the plain one holds, and rows without a part do not belong to it. The tables
can also be read by ``--corpus csv:PATH``. ``benchmarks/published.py`` writes their
splits.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Claim, KnownFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).with_name("known")


def table_1(utterances: int, labels: int, because: str = "") -> tuple[Claim]:
    """Return the size of a corpus according to the study of the suite ``paper``."""
    return (
        Claim(
            source="Table 1 of D'Asaro et al. (2024)",
            utterances=utterances,
            labels=labels,
            because=because,
        ),
    )


def known_files(
    corpus: str, variant: str = ""
) -> Callable[[], Mapping[str, KnownFile]]:
    """Return a function that reads the published list of a corpus or variant."""
    return partial(_read, corpus, f"@{variant}" if variant else "")


def _read(corpus: str, suffix: str) -> dict[str, KnownFile]:
    part, label = f"split{suffix}", f"label{suffix}"
    with (FOLDER / f"{corpus}.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["path"]: KnownFile(
                label=row.get(label) or row["label"],
                speaker=row["speaker"],
                part=row[part],
                sha256=row.get("sha256", ""),
            )
            for row in csv.DictReader(file)
            if row[part]
        }
