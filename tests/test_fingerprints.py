"""Every number that a version guards, beside that version: both move or neither.

``tests/fingerprints.json`` holds a few figures of each upstream family on a made-up
voice, of each head after three epochs on the toy, of decoding, splitting and padding,
and the versions under which they were made. Where a figure moves, its version is to be
raised; then this writes the table anew::

    python tests/test_fingerprints.py --update
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
import transformers
from harness_plugins.corpora import _demo, demo
from harness_plugins.downstreams import (
    ast as spectrogram_transformer,
)
from harness_plugins.downstreams import (
    chance,
    knn,
    layerwise,
    linear,
    logistic,
    majority,
    multilayer,
    nonlinear,
    permuted,
    ridge,
)
from harness_plugins.upstreams import (
    _wav2vec2_bert,
    fbank,
    hf,
    hubert,
    random,
    wav2vec2,
    wavlm,
    whisper,
)
from tiny import LAYER_NORM, WAV2VEC2, WAV2VEC2_BERT, WHISPER
from toys import TOY

from harness.conformance.toy import Toy, fit_toy
from harness.data import audio
from harness.features import extraction, padding
from harness.registry.options import with_defaults
from harness.splits import folds
from harness.splits.strategies import harness_splits, make_split
from harness.training import loop
from harness.types import SplitOptions, Utterance
from harness.types.canonical import sha256_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("fingerprints.json")
UPDATE = "run `python tests/test_fingerprints.py --update`"
DIGITS = 4
TOLERANCE = 1e-3
"""Of a figure: twice what rounding to four digits may cost."""
LEAST = 1e-5
"""What no figure is exact to: training ends with other last bits on another machine."""

PINNED = 5
"""The transformers that the table was made with; others draw other initial weights."""


@dataclass(frozen=True)
class Fingerprint:
    """Figures, and the versions that must be raised where they move.

    Attributes:
        versions: By the name of the constant that holds each.
        figures: Computes them.
    """

    versions: dict[str, Any]
    figures: Callable[[], list[float | str]]


# ---------------------------------------------------------------- upstreams

FAMILIES = {
    "wav2vec2": ("Wav2Vec2Model", WAV2VEC2, wav2vec2.load),
    "wav2vec2, layer norm": ("Wav2Vec2Model", WAV2VEC2 | LAYER_NORM, wav2vec2.load),
    "hubert": ("HubertModel", WAV2VEC2, hubert.load),
    "wavlm": ("WavLMModel", WAV2VEC2, wavlm.load),
    "wavlm, layer norm": ("WavLMModel", WAV2VEC2 | LAYER_NORM, wavlm.load),
    "data2vec-audio": (
        "Data2VecAudioModel",
        WAV2VEC2 | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5},
        hf.LOADS["data2vec-audio"],
    ),
    "wav2vec2-bert": ("Wav2Vec2BertModel", WAV2VEC2_BERT, _wav2vec2_bert.load),
}


def seeded(name: str, shape: Iterable[int]) -> Tensor:
    """Draw a tensor that its name alone decides."""
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
    return torch.randn(tuple(shape), generator=generator)


def write_checkpoint(folder: Path, kind: str, settings: dict[str, Any]) -> None:
    """Write a tiny model whose weights are drawn by their names, as the hub has it."""
    model_class = getattr(transformers, kind)
    model = model_class(model_class.config_class(**settings))
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if weight.is_floating_point():
                noise = seeded(name, weight.shape)
                weight.copy_(noise.abs() + 0.5 if weight.ndim == 1 else 0.4 * noise)
    model.save_pretrained(folder)
    if kind == "Wav2Vec2BertModel":
        transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
    elif kind == "WhisperModel":
        transformers.WhisperFeatureExtractor(
            feature_size=20, chunk_length=2
        ).save_pretrained(folder)
    else:
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def states_of(
    load: Callable[..., Any], kind: str, settings: dict[str, Any], feeding: str
) -> list[float | str]:
    """Encode two clips with a tiny checkpoint."""
    with tempfile.TemporaryDirectory() as name:
        write_checkpoint(Path(name), kind, settings)
        encode = load(Path(name), device="cpu", feeding=feeding)
        clips = [padding.voice(0.6, 16_000), padding.voice(1.1, 16_000, seed=1)]
        return [figure for states in encode(clips) for figure in summary(states)]


def bank(**options: int) -> list[float | str]:
    """Encode a clip with fbank."""
    chosen = fbank.Options(**options)
    encode = fbank.load(None, device="cpu", feeding="full", options=chosen)
    return summary(encode([padding.voice(0.6, 16_000)])[0])


def random_states() -> list[float | str]:
    """Encode with weights that ``random:`` draws for a configuration."""
    offers = {offer.name: offer for offer in wav2vec2.harness_upstreams()}
    drawn = random.harness_upstream("random:wav2vec2-base", offers.__getitem__)
    assert drawn is not None
    return states_of(drawn.load, "Wav2Vec2Model", WAV2VEC2, "full")


def summary(values: Tensor) -> list[float | str]:
    """Reduce an array to its size and, layer by layer, to three numbers."""
    layers = values.detach().double().reshape(len(values), -1)
    wave = torch.cos(torch.arange(layers.shape[1], dtype=torch.float64))
    figures = (layers.mean(1), layers.std(1), (layers * wave).mean(1))
    return [str(tuple(values.shape)), *torch.stack(figures).T.flatten().tolist()]


# ---------------------------------------------------------------- heads


def offer_of(module: Any) -> Any:
    """Return the one head of a module."""
    (head,) = module.harness_downstreams()
    return head


def small_ast() -> Any:
    """Return an AST of one block, whose weights do not depend on transformers."""
    offer = next(iter(spectrogram_transformer.harness_downstreams()))
    return replace(offer, build=build_small_ast)


def build_small_ast(*, layers: int, dim: int, classes: int) -> torch.nn.Module:
    head = spectrogram_transformer.build(
        layers=layers, dim=dim, classes=classes, width=64, blocks=1
    )
    with torch.no_grad():
        for name, weight in head.named_parameters():
            weight.copy_(0.1 * seeded(name, weight.shape))
    return head


def trained(head: Any) -> list[float | str]:
    """Train a head for three epochs on the toy, or let it train itself."""
    trial = fit_toy(head, Toy.of(1), epochs=3)
    curve = [
        value
        for epoch in trial.fitted.history
        for value in (epoch.train_loss, epoch.valid_loss)
    ]
    return [*curve, *summary(trial.scores[None])]


def head_of(head: Any, *modules: Any) -> Fingerprint:
    """Guard a head by the versions of its modules, the loop's and its recipe."""
    recipe = asdict(head.recipe) if head.recipe else None
    versions = {
        f"{module.__name__.rpartition('.')[2]}.VERSION": module.VERSION
        for module in (*modules, loop)
    }
    versions["its recipe"] = sha256_json(recipe)[:8]
    return Fingerprint(versions, partial(trained, head))


