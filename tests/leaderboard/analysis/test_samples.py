"""What is drawn anew for an interval, where the speaker is what is predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness_leaderboard.analysis import sampling, statistics
from harness_leaderboard.analysis.samples import GROUPS, sample_of
from harness_leaderboard.results import reading, store

from harness.training.metrics import accuracy
from harness.types import Prediction

SPEAKERS = ("ada", "bob", "eve")


def sampled(*results):
    needed = ("seed", "labels", "predictions")
    return sample_of(reading.flattened(store.table_of(results), needed))


def of_speakers(result, sentences, *, right=0.7, coded=True):
    """Return the result with speakers as classes; each says each sentence."""
    rng = np.random.default_rng(0)
    easy = rng.normal(0, 0.2, len(sentences))
    said = [
        Prediction(
            utterance=f"{speaker}-{sentence}",
            speaker=speaker,
            gender=None,
            label=speaker,
            predicted=speaker
            if rng.random() < right + easy[place]
            else str(rng.choice(SPEAKERS)),
            scores=(1 / 3, 1 / 3, 1 / 3),
            sentence=sentence if coded else None,
        )
        for place, sentence in enumerate(sentences)
        for speaker in SPEAKERS
    ]
    return replace(result, labels=SPEAKERS, predictions=tuple(said))


def test_sentences_are_drawn_where_the_speaker_is_the_class(make_result):
    of = sampled(of_speakers(make_result(), [f"s{one}" for one in range(12)]))
    assert (of.unit, len(of.speakers)) == ("sentence", 12)
    assert sampling.estimand(of) == "pooled over sentences"
    (said,) = sampling.remarks(of, accuracy)
    assert "other sentences are drawn" in said


def test_the_error_is_that_of_a_bootstrap_over_sentences(make_result):
    of = sampled(of_speakers(make_result(), [f"s{one:03d}" for one in range(60)]))
    counts = of.parts[0].counts
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, 60, (4000, 60))
    theirs = statistics.score(counts[chosen].sum(1), accuracy).std()
    made = sampling.estimate(sampling.draws(of, accuracy))
    assert made is not None
    assert made.error == pytest.approx(theirs, rel=0.05)


def test_folds_of_sentences_are_units(make_result):
    folds = [
        of_speakers(make_result(fold=str(fold)), [f"s{2 * fold}", f"s{2 * fold + 1}"])
        for fold in range(5)
    ]
    of = sampled(*folds)
    assert len(of.speakers) == 10
    assert len(set(sampling.units_of(of).tolist())) == 5
    assert sampling.estimate(sampling.draws(of, accuracy)) is not None


def test_one_sentence_names_the_split_that_tests_them_all(make_result):
    of = sampled(of_speakers(make_result(), ["s1"]))
    assert sampling.unknown(of) == ("one test sentence", "one seed")
    assert any(
        "--split sentence-kfold" in one for one in sampling.remarks(of, accuracy)
    )


def test_groups_of_utterances_are_drawn_where_sentences_have_no_code(make_result):
    sentences = [f"s{one}" for one in range(50)]
    of = sampled(of_speakers(make_result(), sentences, coded=False))
    assert (of.unit, len(of.speakers)) == ("utterance group", GROUPS)
    sizes = of.parts[0].sizes
    assert sizes.sum() == 150
    assert sizes.max() - sizes.min() <= 1


def test_of_any_other_class_speakers_are_drawn(make_result):
    assert sampled(make_result()).unit == "speaker"
