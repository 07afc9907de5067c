"""Forecasts of tasks, against the same figures worked out by hand."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
from toys import load_toy

from harness import Cost, Downstream, Optimiser, Reads, Recipe, Resources, Upstream
from harness.execution import cost

FRAMES = Reads(layers="all", frames=True)
MEANS = Reads(layers="last", frames=False)


def recipe(**sizes):
    sizes = {"epochs": 1, "batch": 1} | sizes
    return Recipe(name="short", optimiser=Optimiser(learning_rate=1.0), **sizes)


def head(reads, *, weights=0, memory=0, **more):
    figures = Cost(weights=weights, memory=memory) if weights or memory else None
    return Downstream(name="head", summary="", reads=reads, cost=figures, **more)


def clips(*seconds):
    return tuple(SimpleNamespace(seconds=duration) for duration in seconds)


def pair(
    *,
    kinds=("pooled",),
    missing=(4.0,),
    seconds=(4.0, 2.0),
    feeding="full",
    frame_type="float32",
    max_seconds=None,
    hop=0.1,
):
    """An upstream of three layers and ten dims, ten frames a second, on a few clips."""
    upstream = Upstream(
        name="toy",
        load=load_toy,
        layers=3,
        dim=10,
        hop=hop,
        window=30.0,
        parameters=1000,
        feedings=("full", "trimmed"),
    )
    condition = SimpleNamespace(
        feeding=feeding, frame_type=frame_type, max_seconds=max_seconds
    )
    return SimpleNamespace(
        upstream=upstream,
        condition=condition,
        manifest=SimpleNamespace(recordings=clips(*seconds)),
        missing=clips(*missing),
        kinds=kinds,
    )


def extracting(**more):
    one = pair(**more)
    return cost.extracting(one, one.missing)


def operations(resources):
    return pytest.approx(resources.seconds * cost.FLOPS)


# ---------------------------------------------------------------- disk


@pytest.mark.parametrize(
    ("kinds", "values"),
    [(("pooled",), 30), (("pooled", "last"), 430), (("pooled", "all"), 1230)],
)
def test_disk_is_four_bytes_a_value_of_what_is_stored(kinds, values):
    assert cost.disk(pair(kinds=kinds)) == 4 * values


def test_frames_in_half_precision_take_half_and_means_do_not():
    half = pair(kinds=("pooled", "all"), frame_type="float16")
    assert cost.disk(half) == 4 * 30 + 2 * 1200


def test_clips_that_are_cut_take_less():
    cut = pair(kinds=("pooled", "all"), max_seconds=1.0)
    assert cost.disk(cut) == 4 * (30 + 300)


def test_one_vector_a_clip_is_one_frame():
    assert cost.disk(pair(kinds=("pooled", "all"), hop=None)) == 4 * (30 + 30)


# ---------------------------------------------------------------- extraction


@pytest.fixture
def encoding(monkeypatch):
    """Count what the model takes alone."""
    monkeypatch.setattr(cost, "DECODING", 0.0)


def test_audio_is_decoded_whatever_the_model_takes(encoding, monkeypatch):
    alone = extracting(missing=(4.0, 3.0)).seconds
    monkeypatch.setattr(cost, "DECODING", 0.5)
    assert extracting(missing=(4.0, 3.0)).seconds == alone + 0.5 * 7


def test_a_model_with_a_window_pays_for_all_of_it_unless_it_is_trimmed(encoding):
    assert 2 * 1000 * 300 == operations(extracting())
    assert 2 * 1000 * 40 == operations(extracting(feeding="trimmed"))


def test_a_clip_that_is_longer_than_the_window_pays_for_whole_windows(encoding):
    assert 2 * 1000 * 600 == operations(extracting(missing=(31.0,)))


def test_extraction_pays_for_its_own_clips(encoding):
    one = pair(feeding="trimmed", missing=(4.0, 3.0, 9.0))
    assert 2 * 1000 * 70 == operations(cost.extracting(one, one.missing[:2]))


def test_clips_that_are_cut_cost_less(encoding):
    cut = extracting(feeding="trimmed", max_seconds=1.5)
    assert 2 * 1000 * 15 == operations(cut)


def test_extraction_holds_the_model_and_the_states_of_its_clips():
    model, states = 8 * 1000, 4 * 10 * 40 * 3
    assert extracting().memory == cost.PROCESS + model + states
    stored = extracting(kinds=("pooled", "all"))
    assert stored.memory == cost.PROCESS + model + 2 * states
    last = extracting(kinds=("pooled", "last"))
    assert last.memory == cost.PROCESS + model + states + 4 * 10 * 40


def test_a_certificate_encodes_a_window_and_holds_the_model():
    found = cost.certifying(pair())
    assert 2 * 1000 * 300 == operations(found)
    assert found.memory == cost.PROCESS + 8 * 1000
    assert 2 * 1000 * 80 == operations(cost.certifying(pair(feeding="trimmed")))


def test_extraction_and_certificates_use_a_gpu():
    assert extracting().gpu
    assert cost.certifying(pair()).gpu


# ---------------------------------------------------------------- heads


def test_a_head_on_frames_pays_for_every_frame_epoch_and_weight():
    one = head(FRAMES, weights=7, recipe=recipe(epochs=5))
    assert 6 * 7 * 0.8 * 60 * 5 == operations(cost.fitting(pair(), one))


def test_a_usual_head_has_a_few_layers_of_256():
    one = head(FRAMES, recipe=recipe())
    weights = 256 * (10 + 256)
    assert 6 * weights * 0.8 * 60 == operations(cost.fitting(pair(), one))
    assert not cost.fitting(pair(), one).gpu


@pytest.mark.parametrize(
    "one", [head(MEANS, recipe=recipe(epochs=99)), head(MEANS), head(FRAMES)], ids=str
)
def test_a_head_on_means_and_one_that_fits_itself_cost_nothing_much(one):
    found = cost.fitting(pair(), one)
    assert (found.memory, found.seconds, found.gpu) == (cost.PROCESS, 0.0, False)


def test_a_head_holds_a_batch_of_clips_of_mean_length():
    large = head(FRAMES, memory=10_000, recipe=recipe(batch=4))
    assert cost.fitting(pair(), large).memory == cost.PROCESS + 4 * 30 * 10_000
    usual = head(FRAMES, recipe=recipe(batch=4))
    assert cost.fitting(pair(), usual).memory == cost.PROCESS + 4 * 30 * (8 * 4 * 256)


def test_a_head_that_says_that_it_is_costly_uses_a_gpu():
    assert cost.fitting(pair(), head(FRAMES, weights=1, recipe=recipe())).gpu


# ---------------------------------------------------------------- plans


def tasks(*memory, seconds=0.0):
    """What forecasts read of tasks."""
    return [
        SimpleNamespace(resources=Resources(memory=int(one), seconds=seconds))
        for one in memory
    ]


def test_time_is_shared_among_cores():
    assert cost.seconds(tasks(1, 1, 1, seconds=4.0), cores=6) == 2.0


def test_memory_is_that_of_the_largest_task():
    assert cost.memory(tasks(1, 9, 4), workers=1) == 9


def test_tasks_at_once_take_their_memory_each_but_no_more_than_there_are():
    assert cost.memory(tasks(9, 9, 4), workers=2) == 18
    assert cost.memory(tasks(9), workers=2) == 9
    assert cost.memory([], workers=2) == 0


def test_as_many_workers_run_as_fit_into_memory():
    """Eight tasks of 4.94 GB would take 39.5 GB; 24 GB hold four of them."""
    eight = tasks(*[39.5e9 / 8] * 8)
    assert cost.memory(eight, workers=8) == pytest.approx(39.5e9)
    workers = cost.workers_within(eight, 8, int(24e9))
    assert workers == 4
    assert cost.memory(eight, workers) <= 24e9


@pytest.mark.parametrize(
    ("memory", "workers", "free", "fitting"),
    [
        ([1e9], 8, 24e9, 8),
        ([1e9, 12e9, 1e9], 8, 24e9, 2),
        ([24e9], 8, 24e9, 1),
        ([90e9], 8, 24e9, 1),
        ([90e9], 8, 0, 1),
        ([], 8, 24e9, 8),
        ([5e9], 1, 24e9, 1),
    ],
)
def test_at_least_one_worker_and_no_more_than_asked(memory, workers, free, fitting):
    assert cost.workers_within(tasks(*memory), workers, int(free)) == fitting


def test_not_all_of_the_free_memory_is_taken(monkeypatch):
    memory = SimpleNamespace(available=1000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert cost.free_memory() == 900


def test_resources_are_pickled_with_their_task():
    found = extracting()
    assert pickle.loads(pickle.dumps(found)) == found
