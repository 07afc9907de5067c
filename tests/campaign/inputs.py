"""Audio, tables and checkpoints with mutations: a result, or one sentence."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from campaign import world
from campaign.tally import Try
from campaign.tries import attempt
from tiny import WAV2VEC2, WHISPER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from campaign.world import Done, World

SECONDS = 20
"""For one input; what takes longer hangs."""

BATCH = 20  # inputs of one process

PROGRESS = "progress"
"""A file with a line for each input that was begun or is done."""

Wrong = str
"""What is wrong with how an input was treated; empty where nothing is."""


# ---------------------------------------------------------------- in batches


def tries(there: World, kind: str, count: int, seed: int) -> Iterator[Try]:
    """Feed inputs of one kind to the program, many in a process."""
    for first in range(0, count, BATCH):
        seeds = range(seed + first, seed + min(first + BATCH, count))
        yield Try(
            f"input: {kind}",
            f"seeds from {seeds[0]}",
            partial(_batch, there, kind, list(seeds)),
            count=len(seeds),
        )


def _batch(there: World, kind: str, seeds: list[int]) -> Iterator[Wrong]:
    """Feed inputs, and go on after one that ended its process."""
    root = there.copy("runs", "cache")
    while seeds:
        (root / PROGRESS).write_text("")
        ended = attempt(feed, root, kind, seeds, patience=SECONDS * len(seeds) + 60)
        lines = list(map(json.loads, (root / PROGRESS).read_text().splitlines()))
        yield from (line["wrong"] for line in lines if line.get("wrong"))
        if ended.value is not None:
            break
        begun = [line["seed"] for line in lines if "wrong" not in line]
        what = "hangs" if ended.code == -signal.SIGALRM else f"ended: {ended.code}"
        yield f"seed {begun[-1] if begun else seeds[0]} {what} {ended.said[-800:]}"
        seeds = seeds[max(len(begun), 1) :]
    shutil.rmtree(root)


def feed(root: Path, kind: str, seeds: list[int]) -> bool:
    """Feed inputs here."""
    with (root / PROGRESS).open("a", buffering=1) as progress:
        for seed in seeds:
            progress.write(json.dumps({"seed": seed}) + "\n")
            signal.alarm(SECONDS)
            wrong = KINDS[kind](root, random.Random(seed))
            signal.alarm(0)
            said = f"seed {seed}: {wrong}" if wrong else ""
            progress.write(json.dumps({"seed": seed, "wrong": said}) + "\n")
    return True


def judged(done: Done, how: str) -> Wrong:
    """Say what is wrong with how a command ended."""
    if found := world.faults_of(done):
        return f"{how}: {found[0]}"
    if done.code not in (0, 2, 3):
        return f"{how}: it left with {done.code}: {done.err}"
    if done.code and not (done.out + done.err).strip():
        return f"{how}: it left with {done.code} and says nothing"
    return ""


def mutated(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Change some bytes, or how many there are."""
    changed, at = bytearray(data), rng.randrange(len(data))
    how = rng.choice(["bytes", "bytes", "header", "cut", "longer", "twice", "without"])
    if how == "bytes":
        for _ in range(rng.randint(1, 16)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
    elif how == "header":
        changed[rng.randrange(min(64, len(data)))] = rng.choice([0, 1, 127, 128, 255])
    elif how == "cut":
        del changed[at:]
    elif how == "longer":
        changed += rng.randbytes(rng.randint(1, 5000))
    elif how == "twice":
        changed[at:at] = data[at : at + rng.randint(1, 2000)]
    else:
        del changed[at : at + rng.randint(1, 2000)]
    return bytes(changed), f"{how} at {at} of {len(data)}"


# ---------------------------------------------------------------- audio and tables

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
}
CLAIMING = {"wav", "float.wav", "flac", "aiff"}
"""Formats that say how long they are, so that a cut must be seen."""


