"""What a head reads of a part: shapes, types, layers, batches."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from conditions import upstream_condition
from harness_plugins.downstreams import layerwise, linear, multilayer, nonlinear
from torch import nn

from harness import Downstream, Optimiser, Reads, Recipe
from harness.features.extraction import store_of
from harness.training.dataset import Dataset
from harness.training.loop import Fitting, fit
from harness.training.metrics import macro_f1

N, L, D = 6, 3, 4
KEYS = [f"key{n}" for n in range(N)]
EVERY_READS = [
    Reads(layers=layers, frames=frames)
    for layers in ("last", "all", "each")
    for frames in (False, True)
]


@pytest.fixture(params=["float32", "float16"])
def store(tmp_path, request):
    """Features of N utterances, their frames in float32 or in float16."""
    random = torch.Generator().manual_seed(0)
    store = store_of(upstream_condition(frame_type=request.param), tmp_path)
    states = {
        key: torch.randn(L, 5 + n, D, generator=random) for n, key in enumerate(KEYS)
    }
    frames = {key: one.to(getattr(torch, request.param)) for key, one in states.items()}
    store.write("pooled", {key: one.mean(1) for key, one in states.items()}, {})
    store.write("all", frames, {})
    return store


def labels(n=N):
    return torch.arange(n) % 2


@pytest.mark.parametrize("reads", EVERY_READS, ids=str)
def test_a_batch_is_float32_whatever_is_stored(store, reads):
    dataset = Dataset.of(store, KEYS, labels(), reads)
    batch = dataset.batch([4, 0], "cpu")
    assert len(batch) == 2
    if reads.frames:
        (one, other), shape = batch.frames, (9, D)
        assert one.dtype == other.dtype == torch.float32
        assert one.shape == (shape if reads.layers == "last" else (L, *shape))
    else:
        assert batch.pooled is not None
        assert batch.pooled.dtype == torch.float32
        assert batch.pooled.shape == ((2, D) if reads.layers == "last" else (2, L, D))


@pytest.mark.parametrize("reads", EVERY_READS, ids=str)
def test_a_dataset_knows_its_layers_and_dims(store, reads):
    dataset = Dataset.of(store, KEYS, labels(), reads)
    assert len(dataset) == N
    assert dataset.dim == D
    assert dataset.layers == (1 if reads.layers == "last" else L)


@pytest.mark.parametrize("frames", [False, True])
def test_one_layer_of_all_is_read_as_the_last_one_is(store, frames):
    every = Dataset.of(store, KEYS, labels(), Reads(layers="all", frames=frames))
    last = Dataset.of(store, KEYS, labels(), Reads(layers="last", frames=frames))
    one, other = (d.batch(slice(None), "cpu") for d in (every.layer(L), last))
    if frames:
        assert all(map(torch.equal, one.frames, other.frames))
    else:
        assert one.pooled is not None
        assert other.pooled is not None
        assert torch.equal(one.pooled, other.pooled)
    assert every.layer(1).layers == 1


def test_frames_are_neither_converted_nor_copied_before_a_batch_is_made(store):
    every = Dataset.of(store, KEYS, labels(), Reads(layers="all", frames=True))
    second = every.layer(2).frames[0]
    assert second.dtype == getattr(torch, store.identity["frame_type"])
    assert second.untyped_storage().data_ptr() == (
        every.frames[0].untyped_storage().data_ptr()
    )


def test_batches_hold_every_example_once_and_in_order(store):
    reads = Reads(layers="last", frames=True)
    dataset = Dataset.of(store, KEYS, labels(), reads)
    lengths = [[len(f) for f in batch.frames] for batch in dataset.batches(4, "cpu")]
    assert lengths == [[5, 6, 7, 8], [9, 10]]


def test_permuting_moves_labels_and_nothing_else():
    dataset = Dataset(pooled=torch.randn(40, D), labels=torch.arange(40))
    one, same, other = (dataset.permuted(seed) for seed in (0, 0, 1))
    assert sorted(one.labels.tolist()) == list(range(40))
    assert one.labels.tolist() != dataset.labels.tolist()
    assert torch.equal(one.labels, same.labels)
    assert not torch.equal(one.labels, other.labels)
    assert one.pooled is dataset.pooled


# ---------------------------------------------------------------- heads


def fitting(downstream):
    return Fitting(downstream=downstream, classes=2, selection=macro_f1, seed=0)


def short(downstream, **changes):
    recipe = dataclasses.replace(downstream.recipe, epochs=2, batch=4)
    return dataclasses.replace(downstream, recipe=recipe, **changes)


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer, layerwise])
def test_every_head_trains_on_what_is_stored(store, module):
    (head,) = module.harness_downstreams()
    dataset = Dataset.of(store, KEYS, labels(), head.reads)
    fitted = fit(fitting(short(head)), dataset, dataset)
    assert fitted.predict(dataset).shape == (N, 2)
    assert fitted.predict(dataset).dtype == torch.float32


def test_a_head_on_each_layers_frames_trains_on_what_is_stored(store):
    (head,) = nonlinear.harness_downstreams()
    each = short(head, reads=Reads(layers="each", frames=True))
    dataset = Dataset.of(store, KEYS, labels(), each.reads)
    fitted = fit(fitting(each), dataset, dataset)
    assert len(fitted.probes) == L
    assert torch.equal(
        fitted.predict(dataset), fitted.probes[fitted.layer - 1].predict(dataset)
    )


def test_own_training_gets_float32_whatever_is_stored(store):
    seen: list[torch.dtype] = []

    def fit_own(train, labels, *, valid, classes, seed):
        seen.extend(frames.dtype for frames in train.frames)
        return lambda batch: torch.ones(len(batch), classes)

    reads = Reads(layers="all", frames=True)
    own = Downstream(name="own", summary="", reads=reads, fit=fit_own)
    dataset = Dataset.of(store, KEYS, labels(), reads)
    fit(fitting(own), dataset, dataset)
    assert seen == [torch.float32] * N


def test_the_layer_with_the_lowest_error_is_taken_where_low_is_good():
    """Only the second of three layers says anything of the labels."""
    random = torch.Generator().manual_seed(0)
    pooled = torch.randn(40, L, D, generator=random)
    pooled[:, 1, 0] += 8 * labels(40)
    errors = dataclasses.replace(
        macro_f1, score=lambda found: 1 - macro_f1.score(found), higher_is_better=False
    )
    head = Downstream(
        name="head",
        summary="",
        reads=Reads(layers="each", frames=False),
        build=lambda *, layers, dim, classes: Means(dim, classes),
        recipe=Recipe(
            name="x", epochs=20, batch=20, optimiser=Optimiser(learning_rate=0.05)
        ),
    )
    dataset = Dataset(pooled=pooled, labels=labels(40))
    for selection in (macro_f1, errors):
        asked = dataclasses.replace(fitting(head), selection=selection)
        assert fit(asked, dataset, dataset).layer == 2


class Means(nn.Module):
    """Classes, linear in the means over time."""

    def __init__(self, dim, classes):
        super().__init__()
        self.classify = nn.Linear(dim, classes)

    def forward(self, batch):
        return self.classify(batch.pooled)
