"""Made-up test parts whose truth is known: what the statistics are tried on."""

from __future__ import annotations

import numpy as np
from harness_leaderboard.analysis.samples import Sample, TestPart


def part(counts, speakers, seed: int = 0, name: str = "") -> TestPart:
    counts = np.asarray(counts, np.float32)
    return TestPart(
        seed=seed,
        utterances=(name,),
        speakers=np.asarray(speakers),
        counts=counts,
    )


def sample(counts, split: str) -> Sample:
    """From (S, C, C) counts: all speakers in one test part, or each in its own."""
    speakers = range(len(counts))
    parts = (
        [part(counts, speakers)]
        if split == "one"
        else [part(counts[[s]], [s], name=str(s)) for s in speakers]
    )
    return Sample(speakers=tuple(map(str, speakers)), parts=tuple(parts))


def in_folds(counts, folds) -> Sample:
    """From (S, C, C) counts: the speakers of each fold in one test part."""
    folds = np.asarray(folds)
    parts = [
        part(counts[folds == fold], np.flatnonzero(folds == fold), name=str(fold))
        for fold in np.unique(folds)
    ]
    return Sample(speakers=tuple(map(str, range(len(counts)))), parts=tuple(parts))


def said(rng, skills, *, utterances: int = 40, classes: int = 4):
    """Confusions (S, C, C) of speakers whom the system understands more or less."""
    counts = np.zeros((len(skills), classes, classes))
    for speaker, skill in enumerate(skills):
        true = rng.integers(0, classes, utterances)
        right = rng.random(utterances) < skill
        guess = np.where(right, true, rng.integers(0, classes, utterances))
        np.add.at(counts[speaker], (true, guess), 1)
    return counts


def skills(rng, speakers: int):
    return np.clip(0.75 + 0.1 * rng.standard_normal(speakers), 0.05, 0.99)
