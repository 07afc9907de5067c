"""Forecasts of runs: scaled by this machine's rate, corrected by trials."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness import Resources
from harness.cli.remaining import Remaining
from harness.execution import cost
from harness.execution.forecast import STARTING, Speed, forecast, measured_rate


def tasks(*seconds, memory=1, gpu=False):
    """What forecasts read of tasks; their kinds are unknown."""
    return [
        SimpleNamespace(
            id=str(number),
            payload=None,
            resources=Resources(memory=memory, seconds=one, gpu=gpu),
        )
        for number, one in enumerate(seconds)
    ]


def test_time_is_shared_among_cores():
    found = forecast(tasks(4.0, 4.0, 4.0), Speed(), cores=2, free=10)
    assert (found.workers, found.memory) == (2, 2)
    assert found.seconds == STARTING + 6.0


def test_a_run_lasts_as_long_as_its_longest_task():
    found = forecast(tasks(9.0, 1.0), Speed(), cores=2, free=10)
    assert found.seconds == STARTING + 9.0


def test_nothing_takes_no_time():
    assert forecast([], Speed(), cores=2, free=10).seconds == 0


def test_as_many_tasks_run_at_once_as_memory_allows_and_the_rest_is_named():
    found = forecast(tasks(1.0, 1.0, memory=6), Speed(), cores=4, free=10)
    assert (found.workers, found.memory, found.too_large) == (1, 6, ())
    large = forecast(tasks(1.0, 1.0, memory=11), Speed(), cores=4, free=10)
    assert (large.workers, large.too_large) == (1, ("0", "1"))


def test_a_fast_machine_and_a_trial_scale_what_a_nominal_core_takes():
    (task,) = tasks(6.0)
    assert Speed(rate=3 * cost.FLOPS).seconds(task) == pytest.approx(2.0)
    tried = Speed(rate=3 * cost.FLOPS, trials={(): 1.5})
    assert tried.seconds(task) == pytest.approx(3.0)


def test_a_gpu_speeds_up_what_can_use_it():
    speed = Speed(gpu=100 * cost.FLOPS)
    (able,), (unable,) = tasks(6.0, gpu=True), tasks(6.0)
    assert speed.seconds(able) == pytest.approx(0.06)
    assert speed.seconds(unable) == 6.0


def test_the_rate_of_this_machine_is_above_a_hundredth_of_the_nominal_one():
    assert measured_rate() > cost.FLOPS / 100


# ---------------------------------------------------------------- what remains


def test_without_a_forecast_the_rest_goes_on_as_before():
    rest = Remaining(total=10)
    assert rest.seconds(5.0) is None
    rest.advance(2)
    assert rest.seconds(5.0) == pytest.approx(20.0)


def test_before_anything_is_done_the_forecast_is_what_remains():
    assert Remaining(total=60, forecast=100.0).seconds(0.0) == pytest.approx(100.0)


def test_many_short_parts_at_first_do_not_hide_the_long_ones():
    """Half of the cells are done in a hundredth of the time."""
    rest = Remaining(total=60, forecast=1000.0)
    rest.advance(30, 10.0)
    left = rest.seconds(10.0)
    assert left == pytest.approx(990.0)


def test_a_machine_that_is_slower_than_forecast_is_believed_in_time():
    rest = Remaining(total=10, forecast=100.0)
    found = []
    for done in range(1, 10):
        rest.advance(1, 10.0)
        left = rest.seconds(elapsed=3 * 10.0 * done)
        assert left is not None
        found.append(left / (3 * (100 - 10.0 * done)))
    assert 0.6 < found[0] < 0.7
    assert found == sorted(found)
    assert found[-1] > 0.9


def test_more_than_was_forecast_leaves_nothing():
    rest = replace(Remaining(total=2, forecast=10.0))
    rest.advance(1, 9.0)
    rest.advance(0, 9.0)
    assert rest.seconds(50.0) == 0.0
