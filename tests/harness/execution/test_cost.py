"""Predictions of a plan, against the same figures worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness import Downstream, Reads, Recipe, Upstream
from harness.execution import cost

FRAMES = Reads(layers="all", frames=True)
MEANS = Reads(layers="last", frames=False)


def head(reads, **more):
    return Downstream(name="head", summary="", reads=reads, **more)


def pair(*heads, kinds=("pooled",), missing=(4.0,), seconds=(4.0, 2.0), feeding="full"):
    """An upstream of three layers and ten dims, ten frames a second, on a few clips."""
    model = Upstream(
        name="toy",
        load=None,
        layers=3,
        dim=10,
        hop=0.1,
        window=30.0,
        parameters=1000,
        feedings=("full", "trimmed"),
    )
    clips = [SimpleNamespace(seconds=duration) for duration in seconds]
    return SimpleNamespace(
        source=SimpleNamespace(
            upstream=model, feeding=feeding, frame_type="float32", max_seconds=None
        ),
        manifest=SimpleNamespace(recordings=clips),
        missing=[SimpleNamespace(seconds=duration) for duration in missing],
        kinds=kinds,
        jobs=[SimpleNamespace(downstream=one) for one in heads],
    )


def memory(*heads, workers=1, **more):
    plan = SimpleNamespace(pairs=[pair(*heads, **more)])
    return cost.memory(plan, workers)


@pytest.mark.parametrize(
    ("kinds", "values"),
    [(("pooled",), 30), (("pooled", "last"), 430), (("pooled", "all"), 1230)],
)
def test_disk_is_four_bytes_a_value_of_what_is_stored(kinds, values):
    assert cost.disk(pair(kinds=kinds)) == 4 * values


def test_a_model_with_a_window_pays_for_all_of_it_unless_it_is_trimmed():
    assert cost.operations(pair()) == 2 * 1000 * 300
    assert cost.operations(pair(feeding="trimmed")) == 2 * 1000 * 40


def test_a_head_on_frames_pays_for_every_frame_epoch_and_weight():
    one = head(FRAMES, weights_a_frame=7, recipe=Recipe(epochs=5))
    trained = pytest.approx(6 * 7 * 0.8 * 60 * 5)
    assert cost.operations(pair(one, missing=())) == trained
    assert cost.operations(pair(head(MEANS), missing=())) == 0


def test_memory_is_that_of_the_hungriest_task():
    model = 8 * 1000 + 4 * 10 * 40 * 3
    assert memory() == cost.PROCESS + model
    hungry = head(FRAMES, bytes_a_frame=10_000, recipe=Recipe(batch=4))
    assert memory(hungry) == cost.PROCESS + 4 * 30 * 10_000
    assert memory(head(MEANS), hungry) == memory(hungry)


def test_tasks_at_once_take_their_memory_each_but_no_more_than_there_are():
    hungry = head(FRAMES, bytes_a_frame=10_000_000)
    assert memory(hungry, hungry, workers=2) == 2 * memory(hungry)
    assert memory(hungry, workers=2) == memory(hungry)
