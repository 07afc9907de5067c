"""The paper's heads as s3prl trains them, and as the harness does.

    python benchmarks/s3prl_comparison.py

s3prl runs the upstream again in every step of every head; the harness runs it once.
The s3prl of PyPI is put into an environment of its own, on this one's torch. Its hub
does not import with a recent torchaudio, so its own ``UpstreamExpert`` and
``Featurizer`` are used, with the step that its runner makes: the upstream without
gradient, the weighted sum, a projection, the mean over time, a linear layer, Adam.

No run of 30 epochs is made: what a step costs a clip is measured (CPU seconds, one
thread, wav2vec2-base with random weights, clips of 1.5 to 4.5 s) and multiplied. An
epoch reads the training and the validation part; the latter is counted as a step too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from harness_plugins.upstreams import wav2vec2
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from harness import Batch
from harness.registry import Registry, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

HEADS = ("linear", "nonlinear", "multilayer")
EPOCHS = 30
CLIPS, SEEN = 535, 482  # of EmoDB, and of its training and validation parts
CLASSES = 7
PACKAGES = ("s3prl==0.4.18", "transformers<5", "huggingface-hub<1", "numpy", "tqdm")

THEIRS = """
import json, sys, time, torch
from torch.nn.functional import cosine_similarity
from s3prl.upstream.hf_wav2vec2.expert import UpstreamExpert
from s3prl.upstream.interfaces import Featurizer
folder, clips, size = sys.argv[1], torch.load(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
torch.manual_seed(0)
upstream = UpstreamExpert(folder).eval()
featurizer = Featurizer(upstream, upstream_device="cpu")
project = torch.nn.Linear(featurizer.output_dim, 256)
classify = torch.nn.Linear(256, 7)
modules = torch.nn.ModuleList([featurizer, project, classify])
optimiser = torch.optim.Adam(modules.parameters())
def step(wavs):
    with torch.no_grad():
        features = upstream(wavs)
    features = featurizer(wavs, features)
    pooled = torch.stack([project(states).mean(0) for states in features])
    labels = torch.zeros(len(wavs), dtype=torch.long)
    loss = torch.nn.functional.cross_entropy(classify(pooled), labels)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
def cost(size):
    start = time.process_time()
    for first in range(0, len(clips), size):
        step(clips[first : first + size])
    return (time.process_time() - start) / len(clips)
step(clips[:1])
with torch.no_grad():
    upstream.eval()
    batch = clips[:: max(1, len(clips) // 4)][:4]
    together = upstream(batch)["hidden_states"][-1]
    gap, std, cosines = 0.0, 0.0, []
    for states, clip in zip(together, batch):
        alone = upstream([clip])["hidden_states"][-1][0]
        states = states[: len(alone)]
        gap, std = max(gap, float((states - alone).abs().max())), float(alone.std())
        cosines.append(float(cosine_similarity(states.mean(0), alone.mean(0), dim=0)))
print(json.dumps({"step": cost(size), "gap": gap, "std": std, "cosine": min(cosines)}))
"""


def environment(folder: Path) -> Path:
    """Make an environment with s3prl in it, on this one's torch; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--no-deps", PACKAGES[0]], check=True)
        subprocess.run([*install, *PACKAGES[1:]], check=True)
        paths = {"base": str(folder), "platbase": str(folder)}
        own = Path(sysconfig.get_path("purelib", vars=paths))
        host = sysconfig.get_path("purelib")
        (own / "host.pth").write_text(f"{host}\n", encoding="utf-8")
    return python


def seconds(work: Callable[[], object]) -> float:
    """Time some work once, in CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def head_step(name: str, states: Sequence[Tensor]) -> float:
    """Measure what a training step of one of our heads costs a clip."""
    downstream = Registry.of(plugin_manager()).downstreams[name]
    layers, _, dim = states[0].shape
    reads = downstream.reads
    used = states if reads.layers == "all" else [state[-1] for state in states]
    if reads.frames:
        batch = Batch(frames=tuple(used))
    else:
        batch = Batch(pooled=torch.stack([state.mean(-2) for state in used]))
    assert downstream.build is not None
    head = downstream.build(
        layers=layers if reads.layers == "all" else 1, dim=dim, classes=CLASSES
    )
    optimiser = torch.optim.Adam(head.parameters())
    labels = torch.zeros(len(batch), dtype=torch.long)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(head(batch), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()

    step()
    return min(seconds(step) for _ in range(5)) / len(batch)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4, help="of s3prl; its own is 4")
    parser.add_argument("--environment", type=Path, help="kept, to be used again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lengths = torch.linspace(1.5, 4.5, options.clips)[torch.randperm(options.clips)]
    clips = [0.1 * torch.randn(round(16_000 * length)) for length in lengths.tolist()]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "wav2vec2-base"
        Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(folder)
        Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
        torch.save(clips, Path(temporary) / "clips.pt")
        python = environment(options.environment or Path(temporary) / "environment")
        command = [python, "-c", THEIRS, folder, Path(temporary) / "clips.pt"]
        done = subprocess.run(
            [*map(str, command), str(options.batch)], stdout=subprocess.PIPE, check=True
        )
        theirs = json.loads(done.stdout.splitlines()[-1])
        encode = wav2vec2.load(folder, device="cpu", feeding="full")
        encode(clips[:1])
        states: list[Tensor] = []
        extract = seconds(
            lambda: states.extend(encode([clip])[0] for clip in clips)
        ) / len(clips)
        four = clips[:: max(1, len(clips) // 4)][:4]
        gap = max(
            float((together[-1] - encode([clip])[0][-1]).abs().max())
            for together, clip in zip(encode(four), four, strict=True)
        )
    steps = {name: head_step(name, states) for name in HEADS}
    passes = EPOCHS * SEEN + CLIPS - SEEN  # at last, the test part
    again = len(HEADS) * passes * theirs["step"]
    once = CLIPS * extract + passes * sum(steps.values())
    print("| CPU seconds | s3prl | harness |")
    print("| --- | ---: | ---: |")
    print(f"| features, a clip | – | {extract:.3f} |")
    for name, step in steps.items():
        print(f"| a step of {name}, a clip | {theirs['step']:.3f} | {step:.5f} |")
    print(f"| 3 heads × {EPOCHS} epochs × {SEEN} clips | {again:.0f} | {once:.0f} |")
    print(f"| clip in a batch of 4: max change | {theirs['gap']:.2g} | {gap:.2g} |")
    print(f"\n{again / once:.0f} times cheaper. ", end="")
    print(
        f"s3prl's means over time in a batch: cosine {theirs['cosine']:.4f} at least."
    )


if __name__ == "__main__":
    main()
