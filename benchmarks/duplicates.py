"""Measure how many copies of recordings are found in another form, and what that costs.

    python benchmarks/duplicates.py CORPUS_FOLDER [--copies 200]

Prints of the corpus itself which pairs are candidates and which are found, though no
copy was planted; what a sketch costs beside decoding; how long the index of 100 000
sketches takes; and for each kind of copy the shares that are candidates and found.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch

from harness.data import audio, decoding, fingerprint, takes
from harness.data.resampling import resample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Clip = tuple[NDArray[np.float32], int]

TRIM = 0.2
"""Seconds that are cut off at an end."""


def gain(clip: Clip) -> Clip:
    """Take off 6 dB."""
    return clip[0] * np.float32(0.5), clip[1]


def at(rate: int) -> Callable[[Clip], Clip]:
    """Return a change to another rate."""

    def changed(clip: Clip) -> Clip:
        return resample(torch.from_numpy(clip[0]), clip[1], rate).numpy(), rate

    return changed


def narrow(clip: Clip) -> Clip:
    """Go to 8 kHz and back."""
    return at(clip[1])(at(8000)(clip))


def coded(
    form: str, subtype: str, level: float | None = None
) -> Callable[[Clip], Clip]:
    """Return a way through a lossy codec."""

    def changed(clip: Clip) -> Clip:
        file = io.BytesIO()
        more = {} if level is None else {"compression_level": level}
        soundfile.write(file, *clip, format=form, subtype=subtype, **more)
        file.seek(0)
        samples, rate = soundfile.read(file, dtype="float32")
        return samples, rate

    return changed


def trimmed(clip: Clip) -> Clip:
    """Cut off the beginning."""
    return clip[0][int(TRIM * clip[1]) :], clip[1]


KINDS: dict[str, tuple[Callable[[Clip], Clip], ...]] = {
    "gain": (gain,),
    "8 kHz and back": (narrow,),
    "22.05 kHz": (at(22_050),),
    "44.1 kHz": (at(44_100),),
    "MP3": (coded("MP3", "MPEG_LAYER_III"),),
    "MP3, lowest": (coded("MP3", "MPEG_LAYER_III", 0.99),),
    "Opus, low": (coded("OGG", "OPUS", 0.9),),
    "Vorbis, low": (coded("OGG", "VORBIS", 0.9),),
    "trim": (trimmed,),
    "trim, gain": (trimmed, gain),
    "trim, MP3": (trimmed, coded("MP3", "MPEG_LAYER_III")),
    "trim, Opus": (trimmed, coded("OGG", "OPUS", 0.9)),
    "8 kHz, MP3": (narrow, coded("MP3", "MPEG_LAYER_III")),
    "22.05 kHz, Vorbis": (at(22_050), coded("OGG", "VORBIS", 0.9)),
}


def recall(clips: Sequence[Clip], copies: int) -> None:
    """Print what is found of each kind of copy."""
    chosen = list(clips[:: max(1, len(clips) // copies)])
    sketches = [fingerprint.sketch(*clip) for clip in chosen]
    print(f"\n{len(chosen)} copies of each kind\n")
    print("| copy | candidates | found |\n|---|---|---|")
    for kind, steps in KINDS.items():
        candidates = found = 0
        for clip, own in zip(chosen, sketches, strict=True):
            other = clip
            for step in steps:
                other = step(other)
            if fingerprint.candidates([own, fingerprint.sketch(*other)]):
                candidates += 1
                found += takes.agree(takes.lowered(*clip), takes.lowered(*other))
        share = candidates / len(chosen), found / len(chosen)
        print(f"| {kind} | {share[0]:.3f} | {share[1]:.3f} |", flush=True)


def false_alarms(clips: Sequence[Clip]) -> None:
    """Print which pairs of the corpus itself are candidates, and which are found."""
    pairs = fingerprint.candidates([fingerprint.sketch(*clip) for clip in clips])
    started = time.perf_counter()
    found = [
        p for p in pairs if takes.agree(*(takes.lowered(*clips[one]) for one in p))
    ]
    spent = time.perf_counter() - started
    count = len(clips) * (len(clips) - 1) // 2
    print(
        f"\nOf {count} pairs of the corpus {len(pairs)} are candidates "
        f"({len(pairs) / count:.1e}), and {len(found)} are found "
        f"({len(found) / count:.1e}); comparing took {spent:.1f} s: {found[:5]}"
    )


def cost(files: Sequence[Path], clips: Sequence[Clip]) -> None:
    """Print what a sketch takes beside reading, decoding and describing a file."""
    for path in files[:20]:
        audio.probe(path)
    started = time.perf_counter()
    for path in files:
        audio.probe(path)
    whole = time.perf_counter() - started
    started = time.perf_counter()
    for clip in clips:
        fingerprint.sketch(*clip)
    sketches = time.perf_counter() - started
    print(
        f"\nA sketch takes {1e3 * sketches / len(clips):.2f} ms, describing a file "
        f"with it {1e3 * whole / len(files):.2f} ms: {100 * sketches / whole:.0f} %."
    )


def index(sketches: Sequence[str], count: int = 100_000) -> None:
    """Print how long the index of many sketches takes, of which most are random."""
    rng = np.random.default_rng(0)
    made = list(sketches)
    for _ in range(count - len(made)):
        hashes = np.sort(rng.integers(0, 2**28, fingerprint.HASHES)).astype("<u4")
        places = rng.integers(0, 300, fingerprint.HASHES).astype("<u2")
        made.append(fingerprint.packed(hashes, places))
    started = time.perf_counter()
    found = fingerprint.candidates(made)
    spent = time.perf_counter() - started
    print(
        f"\nThe index of {count} sketches took {spent:.1f} s: {len(found)} candidates."
    )


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=200)
    asked = parser.parse_args()
    files = sorted(asked.folder.rglob("*.wav"))
    sounds = [decoding.decode(decoding.read(path), path.name) for path in files]
    clips = [(sound.mono, sound.rate) for sound in sounds]
    false_alarms(clips)
    cost(files, clips)
    index([fingerprint.sketch(*clip) for clip in clips])
    recall(clips, asked.copies)


if __name__ == "__main__":
    main()
