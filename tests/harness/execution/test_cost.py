"""Forecasts of tasks, against the same figures worked out by hand."""

from __future__ import annotations

import pickle
from dataclasses import replace
from types import SimpleNamespace

import pytest
from harness_plugins.upstreams import whisper
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


ATTENTION = 4 * 10 * 3
"""Operations for each pair of frames of an upstream of ten dims and three layers."""


def encoded(*frames):
    """Count what 1000 weights and attention take of so many frames each."""
    return sum(n * (2 * 1000 + ATTENTION * min(n, 300)) for n in frames)


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
    """Count what the model takes alone, at the full GEMM rate."""
    monkeypatch.setattr(cost, "DECODING", 0.0)
    monkeypatch.setattr(cost, "ENCODING", 1.0)


def test_audio_is_decoded_whatever_the_model_takes(encoding, monkeypatch):
    alone = extracting(missing=(4.0, 3.0)).seconds
    monkeypatch.setattr(cost, "DECODING", 0.5)
    assert extracting(missing=(4.0, 3.0)).seconds == alone + 0.5 * 7


def test_a_model_with_a_window_pays_for_all_of_it_unless_it_is_trimmed(encoding):
    assert encoded(300) == operations(extracting())
    assert encoded(40) == operations(extracting(feeding="trimmed"))


def test_a_clip_that_is_longer_than_the_window_pays_for_whole_windows(encoding):
    assert encoded(600) == operations(extracting(missing=(31.0,)))


def test_extraction_pays_for_its_own_clips(encoding):
    one = pair(feeding="trimmed", missing=(4.0, 3.0, 9.0))
    assert encoded(40, 30) == operations(cost.extracting(one, one.missing[:2]))


def test_clips_that_are_cut_cost_less(encoding):
    cut = extracting(feeding="trimmed", max_seconds=1.5)
    assert encoded(15) == operations(cut)


def test_an_upstream_says_how_many_frames_it_computes(encoding):
    one = pair(feeding="trimmed")
    one.upstream = replace(one.upstream, computed=lambda feeding, frames: frames + 7)
    assert encoded(47) == operations(cost.extracting(one, one.missing))


def test_weights_that_convolutions_meet_again_are_counted(encoding):
    one = pair(feeding="trimmed")
    one.upstream = replace(one.upstream, front=500)
    found = cost.extracting(one, one.missing)
    assert encoded(40) + 2 * 500 * 40 == operations(found)


def test_a_checkpoint_of_unknown_size_is_taken_for_its_transformer_blocks(encoding):
    """``hf:`` opens no weights; a feature without a checkpoint takes no time."""
    one = pair(feeding="trimmed")
    one.upstream = replace(one.upstream, parameters=0)
    assert cost.extracting(one, one.missing).seconds == 0
    one.upstream = replace(one.upstream, checkpoint="somebody/something")
    blocks = 12 * 3 * 10**2
    found = cost.extracting(one, one.missing)
    assert 40 * (2 * blocks + ATTENTION * 40) == operations(found)


@pytest.mark.parametrize("feeding", ["full", "condensed", "trimmed"])
@pytest.mark.parametrize("frames", [1, 50, 140, 1474, 1500, 1501, 3100])
def test_whisper_says_how_many_frames_it_computes(feeding, frames):
    pieces = [min(1500, frames - start) for start in range(0, frames, 1500)]
    contexts = [whisper._context(feeding, piece, 1500) for piece in pieces]
    expected = sum(len(positions) for positions, _ in contexts)
    assert whisper.computed(feeding, frames) == expected


def test_extraction_holds_the_model_and_the_states_of_its_clips():
    model, states = 8 * 1000, 4 * 10 * 40 * 3
    assert extracting().memory == cost.PROCESS + model + states
    stored = extracting(kinds=("pooled", "all"))
    assert stored.memory == cost.PROCESS + model + 2 * states
    last = extracting(kinds=("pooled", "last"))
    assert last.memory == cost.PROCESS + model + states + 4 * 10 * 40


def test_a_certificate_encodes_five_clips_and_holds_the_model(encoding):
    found = cost.certifying(pair())
    assert encoded(*[300] * 5) == operations(found)
    assert found.memory == cost.PROCESS + 8 * 1000
    trimmed = cost.certifying(pair(feeding="trimmed"))
    assert encoded(10, 10, 20, 20, 20) == operations(trimmed)


def test_extraction_and_certificates_use_a_gpu():
    assert extracting().gpu
    assert cost.certifying(pair()).gpu


# ---------------------------------------------------------------- heads


@pytest.fixture
def fitting(monkeypatch):
    """Count what heads compute alone, at the full GEMM rate."""
    monkeypatch.setattr(cost, "STEP", 0.0)
    monkeypatch.setattr(cost, "FITTING", 1.0)
    monkeypatch.setattr(cost, "READING", 1.0)


TEN = [3.0] * 10
"""Durations of ten clips, of thirty frames each."""


