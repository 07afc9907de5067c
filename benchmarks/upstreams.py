"""How fast the paper's six upstreams are, and what loading them takes.

    python benchmarks/upstreams.py
    python benchmarks/upstreams.py --models wav2vec2-base,whisper-small --threads 2

Weights are random and of the true size, clips are noise of 1.5 to 4.5 s. In every
round each upstream gets the same clips in each of the ways that are compared, one
after another, and a matrix product is timed beside; the table has the rounds' medians.
With one thread the clock is the process' CPU time, which neighbours on the machine
disturb least; with more it is the wall's.

It prints a markdown table:

* clips a second, clip by clip, as the harness extracts on a CPU;
* arithmetic per second, and that over the machine's rate of matrix products;
* the time of a bare loop over the model in transformers, over ours;
* the time of one padded batch in transformers with an attention mask, over ours;
* the time of Whisper's full feeding over that of each of its others;
* the memory that loading adds at its peak, beside the checkpoint's size.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from harness_plugins.upstreams import wav2vec2, whisper
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForPreTraining,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from transformers import PreTrainedModel

    Encode = Callable[[list[Tensor]], object]
    Shape = tuple[int, ...]

RATE = 16_000
BATCH = 8
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
WAV2VEC2 = {
    "wav2vec2-base": Wav2Vec2Config(),
    "wav2vec2-large": Wav2Vec2Config(**LARGE),
    "xls-r-300m": Wav2Vec2Config(**LARGE, **STABLE),
}
SIZES = {  # layers, dims, heads
    "whisper-small-en": (12, 768, 12),
    "whisper-small": (12, 768, 12),
    "whisper-medium": (24, 1024, 16),
}
NAMES = (*WAV2VEC2, *SIZES)
COLUMNS = (
    "upstream",
    "clips/s",
    "GFLOP/s",
    "of GEMM",
    "loop / ours",
    f"batch of {BATCH} / ours",
    "full / condensed",
    "full / trimmed",
    "loading, MB",
    "checkpoint, MB",
)


def whisper_config(name: str) -> WhisperConfig:
    """Return the configuration of one of Whisper's sizes."""
    layers, dim, heads = SIZES[name]
    return WhisperConfig(
        d_model=dim,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * dim,
        decoder_ffn_dim=4 * dim,
        vocab_size=51864 if name.endswith("en") else 51865,
    )


def build(name: str, folder: Path) -> PreTrainedModel:
    """Make a whole model of random weights, and save it as the hub has it."""
    torch.manual_seed(0)
    if name in WAV2VEC2:
        model = Wav2Vec2ForPreTraining(WAV2VEC2[name])
        Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    else:
        model = WhisperForConditionalGeneration(whisper_config(name))
        WhisperFeatureExtractor().save_pretrained(folder)
    model.save_pretrained(folder)
    return model.eval()


def bare(model: PreTrainedModel, folder: Path) -> Encode:
    """Encode clips as transformers' documentation does, in one padded batch."""
    kind = Wav2Vec2FeatureExtractor
    if isinstance(model, WhisperForConditionalGeneration):
        kind, inner = WhisperFeatureExtractor, model.model.encoder
    else:
        inner = model.wav2vec2
    extractor = kind.from_pretrained(folder)
    padding = {} if kind is WhisperFeatureExtractor else {"padding": True}

    @torch.inference_mode()
    def encode(clips: list[Tensor]) -> object:
        waveforms = [clip.numpy() for clip in clips]
        inputs = extractor(
            waveforms, sampling_rate=RATE, return_tensors="pt", **padding
        )
        if len(clips) == 1:  # nothing is padded
            inputs.pop("attention_mask", None)
        return inner(**inputs, output_hidden_states=True)

    return encode


def one_by_one(encode: Encode) -> Encode:
    """Encode each clip alone, as the harness does on a CPU."""
    return lambda clips: [encode([clip]) for clip in clips]


def batched(encode: Encode) -> Encode:
    """Encode clips in batches."""
    return lambda clips: [
        encode(clips[start : start + BATCH]) for start in range(0, len(clips), BATCH)
    ]


def compare(
    ways: dict[str, Encode], clips: list[Tensor], rounds: int, threads: int
) -> dict[str, float]:
    """Time each way of encoding in turns; return the median seconds of each."""
    clock = time.process_time if threads == 1 else time.perf_counter
    took: dict[str, list[float]] = {way: [] for way in ways}
    for encode in ways.values():
        encode(clips[:1])
    for _ in range(rounds):
        for way, encode in ways.items():
            start = clock()
            encode(clips)
            took[way].append(clock() - start)
    return {way: statistics.median(seconds) for way, seconds in took.items()}


def multiply(_: object) -> None:
    """Do 100 GFLOP of matrix products, as large as those of a Transformer."""
    left, right = torch.ones(1500, 1024), torch.ones(1024, 4096)
    for _ in range(8):
        torch.mm(left, right)


def attention(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    """Count an attention's operations."""
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


UNCOUNTED = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention,
}
PRODUCTS = 8 * 2 * 1500 * 1024 * 4096 / 1e9  # GFLOP of ``multiply``

LOADING = """
import sys, torch, transformers.models.{family}.modeling_{family} as _
from pathlib import Path
from harness_plugins.upstreams import {family}
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000
before = peak()
encode = {family}.load(Path(sys.argv[1]), device="cpu", feeding="full")
print(peak() - before)
"""


def loading(family: str, folder: Path) -> float:
    """Measure what loading adds to a fresh process' memory at its peak, in MB."""
    code = LOADING.format(family=family)
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def row(name: str, options: argparse.Namespace, folder: Path) -> list[str]:
    """Measure an upstream."""
    family = wav2vec2 if name in WAV2VEC2 else whisper
    short = family.__name__.rpartition(".")[2]
    model = build(name, folder)
    transformers = bare(model, folder)
    feedings = whisper.FEEDINGS if family is whisper else ("full",)
    ours = {
        feeding: one_by_one(family.load(folder, device="cpu", feeding=feeding))
        for feeding in feedings
    }
    count = options.clips if family is wav2vec2 else -(-options.clips // 4)
    random = torch.Generator().manual_seed(0)
    clips = [
        0.1 * torch.randn(round(RATE * seconds), generator=random)
        for seconds in torch.linspace(1.5, 4.5, count).tolist()
    ]
    ways = {
        "multiply": multiply,
        "loop": one_by_one(transformers),
        "batch": batched(transformers),
        **ours,
    }
    took = compare(ways, clips, options.rounds, options.threads)
    with FlopCounterMode(display=False, custom_mapping=UNCOUNTED) as counter:
        ours["full"](clips)
    arithmetic = counter.get_total_flops() / 1e9 / took["full"]
    others = [
        f"{took['full'] / took[feeding]:.2f}" if feeding in took else "–"
        for feeding in whisper.FEEDINGS[1:]
    ]
    size = (folder / "model.safetensors").stat().st_size / 1e6
    return [
        name,
        f"{count / took['full']:.2f}",
        f"{arithmetic:.0f}",
        f"{arithmetic / (PRODUCTS / took['multiply']):.2f}",
        f"{took['loop'] / took['full']:.2f}",
        f"{took['batch'] / took['full']:.2f}",
        *others,
        f"{loading(short, folder):.0f}",
        f"{size:.0f}",
    ]


def line(cells: list[str]) -> str:
    """Write a row of a markdown table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--clips", type=int, default=8, help="a quarter for Whisper")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(line(list(COLUMNS)))
    print(line(["---", *["---:"] * (len(COLUMNS) - 1)]))
    for name in options.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            print(line(row(name, options, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
