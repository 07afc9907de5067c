"""A part of a corpus for a first try."""

from __future__ import annotations

from collections import Counter

import pytest

from harness import Utterance
from harness.data.limit import spread

CORPUS = [
    Utterance(id=f"{s}{label}{n}", path="", label=label, speaker=str(s))
    for s in range(5)
    for label in "abc"
    for n in range(4 if label == "a" else 2)
]


@pytest.mark.parametrize("limit", [3, 10, 15, 31])
def test_labels_and_speakers_take_turns(limit):
    kept = spread(CORPUS, limit)
    assert len(kept) == limit
    labels = Counter(one.label for one in kept)
    assert max(labels.values()) - min(labels.values()) <= 1 + max(0, limit - 30)
    for label in labels:
        speakers = Counter(one.speaker for one in kept if one.label == label)
        assert max(speakers.values()) - min(speakers.values()) <= 1


def test_what_is_kept_is_always_the_same_and_in_order():
    kept = spread(CORPUS, 11)
    assert kept == sorted(kept, key=CORPUS.index)
    assert set(kept) == set(spread(CORPUS[::-1], 11))


def test_more_than_there_is_is_all():
    assert spread(CORPUS, 1000) == CORPUS == spread(CORPUS, None)


def test_a_limited_run_is_said_and_stands_apart(harness):
    asked = ("--upstream", "toy", "--downstream", "linear", "--corpus", "tones")
    grid = (*asked, "--executor", "serial", "--no-controls")
    code, out, said = harness("plan", *asked, "--no-controls", "--limit", "20")
    assert code == 0
    assert "limited to 20" in out
    assert "--limit 20 takes a part" in said
    assert harness("run", *grid, "--limit", "20")[0] == 0
    assert "tones (20 utterances)" in harness("leaderboard")[1]
    code, _, said = harness("run", *grid)  # nothing of it is taken for the whole
    assert code == 0
    _, board, _ = harness("leaderboard")
    assert "tones (20 utterances)" in board
    assert len(board.split("tones")) > 2


def test_a_run_that_ran_out_of_time_says_how_to_go_on(harness):
    asked = ("--upstream", "toy", "--downstream", "linear", "--corpus", "tones")
    grid = (*asked, "--executor", "serial", "--no-controls")
    code, _, said = harness("run", *grid, "--max-hours", "1e-9")
    assert code == 3
    assert "1 cell left after 1e-09 h" in said
    assert "run the same command again" in said
    assert harness("run", *grid, "--max-hours", "1")[0] == 0