# ---------------------------------------------------------------- data


def decoded() -> list[float | str]:
    """Decode and resample a stereo file."""
    time = np.arange(44_100) / 44_100
    left = 0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time)
    right = 0.2 * np.sin(2 * np.pi * 3000 * time)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "tones.wav"
        soundfile.write(file, np.stack([left, right], 1), 44_100, "PCM_16")
        whole = audio.load(file, 16_000)
        part = audio.load(file, 8_000, start=0.25, end=0.75, max_seconds=0.4)
    return [*summary(whole[None]), *summary(part[None])]


def synthesised() -> list[float | str]:
    """Synthesise the demo's first recordings."""
    first = zip(range(3), _demo.recordings(), strict=False)
    return [
        figure
        for _, (name, waveform) in first
        for figure in (name, *summary(torch.from_numpy(waveform)[None]))
    ]


def demo_utterances() -> Iterator[Utterance]:
    """List the demo's utterances without their sound."""
    for speaker, favourite in _demo.FAVOURITES.items():
        emotions = _demo._emotions(favourite, _demo.CONFOUND)
        for take, emotion in enumerate(emotions):
            sentence = f"{speaker[0]}{take % 6 + 1}"
            name = f"{speaker}-{sentence}-{emotion}-{take:02}.wav"
            yield Utterance(
                id=name, path=name, label=emotion, speaker=speaker, sentence=sentence
            )


STRATEGIES = {
    strategy.name: strategy for strategy in (*harness_splits(), *folds.harness_splits())
}


def divided(strategy: str) -> list[float | str]:
    """Divide the demo."""
    split = make_split(STRATEGIES[strategy], demo_utterances(), SplitOptions())
    return [split.sha256[:16]]