def test_a_head_on_frames_pays_for_every_frame_epoch_and_weight(fitting):
    one = head(FRAMES, weights=7, recipe=recipe(epochs=5))
    expected = (6 * 0.8 + 2 * 0.1) * 7 * 300 * 5
    assert expected == operations(cost.fitting(pair(), one, TEN))


def test_a_usual_head_has_two_layers_of_256(fitting):
    """The first needs no gradient of its inputs, unless they are a sum of layers."""
    first, second = 256 * 10, 256 * 256
    valid = 0.1 * 2 * (first + second)
    last = head(Reads(layers="last", frames=True), recipe=recipe())
    expected = 300 * (0.8 * (4 * first + 6 * second) + valid)
    assert expected == operations(cost.fitting(pair(), last, TEN))
    summed = 300 * (0.8 * 6 * (first + second) + valid)
    read = 300 * (2 * 0.8 + 0.1) * 4 * 3 * 10
    found = cost.fitting(pair(), head(FRAMES, recipe=recipe()), TEN)
    assert summed + read == operations(found)
    assert not found.gpu


def divided(folds, recordings):
    """A pair of which only the folds and the recordings are looked at."""
    return SimpleNamespace(
        division=SimpleNamespace(split=SimpleNamespace(folds=folds)),
        manifest=SimpleNamespace(recordings=recordings),
    )


def test_parts_of_a_split_are_those_of_its_folds(fitting):
    folds = [SimpleNamespace(train=range(2), valid=range(1))] * 3
    assert cost.shares(divided(folds, range(4))) == (0.5, 0.25)
    one = head(FRAMES, weights=7, recipe=recipe())
    found = cost.fitting(pair(), one, TEN, parts=(0.5, 0.25))
    assert (6 * 0.5 + 2 * 0.25) * 7 * 300 == operations(found)


def test_an_incomplete_last_batch_is_not_trained_on(fitting):
    one = head(FRAMES, weights=7, recipe=recipe(batch=5))
    expected = (6 * 0.5 + 2 * 0.1) * 7 * 300  # five of the eight
    assert expected == operations(cost.fitting(pair(), one, TEN))


def test_every_step_takes_a_moment(monkeypatch):
    monkeypatch.setattr(cost, "STEP", 2.0)
    clips = [1.0] * 100
    means = head(MEANS, recipe=recipe(epochs=3, batch=32))
    assert cost.fitting(pair(), means, clips).seconds == 3 * 2 * 2.0
    each = head(Reads(layers="each", frames=False), recipe=recipe(epochs=3, batch=32))
    assert cost.fitting(pair(), each, clips).seconds == 3 * (3 * 2 * 2.0)


def test_heads_on_means_hold_next_to_nothing():
    means = cost.fitting(pair(), head(MEANS, recipe=recipe(epochs=9)))
    assert (means.memory, means.gpu) == (cost.PROCESS, False)


def test_a_head_that_fits_itself_pays_for_every_value_that_it_reads():
    clips, parts = [1.0] * 100, (0.5, 0.1)

    def forecast(**more):
        resources = cost.fitting(pair(), head(**more), clips, parts=parts)
        assert not resources.gpu
        return operations(resources)

    assert forecast(reads=MEANS) == 50 * 10 * cost.OWN
    assert forecast(reads=MEANS, weights=7) == 50 * 10 * 7
    each = Reads(layers="each", frames=False)
    assert forecast(reads=each, weights=7) == 3 * 50 * 10 * 7
    assert forecast(reads=MEANS, control="label-only") == 0


LAST = Reads(layers="last", frames=True)


def test_a_head_holds_a_batch_of_clips_of_mean_length():
    large = head(LAST, memory=10_000, recipe=recipe(batch=4))
    assert cost.fitting(pair(), large, TEN).memory == cost.PROCESS + 4 * 30 * 10_000
    usual = head(LAST, recipe=recipe(batch=4))
    assert cost.fitting(pair(), usual, TEN).memory == cost.PROCESS + 4 * 30 * (
        8 * 4 * 256
    )


@pytest.mark.parametrize(("frame_type", "copies"), [("float32", 2), ("float16", 5)])
def test_a_sum_of_layers_is_held_with_its_gradient_and_what_is_converted(
    frame_type, copies
):
    """In float32 layers are mapped; from float16 they are copied."""
    summed = head(FRAMES, recipe=recipe(batch=4))
    found = cost.fitting(pair(frame_type=frame_type), summed, TEN).memory
    held = 8 * 4 * 256 + copies * 4 * 10
    assert found == cost.PROCESS + 4 * 30 * held


def test_a_head_that_says_that_it_is_costly_uses_a_gpu():
    assert cost.fitting(pair(), head(FRAMES, weights=1, recipe=recipe())).gpu


# ---------------------------------------------------------------- plans


def tasks(*memory, seconds=0.0):
    """What forecasts read of tasks."""
    return [
        SimpleNamespace(resources=Resources(memory=int(one), seconds=seconds))
        for one in memory
    ]


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
