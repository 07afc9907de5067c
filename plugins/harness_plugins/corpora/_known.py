"""What is known of published corpora: their files, their splits, and Table 1.

Each table in ``known/`` lists a corpus' files as its archive has them, with labels,
speakers, the part of the published split and, where we have seen the audio, the SHA-256
of its bytes. A variant has columns of its own after an ``@``; what it does not have
itself it takes from the others, and rows without a part are not in it. The tables are
also tables for ``--corpus csv:PATH``. ``benchmarks/published.py`` writes the splits.
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
    """Say what Table 1 of the paper says, which the suite ``paper`` repeats."""
    return (
        Claim(
            source="Table 1 of the paper",
            utterances=utterances,
            labels=labels,
            because=because,
        ),
    )


def known_files(corpus: str) -> Callable[[], Mapping[str, KnownFile]]:
    """Give a reader of the published files of a corpus or variant, by utterance id."""
    return partial(_read, corpus)


def _read(corpus: str) -> dict[str, KnownFile]:
    name, at, variant = corpus.partition("@")
    part, label = f"split{at}{variant}", f"label{at}{variant}"
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
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
