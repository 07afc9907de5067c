"""What a GPU makes of extraction: exactness, rates, share of the peak, peers, heads.

    make gpu                                  the tests of a GPU, then this
    python benchmarks/gpu.py --seconds 3 --clips 2048 --precision float32,bfloat16
    python benchmarks/gpu.py --device cpu:0 --clips 4      the rehearsal without one

Nothing is downloaded: weights are random and of the true sizes, clips are made. It
prints markdown tables:

* how far the states of each family on the device are from those of the CPU, clip by
  clip, over the deviation of a layer; of the six models with their true sizes, too;
* for each model and precision: seconds of audio a second through the encoder alone, and
  by the harness from files to the store; arithmetic a second over that of a matrix
  product measured beside; the same clips by transformers in padded batches with an
  attention mask, over ours; memory at its peak, and bytes a clip to the host;
* steps a second of heads on frames, on the device and on the CPU.

Of the clips so many are taken as last ``--within`` seconds a measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile
import torch
import transformers

from harness.data import audio, stored
from harness.data.manifest import Recording
from harness.features import device as devices
from harness.features import extraction
from harness.registry import Registry, plugin_manager
from harness.training.dataset import Dataset
from harness.training.loop import Fitting, fit
from harness.training.metrics import macro_f1
from harness.types import Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from harness.types import Precision

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from families import SIX, TINY, Family, clips, gap  # the tests' own
from uses import use_of

RATE = 16_000
BATCH = 32  # of transformers' padded batches
PRODUCT = 8192  # rows and columns of the matrices whose product is timed
HEADS = ("nonlinear", "multilayer")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--models", default=",".join(SIX))
    parser.add_argument("--seconds", type=float, default=3.0, help="of a clip, median")
    parser.add_argument("--clips", type=int, default=2048)
    parser.add_argument("--precision", default="float32,bfloat16")
    parser.add_argument("--within", type=float, default=8.0, help="s a measurement")
    options = parser.parse_args()
    device = devices.prepare(options.device)
    torch.set_grad_enabled(False)
    print(f"{devices.describe(device)}; {devices.versions(device)}\n", flush=True)
    families(device)
    rates(device, options)
    torch.set_grad_enabled(True)
    heads(device)


def line(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def head_line(*columns: str) -> None:
    line(list(columns))
    line(["---", *["---:"] * (len(columns) - 1)])


def wait(device: str) -> None:
    if devices.is_gpu(device):
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Time work on a device until it is done."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


# ---------------------------------------------------------------- exactness


def families(device: str) -> None:
    """Compare every family, in a batch on the device, with the CPU clip by clip."""
    head_line("family, tiny", "max \\|Δ\\|/std")
    for name, family in TINY.items():
        with tempfile.TemporaryDirectory() as folder:
            family.write(Path(folder))
            line([name, f"{distance(family, Path(folder), device):.1e}"])
    print()


def distance(family: Family, folder: Path, device: str) -> float:
    """Return how far a batch is from the same clips one by one on the CPU."""
    listed = clips(1.93, 0.7, 0.41, 1.1)
    alone, batched = (family.encoder(folder, one) for one in ("cpu", device))
    found = batched(listed)
    return max(gap(alone([a])[0], b) for a, b in zip(listed, found, strict=True))


# ---------------------------------------------------------------- rates


def rates(device: str, options: argparse.Namespace) -> None:
    """Print a row for each model and precision."""
    precisions = options.precision.split(",")
    peaks = {one: product_rate(device, one) for one in precisions}
    for precision, peak in peaks.items():
        print(f"matrix product, {precision}: {peak / 1e12:.1f} TFLOP/s")
    print()
    head_line(
        *("model", "precision", "max \\|Δ\\|/std to the CPU", "clips"),
        *("encoder, s of audio a s", "files to store, s of audio a s"),
        *("of the product", "transformers / ours, time", "peak, GB", "kB a clip home"),
    )
    for model in options.models.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            SIX[model].write(folder / "checkpoint")
            exact = distance(SIX[model], folder / "checkpoint", device)
            for precision in precisions:
                row = Row(model, precision, device, folder, options)
                line([model, precision, f"{exact:.1e}", *row.cells(peaks[precision])])
                extraction.encoder.cache_clear()


class Row:
    """A model at a precision, on generated clips."""

    def __init__(
        self,
        model: str,
        precision: Precision,
        device: str,
        folder: Path,
        options: argparse.Namespace,
    ) -> None:
        self.model, self.precision, self.device = model, precision, device
        self.folder, self.options = folder, options
        self.use = use_of(
            model,
            folder / "checkpoint",
            data=folder,
            cache=folder / "cache",
            precision=precision,
            device=device,
        )
        self.source = extraction.find_source(self.use, self.use.places)
        self.encode = extraction.encoder(self.source, device)

    def encoded(self, batch: list[Tensor]) -> list[Tensor]:
        return extraction.encoded(self.encode, batch, self.source, self.device)

    def cells(self, peak: float) -> list[str]:
        """Measure, and return what a table shows."""
        probe = waveforms(min(BATCH, self.options.clips), self.options.seconds)
        self.encoded(probe)
        each = seconds_of(lambda: self.encoded(probe), self.device) / len(probe)
        count = max(1, min(self.options.clips, int(self.options.within / each)))
        listed = sorted(waveforms(count, self.options.seconds), key=len, reverse=True)
        batches = [listed[n : n + 256] for n in range(0, count, 256)]
        length = sum(map(len, listed)) / RATE
        devices.reset_peak_memory(self.device)
        took = seconds_of(lambda: [self.encoded(b) for b in batches], self.device)
        memory = devices.peak_memory(self.device)
        stored_in, home = self.extracted(listed)
        peer = self.peer()
        peer(probe)
        loop = seconds_of(lambda: peer(listed), self.device)
        work = operations(self.use, listed)
        return [
            str(count),
            f"{length / took:.1f}",
            f"{length / stored_in:.1f}",
            f"{work / took / peak:.2f}",
            f"{loop / took:.2f}",
            f"{memory / 1e9:.1f}",
            f"{home / count / 1e3:.0f}",
        ]

    def extracted(self, listed: list[Tensor]) -> tuple[float, int]:
        """Time the harness from wav files to stored means; return bytes stored, too."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            places = dataclasses.replace(
                self.use.places, data=Path(name), cache=Path(name) / "cache"
            )
            task = extraction.Extraction(
                use=dataclasses.replace(self.use, places=places),
                corpus=stored.store(places, list(written(listed, Path(name))), ()),
                first=0,
                last=len(listed),
                kinds=("pooled",),
            )
            took = seconds_of(lambda: extraction.extract(task), self.device)
            store = extraction.store_of(self.use.condition, places.cache)
            return took, store.bytes("pooled")

    def peer(self) -> Callable[[list[Tensor]], None]:
        """Load transformers' own, which encodes padded batches as documented."""
        folder = self.folder / "checkpoint"
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
        model = model.eval().to(self.device)
        prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
        whisper = "whisper" in self.model
        more = {} if whisper else {"padding": True, "return_attention_mask": True}
        kind = self.device.partition(":")[0]
        half: Any = contextlib.nullcontext()
        if self.precision != "float32":
            half = torch.autocast(kind, dtype=getattr(torch, self.precision))

        def encode(listed: list[Tensor]) -> None:
            for start in range(0, len(listed), BATCH):
                samples = [one.numpy() for one in listed[start : start + BATCH]]
                inputs = prepare(
                    samples, sampling_rate=RATE, return_tensors="pt", **more
                ).to(self.device)
                with half:
                    if whisper:
                        mel = inputs["input_features"]
                        found = model.encoder(mel, output_hidden_states=True)
                    else:
                        found = model(**inputs, output_hidden_states=True)
                _ = [state.float().mean(1).cpu() for state in found.hidden_states or ()]

        return encode