def padded() -> list[float | str]:
    """Measure a certificate, of an upstream that looks over the whole clip."""

    def encode(waveforms: Iterable[Tensor]) -> list[Tensor]:
        frames = TOY.load(None, device="cpu", feeding="full")
        loud = [waveform / waveform.norm() for waveform in waveforms]
        return list(frames(loud))

    figures = padding.figures(padding.measure(encode, 16_000))
    return [value for key in sorted(figures) for value in (key, figures[key])]


# ---------------------------------------------------------------- the table


def fingerprints() -> dict[str, Fingerprint]:
    """List everything that is guarded."""
    made = {
        f"upstream: {name}": Fingerprint(
            {"wav2vec2.VERSION": wav2vec2.VERSION},
            partial(states_of, load, kind, settings, "full"),
        )
        for name, (kind, settings, load) in FAMILIES.items()
    }
    for feeding in whisper.FEEDINGS:
        made[f"upstream: whisper, {feeding}"] = Fingerprint(
            {"whisper.VERSION": whisper.VERSION},
            partial(states_of, whisper.load, "WhisperModel", WHISPER, feeding),
        )
    made["upstream: random"] = Fingerprint(
        {"random.VERSION": random.VERSION, "wav2vec2.VERSION": wav2vec2.VERSION},
        random_states,
    )
    for name, options in {"fbank": {}, "fbank:bins=40": {"bins": 40}}.items():
        version = {"fbank.VERSION": fbank.VERSION}
        made[f"upstream: {name}"] = Fingerprint(version, partial(bank, **options))
    for module in (linear, nonlinear, chance, majority):
        name = module.__name__.rpartition(".")[2]
        made[f"head: {name}"] = head_of(offer_of(module), module)
    made["head: layerwise"] = head_of(offer_of(layerwise), linear)
    made["head: permuted"] = head_of(offer_of(permuted), linear)
    made["head: multilayer"] = head_of(offer_of(multilayer), nonlinear, multilayer)
    made["head: ridge"] = head_of(offer_of(ridge), ridge)
    made["head: knn"] = head_of(with_defaults(offer_of(knn)), knn)
    for head in logistic.harness_downstreams():
        made[f"head: {head.name}"] = head_of(head, logistic)
    made["head: ast"] = head_of(small_ast(), spectrogram_transformer)
    versions = {"audio.VERSION": audio.VERSION}
    made["decoding"] = Fingerprint(versions, decoded)
    made["demo"] = Fingerprint({"demo.VERSION": demo.VERSION}, synthesised)
    usual = ("speaker-independent", "stratified", "loso", "kfold")
    for name in (*usual, *(strategy.name for strategy in folds.harness_splits())):
        versions = {f"the version of the strategy {name}": STRATEGIES[name].version}
        made[f"split: {name}"] = Fingerprint(versions, partial(divided, name))
    versions = {"extraction.VERSION": extraction.VERSION}
    made["padding"] = Fingerprint(versions, padded)
    return made


def rounded(figures: Iterable[float | str]) -> list[float | str]:
    return [x if isinstance(x, str) else float(f"{x:.{DIGITS}g}") for x in figures]


def moved(before: list[float | str], now: list[float | str]) -> bool:
    """Say whether figures differ by more than noise."""
    if len(before) != len(now):
        return True
    return any(
        one != other
        if isinstance(one, str) or isinstance(other, str)
        else abs(one - other) > max(LEAST, TOLERANCE * abs(one))
        for one, other in zip(before, now, strict=True)
    )


def verdict(stored: dict[str, Any] | None, now: Fingerprint) -> str:
    """Say what is to be done about a fingerprint, if anything."""
    if stored is None:
        return f"is not in the table: {UPDATE}"
    raised = [name for name, v in now.versions.items() if stored["versions"][name] != v]
    if not moved(stored["figures"], now.figures()):
        return f"has another {' and '.join(raised)} by now: {UPDATE}" if raised else ""
    if raised:
        return f"moved, as {' and '.join(raised)} says: {UPDATE}"
    constants = " or ".join(n for n in now.versions if n != "its recipe")
    return f"moved and its version did not: raise {constants}, then {UPDATE}"