def audio(root: Path, rng: random.Random) -> Wrong:
    """Check a corpus of one mutated recording."""
    ending = rng.choice(list(FORMATS))
    form, subtype = FORMATS[ending]
    path = root / "data" / f"input.{ending}"
    draw = np.random.default_rng(rng.randrange(2**32))
    soundfile.write(path, world.voice(draw, 200), 16_000, subtype, format=form)
    content = path.read_bytes()
    changed, how = mutated(content, rng)
    path.write_bytes(changed)
    table = root / "data" / "input.csv"
    table.write_text(f"path,label,speaker\n{path.name},calm,s0\n")
    done = world.call(root, "corpus", "check", f"csv:{table}")
    path.unlink()
    lost = len(content) - len(changed)
    if done.code == 0 and how.startswith("cut") and ending in CLAIMING and lost > 64:
        return f"{ending}, {how}: it is taken as whole"
    return judged(done, f"{ending}, {how}")


WORDS = ("", "nan", "unknown", "..", "/", "\0", "0", "-1", "1e999", "\ufeff", "«»", '"')


def table(root: Path, rng: random.Random) -> Wrong:
    """Check a corpus whose table is mutated."""
    text = (root / world.TABLE).read_text()
    if rng.random() < 0.5:
        rows = [line.split(",") for line in text.splitlines()]
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(WORDS)
        changed, how = "\n".join(map(",".join, rows)).encode(), f"{row}"
    else:
        changed, how = mutated(text.encode(), rng)
    path = root / "data" / "input.csv"
    path.write_bytes(changed)
    verb = rng.choice([("corpus", "check"), ("split",)])
    return judged(world.call(root, *verb, f"csv:{path}"), how)


# ---------------------------------------------------------------- checkpoints

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3, 10**11, 2**63, 1e308, float("nan"), float("inf")),
    *("", "x", "gelu", [], [1], [0] * 7, [-1] * 7, [10**9] * 7, {}, {"a": 1}),
)
ADDED = (
    *("quantization_config", "dither", "do_normalize", "sampling_rate", "torch_dtype"),
    *("attn_implementation", "rope_theta", "auto_map", "layerdrop", "add_adapter"),
)


def make_checkpoints(root: Path) -> None:
    """Write a tiny model of each family, as the hub has it."""
    import torch
    import transformers

    torch.manual_seed(0)
    for name in ("Wav2Vec2", "Hubert", "WavLM"):
        config = getattr(transformers, f"{name}Config")(**WAV2VEC2)
        folder = root / "checkpoints" / name.lower()
        getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    folder = root / "checkpoints" / "whisper"
    settings = transformers.WhisperConfig(**WHISPER)
    transformers.WhisperForConditionalGeneration(settings).save_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
    extractor.save_pretrained(folder)


def checkpoint(root: Path, rng: random.Random) -> Wrong:
    """Run a model whose configuration is mutated."""
    source = rng.choice(sorted((root / "checkpoints").iterdir()))
    folder = root / "mutated"
    shutil.copytree(source, folder)
    path = folder / rng.choice(["config.json", "preprocessor_config.json"])
    if rng.random() < 0.2:
        changed, how = mutated(path.read_bytes(), rng)
        path.write_bytes(changed)
    else:
        how = _with_another_value(path, rng)
    words = [f"hf:{folder}" if word == "fbank" else word for word in world.RUN]
    done = world.call(root, *words)
    for left in (folder, root / "cache", root / "runs"):
        shutil.rmtree(left, ignore_errors=True)
    return judged(done, f"{source.name} {path.name}: {how}")


def _with_another_value(path: Path, rng: random.Random) -> str:
    settings = json.loads(path.read_text())
    key = rng.choice([*settings, *ADDED])
    if key in settings and rng.random() < 0.2:
        del settings[key]
        how = f"no {key}"
    else:
        settings[key] = rng.choice(VALUES)
        how = f"{key} = {settings[key]!r}"
    path.write_text(json.dumps(settings))
    return how


KINDS: dict[str, Callable[[Path, random.Random], Wrong]] = {
    "audio": audio,
    "table": table,
    "checkpoint": checkpoint,
}
SHARES = {"audio": 0.6, "table": 0.25, "checkpoint": 0.15}


def mutate(there: World, count: int, seed: int) -> Iterator[Try]:
    """Feed inputs of all kinds."""
    shares = (
        tries(there, kind, max(round(share * count), 1), seed)
        for kind, share in SHARES.items()
    )
    return itertools.chain.from_iterable(shares)