def waveforms(count: int, seconds: float) -> list[Tensor]:
    """Make clips of half to one and a half times so many seconds."""
    random = torch.Generator().manual_seed(0)
    lengths = seconds * (0.5 + torch.rand(count, generator=random))
    return [
        0.1 * torch.randn(int(RATE * length), generator=random)
        for length in lengths.tolist()
    ]


def written(listed: list[Tensor], folder: Path) -> Iterator[Recording]:
    """Write clips as wav files, in an order that is not that of their lengths."""
    order = torch.randperm(len(listed), generator=torch.Generator().manual_seed(1))
    for place in order.tolist():
        path = folder / f"{place}.wav"
        soundfile.write(path, listed[place].numpy(), RATE)
        probe = audio.probe(path)
        utterance = Utterance(id=path.name, path=path.name, label="x", speaker="x")
        facts: Any = {key: value for key, value in probe.items() if key != "problem"}
        yield Recording(utterance=utterance, path=path, **facts)


def operations(use: Any, listed: list[Tensor]) -> float:
    """Count the encoder's operations: two a weight and frame, of what is encoded."""
    upstream, hop = use.upstream, use.upstream.hop
    encoded = [upstream.window or len(one) / RATE for one in listed]
    frames = sum(encoded) / hop
    blocks = 2 * 12 * upstream.layers * upstream.dim**2 * frames
    attention = (
        4 * upstream.layers * upstream.dim * sum((s / hop) ** 2 for s in encoded)
    )
    front = 4.9e9 * sum(encoded)  # of wav2vec 2.0's convolutions, a second of audio
    if upstream.window:
        front = 2 * 2 * 3 * upstream.dim * (80 + upstream.dim / 2) * frames
    return float(blocks + attention + front)


def product_rate(device: str, precision: str) -> float:
    """Measure a plain matrix product, in operations a second."""
    size = PRODUCT if devices.is_gpu(device) else PRODUCT // 8
    kind = getattr(torch, precision)
    one, other = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    torch.mm(one, other)
    took = seconds_of(lambda: [torch.mm(one, other) for _ in range(10)], device)
    return 10 * 2 * size**3 / took


# ---------------------------------------------------------------- heads


def heads(device: str) -> None:
    """Print how many steps of heads on frames are made a second."""
    print()
    head_line("head", "device", "steps a second")
    registry = Registry.of(plugin_manager())
    random = torch.Generator().manual_seed(0)
    for name in HEADS:
        head = registry.downstreams[name]
        assert head.recipe is not None
        short = dataclasses.replace(
            head, recipe=dataclasses.replace(head.recipe, epochs=2)
        )
        shape = (150, 768) if name == "nonlinear" else (12, 150, 768)
        frames = tuple(torch.randn(shape, generator=random) for _ in range(128))
        part = Dataset(frames=frames, labels=torch.arange(128) % 4)
        for place in dict.fromkeys((device, "cpu")):
            fitting = Fitting(
                downstream=short, classes=4, selection=macro_f1, seed=0, device=place
            )
            fit(fitting, part, part)
            took = seconds_of(lambda: fit(fitting, part, part), place)  # noqa: B023 - called at once
            line([name, place, f"{2 * 128 / head.recipe.batch / took:.1f}"])


if __name__ == "__main__":
    main()