def update() -> str:
    """Write the table anew, unless a number moved without its version."""
    table = json.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    made = fingerprints()
    for name, one in made.items():
        problem = verdict(table.get(name), one) if name in table else ""
        if "did not" in problem:
            return f"{name} {problem}."
    rows = {
        name: {"versions": one.versions, "figures": rounded(one.figures())}
        for name, one in sorted(made.items())
    }
    lines = [f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return f"{len(rows)} fingerprints are in {TABLE.name}."


# ---------------------------------------------------------------- tests

MADE = fingerprints()


@pytest.mark.parametrize("name", MADE)
def test_no_number_moves_without_its_version(name):
    if name == "upstream: random" and int(transformers.__version__[0]) != PINNED:
        pytest.skip("another transformers draws other initial weights")
    problem = verdict(json.loads(TABLE.read_text("utf-8")).get(name), MADE[name])
    assert not problem, f"{name} {problem}"


def test_the_table_holds_what_is_guarded_and_no_more():
    assert json.loads(TABLE.read_text("utf-8")).keys() == MADE.keys()


def test_a_number_that_moves_is_named_with_what_to_raise():
    stored = {"versions": {"a.VERSION": 1}, "figures": [1.0, "x"]}
    same = Fingerprint({"a.VERSION": 1}, lambda: [1.0 + 1e-6, "x"])
    assert verdict(stored, same) == ""
    other = Fingerprint({"a.VERSION": 1}, lambda: [1.01, "x"])
    assert verdict(stored, other).startswith(
        "moved and its version did not: raise a.VERSION, then run `python tests/test_fi"
    )
    assert "moved, as a.VERSION says" in verdict(
        stored, replace(other, versions={"a.VERSION": 2})
    )
    assert "another a.VERSION" in verdict(
        stored, replace(same, versions={"a.VERSION": 2})
    )


@pytest.mark.parametrize(
    ("module", "constant", "step", "name"),
    [
        (fbank, "MEAN", 0.01, "upstream: fbank"),
        (linear, "PROJECTION", 1, "head: linear"),
        (nonlinear, "DROPOUT", 0.01, "head: multilayer"),
        (whisper, "TAIL", 1, "upstream: whisper, trimmed"),
    ],
)
def test_a_constant_that_is_changed_moves_its_fingerprint(
    monkeypatch, module, constant, step, name
):
    monkeypatch.setattr(module, constant, getattr(module, constant) + step)
    stored = json.loads(TABLE.read_text("utf-8"))[name]
    assert "did not" in verdict(stored, MADE[name])


def test_the_noise_of_another_machine_moves_nothing():
    states = seeded("states", (3, 20, 24))
    noisy = states * (1 + 1e-6 * seeded("noise", states.shape))
    assert not moved(rounded(summary(states)), summary(noisy))


# ---------------------------------------------------------------- versions are read


def sources() -> list[Path]:
    return [
        path
        for folder in ("harness", "plugins", "leaderboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "template" not in path.parts
    ]


def defined_versions(tree: ast.Module) -> set[str]:
    """List the constants of a module whose names end in ``VERSION``."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
        if re.fullmatch(r"_?([A-Z]+_)*VERSION", target.id)
    }


def reads(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield what a module reads: names of its own, and attributes of others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield "", node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield (node.module or "").rpartition(".")[2], alias.name


def unread(trees: dict[Path, ast.Module]) -> list[str]:
    """List the versions that neither their module nor another one reads."""
    elsewhere = {read for tree in trees.values() for read in reads(tree) if read[0]}
    return [
        f"{path.stem}.{name}"
        for path, tree in trees.items()
        for name in defined_versions(tree)
        if (path.stem, name) not in elsewhere and ("", name) not in set(reads(tree))
    ]


def test_every_version_is_read_by_somebody():
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources()}
    assert sum(len(defined_versions(tree)) for tree in trees.values()) > 10
    assert unread(trees) == []


def test_a_version_that_nobody_reads_is_found():
    modules = {
        "one.py": "VERSION = 1\nRULES_VERSION = 2\nprint(RULES_VERSION)",
        "two.py": "VERSION: int = 1",
        "three.py": "import two\nVERSION = 3\nprint(two.VERSION)",
    }
    trees = {Path(name): ast.parse(text) for name, text in modules.items()}
    assert unread(trees) == ["one.VERSION", "three.VERSION"]


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python tests/test_fingerprints.py --update")
    print(update())  # noqa: T201
