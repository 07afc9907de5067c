"""What the paper printed, as data, to be set beside what was measured here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

CITATION = "D'Asaro et al., CLiC-it 2024"


@dataclass(frozen=True, kw_only=True)
class PublishedCorpus:
    """A row of Table 1."""

    corpus: str
    language: str
    utterances: int
    emotions: int


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """A figure of Table 2 (a mean over all corpora) or of Table 3.

    Attributes:
        corpus: Empty for the mean.
        f1: As a fraction of one.
    """

    corpus: str = ""
    upstream: str
    downstream: str
    f1: float


def corpora() -> list[PublishedCorpus]:
    """Return Table 1."""
    return [
        PublishedCorpus(
            corpus=row["corpus"],
            language=row["language"],
            utterances=int(row["utterances"]),
            emotions=int(row["emotions"]),
        )
        for row in _rows("corpora.csv")
    ]


def classifiers() -> list[PublishedScore]:
    """Return Table 2."""
    return _scores("classifiers.csv")


def languages() -> list[PublishedScore]:
    """Return Table 3."""
    return _scores("languages.csv")


def contradictions() -> list[tuple[PublishedScore, float]]:
    """Return each figure of Table 2 that is not the mean of its column in Table 3."""
    found = []
    for printed in classifiers():
        column = [
            score.f1
            for score in languages()
            if (score.upstream, score.downstream)
            == (printed.upstream, printed.downstream)
        ]
        mean = sum(column) / len(column) if column else printed.f1
        if abs(mean - printed.f1) > 5e-5:
            found.append((printed, mean))
    return found


def _scores(name: str) -> list[PublishedScore]:
    return [
        PublishedScore(
            corpus=row.get("corpus", ""),
            upstream=row["upstream"],
            downstream=row["downstream"],
            f1=float(row["f1"]) / 100,
        )
        for row in _rows(name)
    ]


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__name__).joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
