"""Extraction on the CPU beside bare transformers, CTranslate2 and an older self.

    HARNESS_DATA=… python benchmarks/extraction.py
    HARNESS_DATA=… python benchmarks/extraction.py --before OTHER/.venv/bin/python
    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/extraction.py \\
        --models whisper-base --peers

The paper's six models have random weights of their true sizes, Whisper base those of
``$HARNESS_CHECKPOINTS``. Recordings are EmoDB's. Every way reads the files, resamples
and encodes clip by clip, in one thread of a process of its own; the ways take each
recording by turns, so that a noisy machine disturbs all alike. The harness also
checks, averages and stores all layers' frames. The clock is the process' CPU time.
``--before`` names the Python of another environment, with the harness to compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile
import torch
import transformers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Way = Callable[[Path], object]

HERE = Path(__file__).parent
SIX = (
    *("wav2vec2-base", "wav2vec2-large", "xls-r-300m"),
    *("whisper-small-en", "whisper-small", "whisper-medium"),
)
FEEDINGS = ("full", "condensed", "trimmed")
PEERS = ("ctranslate2 float32", "ctranslate2 int8")
WARM = 1
"""Recordings before those that are timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", default=",".join(SIX))
    parser.add_argument("--files", type=int, default=8, help="a quarter for Whisper")
    parser.add_argument("--before", help="a Python with another harness")
    parser.add_argument("--peers", action="store_true", help="feedings, CTranslate2")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(*options.worker)
        return
    ways = ["transformers", *(["before"] if options.before else []), "full"]
    if options.peers:
        ways += [*FEEDINGS[1:], *PEERS]
    print(line(["model", "clips", *(f"{way}, s a clip" for way in ways), "ratios"]))
    print(line(["---", *["---:"] * (len(ways) + 1), "---"]))
    for model in options.models.split(","):
        count = options.files if model.startswith("wav2vec") else options.files // 4
        count = options.files if model in ("xls-r-300m", "whisper-base") else count
        measure(model, ways, max(1, count), options.before)


def measure(model: str, ways: list[str], count: int, before: str | None) -> None:
    """Time the ways by turns, and print a row."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = checkpoint_of(model, Path(name) / "checkpoint")
        workers = {
            way: stack.enter_context(worker(way, model, folder, Path(name), before))
            for way in ways
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        for path in recordings(count + WARM):
            for way, process in workers.items():
                took[way].append(ask(process, path))
    seconds = {way: statistics.median(times[WARM:]) for way, times in took.items()}
    ratios = [
        f"{way} / full "
        f"{statistics.median(a / b for a, b in pairs(took[way], took['full'])):.2f}"
        for way in ways
        if way != "full"
    ]
    times = [f"{seconds[way]:.3f}" for way in ways]
    print(line([model, str(count), *times, "; ".join(ratios)]), flush=True)


def pairs(one: list[float], other: list[float]) -> Iterator[tuple[float, float]]:
    """Pair the times of the same recordings."""
    return zip(one[WARM:], other[WARM:], strict=True)


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def recordings(count: int) -> list[Path]:
    """Choose recordings of EmoDB, spread over the speakers."""
    paths = sorted((Path(os.environ["HARNESS_DATA"]) / "emodb" / "wav").glob("*.wav"))
    return paths[:: max(1, len(paths) // count)][:count]


def checkpoint_of(model: str, folder: Path) -> Path:
    """Return a checkpoint's folder: a real one, or one of random weights."""
    if model not in SIX:
        return Path(os.environ["HARNESS_CHECKPOINTS"]) / model
    sys.path.insert(0, str(HERE.parent / "tests"))
    from families import SIX as FAMILIES

    FAMILIES[model].write(folder)
    return folder


# ---------------------------------------------------------------- workers


@contextlib.contextmanager
def worker(
    way: str, model: str, folder: Path, scratch: Path, before: str | None
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that times one way."""
    python = before if way == "before" and before else sys.executable
    command = [python, __file__, "--worker", way, model, str(folder), str(scratch)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(process: subprocess.Popen[str], path: Path) -> float:
    """Let a worker take a recording; return its CPU seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    for said in process.stdout:
        if said.startswith('{"seconds"'):
            return float(json.loads(said)["seconds"])
    raise SystemExit(f"{process.args!r} ended: see what it said above.")


def serve(way: str, model: str, folder: str, scratch: str) -> None:
    """Take recordings from stdin, one a line, and print the time that each took."""
    torch.set_num_threads(1)
    take = way_of(way, model, Path(folder), Path(scratch))
    for said in sys.stdin:
        began = time.process_time()
        take(Path(said.strip()))
        print(json.dumps({"seconds": time.process_time() - began}), flush=True)


def way_of(way: str, model: str, folder: Path, scratch: Path) -> Way:
    if way == "transformers":
        return bare(folder)
    if way in PEERS:
        return peer(folder, scratch, way.partition(" ")[2])
    feeding = "full" if way == "before" else way
    return harness(model, folder, scratch / way, feeding)


def bare(folder: Path) -> Way:
    """What one would write in a notebook, resampled as EmoDB needs none."""
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
    encoder = getattr(model, "encoder", None) if "Whisper" in str(type(model)) else None

    @torch.inference_mode()
    def take(path: Path) -> object:
        samples, rate = soundfile.read(path, dtype="float32")
        inputs = prepare(samples, sampling_rate=rate, return_tensors="pt")
        if encoder is not None:
            return encoder(inputs["input_features"], output_hidden_states=True)
        return model(inputs["input_values"], output_hidden_states=True)

    return take


def peer(folder: Path, scratch: Path, kind: str) -> Way:
    """Whisper's encoder by CTranslate2, which returns the last layer alone."""
    import ctranslate2
    import numpy as np

    converted = scratch / f"ctranslate2-{kind}"
    ctranslate2.converters.TransformersConverter(str(folder)).convert(
        str(converted), quantization=kind
    )
    model = ctranslate2.models.Whisper(
        str(converted), device="cpu", compute_type=kind, intra_threads=1
    )
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)

    def take(path: Path) -> object:
        samples, rate = soundfile.read(path, dtype="float32")
        mel = prepare(samples, sampling_rate=rate, return_tensors="np")
        found = np.ascontiguousarray(mel["input_features"], np.float32)
        states = model.encode(ctranslate2.StorageView.from_array(found), to_cpu=True)
        return np.array(states)

    return take


def harness(name: str, folder: Path, cache: Path, feeding: str) -> Way:
    """Extract by the harness: checked, averaged, all layers' frames stored."""
    from uses import use_of

    from harness.data import audio, stored
    from harness.data.manifest import Recording
    from harness.features import extraction
    from harness.types import Utterance

    data = Path(os.environ["HARNESS_DATA"])
    use = use_of(name, folder, data=data, cache=cache, feeding=feeding)
    places = use.places
    extraction.encoder(extraction.find_source(use, places), "cpu")

    def take(path: Path) -> None:
        probe = audio.probe(path)
        utterance = Utterance(id=path.name, path=path.name, label="x", speaker="x")
        facts = {key: value for key, value in probe.items() if key != "problem"}
        one = Recording(utterance=utterance, path=path, **facts)  # type: ignore[arg-type]
        task = extraction.Extraction(
            use=use,
            corpus=stored.store(places, [one], ()),
            first=0,
            last=1,
            kinds=("pooled", "all"),
        )
        extraction.extract(task)

    return take


if __name__ == "__main__":
    main()
