"""A cell of the tones corpus, with its features stored."""

from __future__ import annotations

import pytest
from conditions import condition_of
from harness_plugins.downstreams import linear
from toys import TONES, TOY
from trainings import CONDITION, METRICS, SPEAKERS, offered

from harness import Cell, Fold
from harness.data import stored
from harness.data.manifest import read_manifest
from harness.data.places import Places
from harness.features.extraction import Extraction, Use, extract
from harness.memory import Memory
from harness.training import loop
from harness.training.task import Training


@pytest.fixture
def recordings(tones, tmp_path):
    return read_manifest(TONES, tones, Memory(tmp_path / "memory.json")).recordings


@pytest.fixture
def divided(tones, tmp_path, recordings):
    """Divide the stored features by speakers; returns a function from three groups."""
    places = Places(data=tones.parent, cache=tmp_path / "cache")
    use = Use(
        upstream=TOY, condition=CONDITION, plugin="toy", places=places, device="cpu"
    )

    def divided(*speakers):
        ids = (
            tuple(r.utterance.id for r in recordings if r.utterance.speaker in group)
            for group in speakers
        )
        parts = dict(zip(("train", "valid", "test"), ids, strict=True))
        corpus = stored.store(places, recordings, [Fold(name="0", **parts)])
        everything = Extraction(
            use=use,
            corpus=corpus,
            first=0,
            last=len(recordings),
            kinds=("pooled", "all"),
        )
        extract(everything)
        head = offered(linear)
        return Training(
            cell=Cell(condition=condition_of(CONDITION, head), fold="0", seed=0),
            use=use,
            downstream=head,
            corpus=corpus,
            labels=("high", "low"),
            metrics=METRICS,
            plugins={"upstream": "toy", "downstream": "a-head", "corpus": "toy"},
        )

    return divided


@pytest.fixture
def task(divided):
    """Train on three speakers, select on the fourth, test on the fifth."""
    return divided(*SPEAKERS)


@pytest.fixture
def tested_on_others(divided):
    """The same training and validation parts, and two test parts."""
    rest = ("s0", "s1"), ("s3",)
    return [divided(*rest, test) for test in (("s2",), ("s4",))]


@pytest.fixture
def kept(monkeypatch):
    """Keep the state after every epoch, as if each took long."""
    monkeypatch.setattr(loop, "KEEP_EVERY", 0.0)
