"""Features on a GPU: those of the CPU, whatever shares a batch."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from conditions import upstream_condition
from families import SIX, TINY, Family, clips, gap
from toys import TONES, TOY

from harness.data import stored
from harness.data.manifest import read_manifest
from harness.data.places import Places
from harness.features import device as devices
from harness.features import extraction, padding, pipeline, states
from harness.features.backends import backend_of
from harness.features.extraction import Extraction, Source, Use
from harness.memory import Memory

pytestmark = pytest.mark.gpu

ROUNDING = 1e-4
LENGTHS = (1.93, 0.7, 0.41, 1.1)
HALVES = ("bfloat16", "float16")


def source_of(family, folder, precision="float32"):
    """Use a family as a run does."""
    upstream = dataclasses.replace(TOY, load=family.load)
    return Source(
        upstream=upstream,
        condition=dataclasses.replace(
            upstream_condition(upstream), precision=precision, feeding=family.feeding
        ),
        folder=folder if family.kind else None,
    )


def encoded(family, folder, device, listed, precision="float32"):
    source = source_of(family, folder, precision)
    encode = extraction.encoder(source, device)
    return extraction.encoded(encode, listed, source, device)


@pytest.mark.parametrize("name", TINY)
def test_states_are_those_of_the_cpu(tmp_path, device, name):
    TINY[name].write(tmp_path)
    listed = clips(*LENGTHS)
    alone = TINY[name].encoder(tmp_path, "cpu")
    found = encoded(TINY[name], tmp_path, device, listed)
    for clip, state in zip(listed, found, strict=True):
        assert str(state.device) == device or not devices.is_gpu(device)
        assert gap(alone([clip])[0], state) < ROUNDING


@pytest.mark.parametrize("name", ["wav2vec2-base", "whisper-small"])
def test_states_of_the_true_size_are_those_of_the_cpu(tmp_path, device, name):
    SIX[name].write(tmp_path)
    listed = clips(1.2, 0.5)
    alone = SIX[name].encoder(tmp_path, "cpu")
    found = encoded(SIX[name], tmp_path, device, listed)
    for clip, state in zip(listed, found, strict=True):
        assert gap(alone([clip])[0], state) < ROUNDING


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("name", TINY)
def test_half_precision_is_near_and_what_shares_a_batch_moves_it_little(
    tmp_path, device, name, precision
):
    TINY[name].write(tmp_path)
    listed = clips(*LENGTHS)
    exact = encoded(TINY[name], tmp_path, device, listed)
    extraction.encoder.cache_clear()
    found = encoded(TINY[name], tmp_path, device, listed, precision)
    alone = encoded(TINY[name], tmp_path, device, listed[:1], precision)[0]
    for one, other in zip([*exact, alone], [*found, found[0]], strict=True):
        assert other.dtype == torch.float32
        near = torch.cosine_similarity(one.mean(1), other.mean(1))
        assert near.min() > 0.995


@pytest.mark.parametrize("precision", ["float32", *HALVES])
def test_log_mels_are_exact_at_every_precision(tmp_path, device, precision):
    listed = clips(*LENGTHS)
    expected = TINY["fbank"].encoder(tmp_path, "cpu")(listed)
    found = encoded(TINY["fbank"], tmp_path, device, listed, precision)
    assert all(gap(a, b) < ROUNDING for a, b in zip(expected, found, strict=True))


def test_float32_is_no_tf32(device):
    one, weight = torch.randn(4, 64, 999), torch.randn(64, 64, 9)
    exact = torch.nn.functional.conv1d(one.double(), weight.double())
    found = torch.nn.functional.conv1d(one.to(device), weight.to(device)).cpu().double()
    assert (found - exact).abs().max() < 1e-5 * exact.std()
    exact = weight[:, :, 0].double() @ one[0].double()
    found = (weight[:, :, 0].to(device) @ one[0].to(device)).cpu().double()
    assert (found - exact).abs().max() < 1e-5 * exact.std()


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2, layer norm", "whisper, full"])
def test_a_batch_waits_for_nothing(tmp_path, device, without_waiting, name):
    TINY[name].write(tmp_path)
    source = source_of(TINY[name], tmp_path)
    listed = clips(*LENGTHS)
    encode = extraction.encoder(source, device)
    backend = backend_of(device)
    hidden = extraction.encoded(encode, listed, source, device)
    layers, _, dim = hidden[0].shape
    sized = dataclasses.replace(source.upstream, layers=layers, dim=dim)
    source = dataclasses.replace(source, upstream=sized)
    with without_waiting():
        hidden = extraction.encoded(encode, listed, source, device)
        found = states.reduced(source, hidden, [("pooled", "all")] * len(listed))
        wait = backend.home(list(found.values()))
    home = dict(zip(found, wait(), strict=True))
    assert torch.equal(home["all 0"], hidden[0].cpu())
    assert home["finite"].all()


def test_a_clip_of_five_minutes_fits(tmp_path, device):
    TINY["wav2vec2"].write(tmp_path)
    (state,) = encoded(TINY["wav2vec2"], tmp_path, device, clips(300.0))
    assert state.shape[1] == 14_999
    assert torch.isfinite(state).all()


# ---------------------------------------------------------------- the pipeline


@pytest.fixture
def task(tones, tmp_path, device):
    """Build the extraction of the tones by a family."""

    def task(family, device=device, precision="float32", cache="cache"):
        folder = tmp_path / "checkpoint"
        family.write(folder)
        places = Places(data=tones.parent, cache=tmp_path / cache)
        listed = read_manifest(TONES, tones, Memory(tmp_path / "facts")).recordings
        states = family.encoder(folder, "cpu")(clips(1.0))[0]
        upstream = dataclasses.replace(
            TOY, load=family.load, layers=states.shape[0], dim=states.shape[2]
        )
        condition = dataclasses.replace(
            upstream_condition(upstream), precision=precision, feeding=family.feeding
        )
        use = Use(
            upstream=dataclasses.replace(
                upstream, load=_Loading(family, folder if family.kind else None)
            ),
            condition=condition,
            plugin="test",
            places=places,
            device=device,
        )
        return Extraction(
            use=use,
            corpus=stored.store(places, listed, ()),
            first=0,
            last=len(listed),
            kinds=("pooled", "all"),
        ), [one.key for one in listed]

    return task


@dataclasses.dataclass(frozen=True)
class _Loading:
    """Loads a family from a folder that the plan knows nothing of."""

    family: Family
    folder: object

    def __call__(self, checkpoint, *, device, feeding):
        return self.family.load(self.folder, device=device, feeding=feeding)

    def __hash__(self):
        return 0


def store_of(one):
    return extraction.store_of(one.use.condition, one.use.places.cache)


@pytest.mark.parametrize("name", ["wav2vec2", "whisper, condensed", "fbank"])
def test_what_is_stored_is_what_the_cpu_stores(task, name):
    found, keys = task(TINY[name])
    expected, _ = task(TINY[name], device="cpu", cache="of the cpu")
    extraction.extract(found)
    extraction.encoder.cache_clear()
    extraction.extract(expected)
    for kind in found.kinds:
        one, other = (store_of(task).read(kind, keys) for task in (found, expected))
        for key in keys:
            like = (
                (lambda state: state) if kind == "all" else (lambda state: state[None])
            )
            assert gap(like(other[key]), like(one[key])) < 10 * ROUNDING
    record = store_of(found).record(keys)
    assert record.seconds > 0
    if devices.is_gpu(found.use.device):
        assert {"cuda", "cudnn", "driver", "float32"} <= record.versions.keys()
        assert record.versions["float32"] == "ieee"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_certificate_is_measured_as_features_are_made(task, precision):
    one, _ = task(TINY["wav2vec2"], precision=precision)
    extraction.certify(one.use)
    figures = store_of(one).certificate
    assert {f"{trial}_delta" for trial in padding.TRIALS} <= figures.keys()
    assert figures["batched_delta"] < (ROUNDING if precision == "float32" else 1.0)
    assert store_of(one).is_certified(devices.kind_of(one.use.device))


def test_out_of_memory_halves_the_batch(device, tones, tmp_path):
    listed = read_manifest(TONES, tones, Memory(tmp_path / "facts")).recordings
    seconds = sum(one.seconds for one in listed)
    said: list[str] = []
    stored_clips: list[pipeline.Clip] = []
    budget = pipeline.Budget()
    budget.seconds = 1000.0

    def encode(batch):
        if pipeline.padded(batch) > seconds / 4:
            if devices.is_gpu(device):
                torch.empty(2**50, dtype=torch.uint8, device=device)
            raise MemoryError
        return {"length": torch.tensor([clip.seconds for clip in batch], device=device)}

    steps = pipeline.Steps(
        decode=lambda recording: torch.zeros(1),
        encode=encode,
        store=lambda batch, found, took: stored_clips.extend(batch),
        report=said.append,
    )
    assert pipeline.run(listed, steps, backend_of(device), budget) == []
    assert len(stored_clips) == len(listed)
    assert "out of memory" in said[0]


def test_peak_memory_is_that_of_a_cell(device):
    large = torch.empty(2**28, dtype=torch.uint8, device=device)
    del large
    devices.reset_peak_memory(device)
    small = torch.empty(2**20, dtype=torch.uint8, device=device)
    if devices.is_gpu(device):
        assert small.nbytes <= devices.peak_memory(device) < 2**28
    else:
        assert devices.peak_memory(device) > 0


def test_another_gpu_returns_the_same(tmp_path, device):
    if devices.count_gpus() < 2:
        pytest.skip("there is one GPU")
    TINY["wav2vec2"].write(tmp_path)
    listed = clips(*LENGTHS)
    first = encoded(TINY["wav2vec2"], tmp_path, "cuda:0", listed)
    extraction.encoder.cache_clear()
    second = encoded(TINY["wav2vec2"], tmp_path, devices.prepare("cuda:1"), listed)
    assert str(second[0].device) == "cuda:1"
    assert all(gap(a, b) < ROUNDING for a, b in zip(first, second, strict=True))
