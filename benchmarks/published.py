"""Write the published splits into the tables of known files, and how close they come.

    python benchmarks/published.py

Each split is what ``harness split NAME`` makes of the published list of files: speaker-
independent, 80/10/10, seed 0. It only reads the lists, so no audio is needed.
"""

from __future__ import annotations

import argparse
import csv
from typing import TYPE_CHECKING

from harness_plugins.corpora._known import FOLDER

from harness import SplitOptions, Utterance
from harness.files import replacing
from harness.splits.balance import closeness, describe
from harness.splits.strategies import harness_splits, make_split

if TYPE_CHECKING:
    from pathlib import Path

STRATEGY = next(one for one in harness_splits() if one.name == "speaker-independent")

HEAD = """\
# Published files and splits

One table a corpus: its files as the archive has them, with label, speaker, the part of
the published split (`split`), and the SHA-256 of the bytes where we have seen the
audio. Columns with an `@` are of a variant. `harness run --split published` uses these
splits, `harness corpus check` compares a folder with the lists, and `python
benchmarks/published.py` writes the splits and this page.

All are speaker-independent: each speaker is in train, valid or test alone, so that
sizes come as close to 80/10/10, and labels to those of the whole corpus, as a search
over the assignments finds (all of them up to 12 speakers; see
`harness/splits/assignment.py`).
"""


def main() -> None:
    """Go through the tables."""
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    lines = [HEAD]
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for column in [name for name in rows[0] if name.startswith("split")]:
            lines += publish(path.stem, column, rows)
        write(path, rows)
    with replacing(FOLDER / "README.md") as beside:
        beside.write_text("\n".join(lines) + "\n", "utf-8")


def publish(corpus: str, column: str, rows: list[dict[str, str]]) -> list[str]:
    """Fill a column with the parts of the split; say how close it comes."""
    variant = column.removeprefix("split")
    mine = [row for row in rows if row[column]]
    utterances = [
        Utterance(
            id=row["path"],
            path=row["path"],
            label=row.get(f"label{variant}") or row["label"],
            speaker=row["speaker"],
        )
        for row in mine
    ]
    split = make_split(STRATEGY, utterances, SplitOptions())
    (fold,) = split.folds
    part_of = {id: part for part, ids in fold.parts() for id in ids}
    for row in mine:
        row[column] = part_of[row["path"]]
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    lines = [f"## {corpus}{variant}", ""]
    for part, ids in fold.parts():
        who = sorted({speaker_of[id] for id in ids})
        lines.append(f"* {part}: {len(ids)} utterances of {', '.join(who)}")
    lines += [f"* {line}" for line in describe(closeness(split, utterances))]
    return [*lines, f"* sha256 of the split: `{split.sha256}`", ""]


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a table whole or not at all."""
    with (
        replacing(path) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
