"""A training that was interrupted goes on, and ends with the same numbers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from harness_plugins.downstreams import nonlinear
from torch import nn
from trainings import (
    MEANS,
    SCHEDULES,
    Interruption,
    counted,
    flipped,
    read_state,
    recipe,
    state_file,
    with_downstream,
    with_head,
    with_seed,
    write_state,
)

from harness import Downstream
from harness.training import loop
from harness.training.task import train


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["plateau", "milestones"])
@pytest.mark.parametrize("stop_at", [0, 1, 3, 8, 14])
def test_an_interrupted_training_goes_on_to_the_same_numbers(
    task, kept, stop_at, schedule
):
    whole = train(with_head(task, nonlinear, batch=8, epochs=5, **schedule))
    stopped, _ = counted(task, stop_at=stop_at, **schedule)
    state_file(stopped).unlink()
    with pytest.raises(Interruption):
        train(stopped)
    resumed, steps = counted(task, **schedule)
    result = train(resumed)
    assert len(steps) == 15 - stop_at // 3 * 3
    assert result.history == whole.history
    assert result.predictions == whole.predictions
    assert result.best_epoch == whole.best_epoch


def test_a_finished_training_whose_result_was_lost_repeats_its_last_epoch(task, kept):
    first = train(counted(task)[0])
    resumed, steps = counted(task)
    before = read_state(resumed)["seconds"]
    again = train(resumed)
    assert len(steps) == 3
    assert again.history == first.history
    assert again.predictions == first.predictions
    assert again.training.seconds > before > 0


def test_memory_is_the_most_that_was_held_before_or_after_an_interruption(task, kept):
    resumed, _ = counted(task)
    train(resumed)
    write_state(resumed, read_state(resumed) | {"memory": 10**15})
    assert train(resumed).training.peak_memory == 10**15


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-40],
    "other": lambda data: b"no",
    "flipped": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_passed_over(task, kept, damage):
    whole, steps = counted(task)
    expected = train(whole)
    state_file(whole).write_bytes(damage(state_file(whole).read_bytes()))
    assert train(whole).predictions == expected.predictions
    assert len(steps) == 30


class Malicious:
    """Creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_state_that_would_run_code_is_passed_over(task, kept, tmp_path, sealed):
    whole, _ = counted(task)
    expected = train(whole)
    state = {"head": Malicious(str(tmp_path / "code ran"))}
    if sealed:
        write_state(whole, state)
    else:
        torch.save(state, state_file(whole))
    assert train(whole).predictions == expected.predictions
    assert not (tmp_path / "code ran").exists()


def test_no_state_of_another_cell_is_taken(task, kept):
    train(counted(task)[0])
    other, steps = counted(with_seed(task, 1))
    train(other)
    assert len(steps) == 15


def test_a_head_takes_its_statistics_once_however_often_it_is_interrupted(task, kept):
    seen = []

    class Careful(nn.Module):
        mean: torch.Tensor

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)
            self.register_buffer("mean", torch.zeros(8))

        def prepare(self, train):
            seen.append(1)
            self.mean += 1

        def forward(self, batch):
            assert torch.equal(self.mean, torch.ones(8))
            return self.layer(batch.pooled)

    careful = Downstream(
        name="careful",
        summary="",
        reads=MEANS,
        build=lambda **sizes: Careful(),
        recipe=recipe(epochs=3),
    )
    for _ in range(2):
        train(with_downstream(task, careful))
    assert seen == [1]


def test_short_trainings_leave_no_state(task):
    train(with_head(task, nonlinear, epochs=2))
    assert not state_file(task).parent.exists()


def test_the_state_is_kept_when_enough_would_be_lost_without(task, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stored_at = []

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, batch):
            if self.training:
                stored_at.append(state_file(slow).exists())
                now[0] += loop.KEEP_EVERY / 2 + 0.1
            return self.layer(batch.pooled)

    head = Downstream(
        name="slow",
        summary="",
        reads=MEANS,
        build=lambda **sizes: Slow(),
        recipe=recipe(epochs=4),
    )
    slow = with_downstream(task, head)
    train(slow)
    assert stored_at == [False, False, True, True]


def test_a_long_training_reports_how_far_it_is(task, kept, monkeypatch, capsys):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0.0)
    loud = dataclasses.replace(counted(task)[0], quiet=False)
    train(loud)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    title = "toy/nonlinear, emodb, fold 0, seed 0: "
    assert lines[1].startswith(f"{title}epoch 2/5, valid F1 ")
    train(loud)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{title}goes on after epoch 4"
    assert len(lines) == 2
    train(dataclasses.replace(loud, quiet=True))
    assert capsys.readouterr().err == ""
