"""The pipeline: batches, overlap, memory and failures, on a card that is made up."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from cards import PATIENCE, Card

from harness import PluginError
from harness.features import pipeline
from harness.features.backends import CpuBackend
from harness.features.pipeline import BEHIND, FIRST, MOST, WINDOW, Budget, Steps


@dataclass(frozen=True)
class Recorded:
    """As much of a recording as the pipeline reads."""

    key: int
    seconds: float
    path: Path


def recordings(seconds):
    return [Recorded(n, one, Path(f"{n}.wav")) for n, one in enumerate(seconds)]


LENGTHS = [1 + (7 * n) % 11 for n in range(400)]  # 1 to 11 s, 2400 s in all


@dataclass
class Work:
    """Steps that note what they are called with."""

    card: Any
    decoded: list[int] = field(default_factory=list)
    encoded: list[list[int]] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def decode(self, recording):
        self.decoded.append(recording.key)
        return torch.tensor([float(recording.key)])

    def encode(self, batch):
        self.card.compute([clip.seconds for clip in batch])
        self.encoded.append([clip.recording.key for clip in batch])
        return {"key": torch.cat([clip.waveform for clip in batch])}

    def store(self, batch, found, seconds):
        assert found["key"].tolist() == [clip.recording.key for clip in batch]
        assert seconds >= 0
        self.stored += [clip.recording.key for clip in batch]

    def run(self, listed, budget=None):
        steps = Steps(
            decode=self.decode,
            encode=self.encode,
            store=self.store,
            report=self.said.append,
        )
        return pipeline.run(listed, steps, self.card, budget or Budget())


def test_every_clip_is_stored_once():
    work = Work(Card())
    assert work.run(recordings(LENGTHS)) == []
    assert sorted(work.stored) == list(range(len(LENGTHS)))


def test_clips_are_sorted_by_length_within_a_window():
    work = Work(Card())
    work.run(recordings(LENGTHS))
    assert sum(LENGTHS) < WINDOW
    lengths = [LENGTHS[key] for key in work.stored]
    assert lengths == sorted(lengths, reverse=True)


def test_batches_grow_from_a_small_one_to_what_memory_allows():
    card = Card()
    Work(card).run(recordings(LENGTHS))
    first, *others, _ = [padded for _, padded in card.batches]
    assert first <= FIRST
    assert all(380 < padded <= 400 for padded in others)


def test_hardly_any_of_a_batch_is_padding():
    work = Work(Card())
    work.run(recordings(LENGTHS))
    padded = sum(seconds for _, seconds in work.card.batches)
    assert sum(LENGTHS) / padded > 0.85


def test_no_batch_is_longer_than_fills_a_device():
    budget = Budget()
    budget.learn(30.0, taken=1, free=10**12)
    assert budget.seconds == MOST


def test_the_costliest_batch_so_far_decides():
    budget = Budget()
    budget.learn(10.0, taken=1000, free=20_000)  # long clips
    budget.learn(10.0, taken=100, free=20_000)
    assert budget.seconds == 100.0


def test_out_of_memory_halves_the_batch_and_says_so():
    card = Card(room=100.0)
    work = Work(card)
    assert work.run(recordings(LENGTHS)) == []
    assert sorted(work.stored) == list(range(len(LENGTHS)))
    assert card.released == len(work.said)
    assert "out of memory at a batch of" in work.said[0]
    assert 1 <= len(work.said) <= 4  # a smaller batch is remembered


def test_a_clip_that_does_not_fit_alone_is_returned_and_the_others_are_stored():
    work = Work(Card(room=10.5))
    listed = recordings(LENGTHS)
    unfit = work.run(listed)
    assert [one.seconds for one in unfit] == [11] * LENGTHS.count(11)
    assert len(work.stored) == len(listed) - len(unfit)


def test_memory_that_is_full_inside_a_plugin_is_seen():
    class Wrapping(Work):
        def encode(self, batch):
            try:
                return super().encode(batch)
            except torch.OutOfMemoryError as error:
                raise PluginError("The plugin failed.") from error

    work = Wrapping(Card(room=100.0))
    assert work.run(recordings(LENGTHS)) == []
    assert work.said


def test_whatever_else_is_raised_ends_it():
    class Failing(Work):
        def encode(self, batch):
            raise PluginError("no")

    with pytest.raises(PluginError, match="no"):
        Failing(Card()).run(recordings(LENGTHS))


def test_what_storing_raises_is_raised():
    class Full(Work):
        def store(self, batch, found, seconds):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Full(Card()).run(recordings(LENGTHS))


def test_the_next_batch_is_computed_while_one_comes_home():
    card = Card()
    card.copied.clear()

    class Waiting(Work):
        def encode(self, batch):
            if len(self.encoded) == BEHIND - 1:  # with others still on their way
                assert not self.stored
                card.copied.set()
            return super().encode(batch)

    work = Waiting(card)
    work.run(recordings(LENGTHS))
    assert len(work.stored) == len(LENGTHS)


def test_the_next_window_is_decoded_while_a_batch_is_computed():
    later = threading.Event()
    many = recordings([10.0] * 1000)  # more than two windows
    in_window = int(WINDOW / 10)

    class Beside(Work):
        def decode(self, recording):
            if recording.key == in_window + 1:
                later.set()
            return super().decode(recording)

        def encode(self, batch):
            assert later.wait(PATIENCE)
            return super().encode(batch)

    work = Beside(Card())
    work.run(many)
    assert len(work.stored) == len(many)


def test_decoding_is_bounded_however_long_the_corpus_is():
    most = []

    class Noting(Work):
        def encode(self, batch):
            most.append(len(self.decoded) - len(self.stored))
            return super().encode(batch)

    work = Noting(Card())
    work.run(recordings([10.0] * 3000))
    assert max(most) * 10 <= 2 * WINDOW + (BEHIND + 1) * 400 + 100


def test_several_threads_decode():
    names = set()
    both = threading.Barrier(3)

    class Together(Work):
        def decode(self, recording):
            names.add(threading.current_thread().name)
            if recording.key < 3:
                both.wait(PATIENCE)
            return super().decode(recording)

    Together(Card(decoders=3)).run(recordings(LENGTHS))
    assert len(names) == 3


def test_spans_of_one_file_are_decoded_in_a_row_by_one_thread():
    of: dict[Path, set[str]] = {}
    listed = [Recorded(n, 3.0, Path(f"{n // 30}.wav")) for n in range(300)]

    class Noting(Work):
        def decode(self, recording):
            of.setdefault(recording.path, set()).add(threading.current_thread().name)
            return super().decode(recording)

    Noting(Card()).run(listed)
    assert all(len(threads) == 1 for threads in of.values())


def test_on_the_cpu_clips_go_one_by_one_in_the_order_of_the_corpus():
    class Cpu(CpuBackend):
        def compute(self, seconds):
            """Have room for all."""

    work = Work(Cpu())
    work.run(recordings(LENGTHS[:40]))
    assert work.encoded == [[key] for key in range(40)]
