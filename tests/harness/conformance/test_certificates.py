"""What a padding certificate measures, and who carries it."""

from __future__ import annotations

import pyarrow.parquet
from culprits import on_waveforms, padding, spoilt
from toys import GRID, TOY

from harness.conformance import UpstreamCheck
from harness.features import padding as certificate


def measured(upstream):
    return certificate.measure(UpstreamCheck(offer=upstream).encode, upstream.rate)


def test_a_certificate_has_every_layer():
    moved = measured(TOY)
    assert {trial: len(one.delta) for trial, one in moved.items()} == {
        "batched": 3,
        "silence": 3,
        "repeated": 3,
    }


def test_what_reads_frames_alone_is_moved_by_nothing():
    assert max(certificate.figures(measured(TOY)).values()) < 1e-6


def test_a_leak_is_measured_and_put_into_words():
    moved = measured(spoilt(padding))
    assert certificate.figures(moved)["batched_delta"] > 0.01
    assert "Features depend on what shares the batch" in certificate.verdicts(moved)[0]


def test_what_depends_on_the_whole_clip_is_moved_by_silence_alone():
    loudness = on_waveforms(lambda waveform: waveform / waveform.norm() * 30)
    peak = on_waveforms(lambda waveform: waveform / len(waveform) * 16_000)
    figures = certificate.figures(measured(spoilt(peak)))
    assert figures["batched_delta"] == 0
    assert figures["silence_distance"] > 1e-6
    assert certificate.figures(measured(spoilt(loudness)))["repeated_distance"] > 1e-6


def test_a_result_carries_the_certificate(harness, tmp_path):
    harness("run", *GRID, "--downstream", "linear", "--no-controls")
    row = pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()[0]
    figures = dict(row["extraction"]["certificate"])
    assert figures.keys() == {
        f"{trial}_{what}"
        for trial in certificate.TRIALS
        for what in ("delta", "distance")
    }
    assert figures["batched_delta"] <= certificate.ROUNDING


def test_a_certificate_is_made_once_a_store(harness, tmp_path):
    harness("run", *GRID, "--downstream", "linear", "--no-controls")
    (made,) = (tmp_path / "cache" / "features").glob("*/certificate.json")
    before = made.stat().st_mtime_ns
    harness("run", *GRID, "--downstream", "nonlinear", "--no-controls")
    assert made.stat().st_mtime_ns == before
