"""The interface as a test suite: what the harness counts on in what a plugin offers.

A rule is one function: its docstring says what must hold, and what it raises says what
was seen and what to change. ``harness check NAME`` prints them; a plugin's own tests
run them in three lines::

    @parametrize_with_checks(*harness_upstreams())
    def test_acme_keeps_the_rules(check):
        check()
"""

from __future__ import annotations

import functools
import gc
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from unittest import mock

from harness.certificate import ROUNDING, movement, voice
from harness.checkpoints import Checkpoint, find_checkpoint
from harness.errors import HarnessError
from harness.features import Source, kinds_for
from harness.files import Memory
from harness.manifest import Recording
from harness.store import NORMS
from harness.types import Batch, Corpus, Downstream, Upstream, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest
    from torch import Tensor

    from harness.types import Result

NAME = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*(@[a-z0-9.-]+)?|[a-z]+:.+")
HEAVY = {
    *("torch", "torchaudio", "transformers", "tensorflow", "jax", "numpy", "scipy"),
    *("sklearn", "pandas", "pyarrow", "matplotlib", "soundfile", "librosa"),
}
"""What takes long to import, and is imported where the work starts."""


class Broken(HarnessError):
    """A rule that an offer breaks: what was seen, and what to change."""


# ---------------------------------------------------------------- what is checked


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """An upstream as it is checked.

    Attributes:
        offer: The upstream.
        checkpoint: A local folder for it, if the user has one.
        feeding: How it is fed, by default as its description prefers.
        device: A torch device.
    """

    offer: Upstream
    checkpoint: Path | None = None
    feeding: str | None = None
    device: str = "cpu"

    @cached_property
    def encode(self) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
        """Load the upstream, once."""
        upstream = self.offer
        given = {upstream.name: self.checkpoint} if self.checkpoint else {}
        found = find_checkpoint(
            upstream, given, Memory(Path(os.devnull)), download=True
        )
        return upstream.load(
            found.folder if found else None,
            device=self.device,
            feeding=self.feeding or upstream.feedings[0],
        )

    def clip(self, seconds: float = 1.0, seed: int = 0) -> Tensor:
        """Make a clip, (S,), at the upstream's rate."""
        return voice(seconds, self.offer.rate, seed)

    def states(self, *clips: Tensor) -> list[Tensor]:
        """Give the states of each clip, (L, T, D), heard in one batch."""
        states = list(self.encode([clip.clone() for clip in clips]))
        if len(states) != len(clips) or any(state.ndim != 3 for state in states):
            shapes = [tuple(state.shape) for state in states]
            raise Broken(
                f"{len(clips)} clips gave {shapes}: return one tensor (L, T, D) a clip."
            )
        return states

    @cached_property
    def second(self) -> Tensor:
        """The states of a clip of one second."""
        return self.states(self.clip())[0]


@dataclass(frozen=True, kw_only=True)
class Learning:
    """A downstream as it is checked, on utterances of three classes that are made up.

    Attributes:
        offer: The downstream.
    """

    offer: Downstream

    @cached_property
    def result(self) -> Result:
        """Train and score it, once."""
        return _train(self.offer)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A corpus as it is checked.

    Attributes:
        offer: The corpus.
        root: Its folder.
    """

    offer: Corpus
    root: Path

    def utterances(self, root: Path | None = None) -> list[Utterance]:
        """Read the folder, or another one, sorted by id as the harness does it."""
        return sorted(self.offer.read(root or self.root), key=lambda one: one.id)


Subject = Hearing | Learning | Reading


# ---------------------------------------------------------------- rules for all


def name_is_kebab_case(subject: Subject) -> None:
    """The name is kebab-case, as it becomes a file name and a word to type."""
    name = subject.offer.name
    if not NAME.fullmatch(name):
        wanted = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "a-name"
        raise Broken(f"It is called '{name}': call it '{wanted}'.")


def description_is_picklable(subject: Subject) -> None:
    """The description travels to other processes."""
    offer = subject.offer
    try:
        pickle.loads(pickle.dumps(offer))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Broken(
            f"It cannot be pickled ({error}): define its functions at the top level of "
            "a module, not inside another function and not as a lambda."
        ) from None


def import_is_light(subject: Subject) -> None:
    """A fresh interpreter lists it without importing torch or anything as heavy."""
    work = subject.offer
    function = getattr(work, "load", None) or getattr(work, "read", None)
    if isinstance(work, Downstream):
        function = work.build or work.fit
    function = getattr(function, "func", function)  # of a functools.partial
    module = getattr(function, "__module__", None) or type(function).__module__
    if heavy := _heavy_imports(module):
        raise Broken(
            f"Listing it imports {', '.join(heavy)}: move such imports from the top of "
            f"{module} into the function that needs them."
        )


@functools.cache
def _heavy_imports(module: str) -> tuple[str, ...]:
    """Import a plugin's module and list its offers in a fresh interpreter."""
    code = (
        "import importlib, sys\n"
        f"module = importlib.import_module({module!r})\n"
        "for kind in ('upstreams', 'downstreams', 'corpora'):\n"
        "    list(getattr(module, f'harness_{kind}', tuple)())\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if fresh.returncode:
        last = fresh.stderr.strip().rpartition("\n")[2]
        raise Broken(
            f"A fresh interpreter cannot import {module} ({last}): put its functions "
            "into a module that is installed."
        )
    return tuple(fresh.stdout.split())


# ---------------------------------------------------------------- rules for upstreams


def frames_are_a_hop_apart(hearing: Hearing) -> None:
    """A clip gives as many frames as hops fit into it, give or take two."""
    hop = hearing.offer.hop
    for seconds in (0.5, 1.0, 2.5):
        frames = hearing.states(hearing.clip(seconds))[0].shape[1]
        if abs(frames - seconds / hop) > 2:
            raise Broken(
                f"{seconds} s gave {frames} frames where a hop of {hop} s makes "
                f"{seconds / hop:.0f}: mend 'hop' in the description, or drop the "
                "frames that cover no audio."
            )


def layers_and_dims_are_as_described(hearing: Hearing) -> None:
    """L and D are those of the description."""
    layers, _, dim = hearing.second.shape
    upstream = hearing.offer
    if (layers, dim) != (upstream.layers, upstream.dim):
        raise Broken(
            f"It gave {layers} layers of {dim} dims where the description says "
            f"{upstream.layers} of {upstream.dim}: mend the description, or use the "
            "checkpoint that it describes."
        )


def features_are_finite_float32(hearing: Hearing) -> None:
    """States are finite numbers in float32."""
    _finite(hearing.second, "a clip of one second")
    if str(hearing.second.dtype) != "torch.float32":
        raise Broken(
            f"States are {hearing.second.dtype}: compute in float32, whatever the "
            "checkpoint's file has (model.float())."
        )


def silence_gives_finite_features(hearing: Hearing) -> None:
    """Digital silence gives finite states."""
    silence = hearing.clip().zero_()
    _finite(hearing.states(silence)[0], "a second of digital silence")


def short_clips_are_heard(hearing: Hearing) -> None:
    """A clip of 0.1 s gives frames, and so does one of ``min_seconds``."""
    shortest = hearing.offer.min_seconds
    for seconds in (max(0.1, shortest), shortest):
        try:
            states = hearing.states(hearing.clip(seconds))[0]
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise Broken(
                f"A clip of {seconds:g} s raised {type(error).__name__}: mend "
                "'min_seconds' in the description, or hear shorter clips."
            ) from error
        if not states.shape[1]:
            raise Broken(
                f"A clip of {seconds:g} s gave no frame: mend 'min_seconds' in the "
                "description, or hear shorter clips."
            )
        _finite(states, f"a clip of {seconds:g} s")


def long_clips_are_heard_whole(hearing: Hearing) -> None:
    """A clip of 60 s gives the frames of 60 s."""
    states = hearing.states(hearing.clip(60.0))[0]
    _finite(states, "a clip of 60 s")
    heard = states.shape[1] * hearing.offer.hop
    if abs(heard - 60) > 0.5:
        raise Broken(
            f"Of 60 s only {heard:.1f} s came out: feed longer clips in windows and "
            "join their frames, or mend 'hop'."
        )


def the_same_clip_gives_the_same_features(hearing: Hearing) -> None:
    """Hearing a clip again, from the same random state, changes nothing."""
    if (gap := _gap(_seeded(hearing, 0), _seeded(hearing, 0))) > ROUNDING:
        raise Broken(
            f"The same clip gave other states the second time (max |Δ|/std {gap:.2g}): "
            "keep nothing from one call to the next."
        )


def nothing_is_random(hearing: Hearing) -> None:
    """No dropout, no LayerDrop, no masking: the model is in eval mode."""
    if (gap := _gap(_seeded(hearing, 0), _seeded(hearing, 1))) > ROUNDING:
        raise Broken(
            f"Another random state gives other features (max |Δ|/std {gap:.2g}): call "
            "model.eval() in 'load', as dropout, LayerDrop or masking is left on."
        )


def company_changes_nothing(hearing: Hearing) -> None:
    """A clip's features are the same alone and in any batch: padding does not leak."""
    shortest = max(0.4, hearing.offer.min_seconds)
    clips = [hearing.clip(), hearing.clip(1.7, seed=1), hearing.clip(shortest, seed=2)]
    for row, state in enumerate(hearing.states(*clips)):
        if (gap := _gap(hearing.states(clips[row])[0], state)) > ROUNDING:
            raise Broken(
                "Features depend on what shares the batch (max |Δ|/std "
                f"{gap:.2g}): mask the padding, and run whatever else looks over time "
                "(convolutions, norms) clip by clip, or encode clips one by one."
            )


def the_input_is_left_alone(hearing: Hearing) -> None:
    """The waveforms that are given are not written to."""
    clip = hearing.clip()
    hearing.encode([clip])
    if not clip.equal(hearing.clip()):
        raise Broken(
            "It wrote into the waveform that it was given: work on a copy, without "
            "in-place operations such as -= or sub_."
        )


def features_carry_no_gradient(hearing: Hearing) -> None:
    """States hold no graph, so that memory does not grow with what was heard."""
    if hearing.second.requires_grad:
        raise Broken(
            "States require a gradient: decorate the encoder with "
            "@torch.inference_mode()."
        )


def memory_returns(hearing: Hearing) -> None:
    """After a clip was heard, nothing of it stays in memory."""
    held = []
    for seed in range(3):
        hearing.encode([hearing.clip(seed=seed)])
        held.append(_bytes_of_tensors())
    if held[2] > held[1] > held[0]:
        raise Broken(
            f"Each clip leaves {(held[2] - held[0]) // 2:,} bytes of tensors behind: "
            "keep no list or cache of what was heard."
        )


def _finite(states: Tensor, of: str) -> None:
    if not states.isfinite().all():
        raise Broken(
            f"States of {of} are NaN or infinite: divide by no spread that can be zero "
            "(add an epsilon), and compute in float32."
        )


def _seeded(hearing: Hearing, seed: int) -> Tensor:
    """Hear a clip from a given random state, which is put back."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return hearing.states(hearing.clip())[0]


def _gap(one: Tensor, other: Tensor) -> float:
    """Give the largest difference over the standard deviation, of the worst layer."""
    if one.shape != other.shape:
        return float("inf")
    gap = max(movement(one.cpu(), other.cpu()).delta)
    return float("inf") if gap != gap else gap


def _bytes_of_tensors() -> int:
    """Count the bytes of every tensor that Python holds."""
    import torch

    gc.collect()
    tensors = (one for one in gc.get_objects() if issubclass(type(one), torch.Tensor))
    return sum(tensor.element_size() * tensor.nelement() for tensor in tensors)


# ---------------------------------------------------------------- rules for downstreams

CLASSES, LAYERS, DIM = 3, 3, 80
SIZES = (96, 24, 60)
"""Utterances of the training, the validation and the test part."""


def one_of_build_and_fit(learning: Learning) -> None:
    """It has a 'build' or a 'fit', and not both."""
    if (learning.offer.build is None) == (learning.offer.fit is None):
        raise Broken("Give it exactly one of 'build' and 'fit'.")


def a_separable_toy_is_learned(learning: Learning) -> None:
    """Classes that lie far apart are told apart in new utterances."""
    if learning.offer.control:
        return
    if (score := learning.result.macro_f1) < 0.9:
        raise Broken(
            f"Its macro-F1 is {score:.2f} on three classes that lie far apart: look at "
            "its initial weights, and at the recipe's learning rate and epochs."
        )


def shuffled_labels_are_not_learned(learning: Learning) -> None:
    """Where labels say nothing about features, it stays at chance."""
    if (score := _train(learning.offer, shuffled=True).accuracy) > 0.6:
        raise Broken(
            f"Its accuracy is {score:.2f} where a third is chance: it must know labels "
            "by other ways than features, such as the order of utterances."
        )


def the_same_seed_gives_the_same_scores(learning: Learning) -> None:
    """Training twice with one seed gives one result."""
    if _train(learning.offer).predictions != learning.result.predictions:
        raise Broken(
            "Two trainings with one seed differ: draw all random numbers from torch's "
            "own state in 'build', and from 'seed' in 'fit'."
        )


def company_changes_no_score(learning: Learning) -> None:
    """An utterance's scores depend on no other one in its batch, and on no padding."""
    score, features = _scorer(learning.offer), _Toy(seed=2)
    together = score(features.batch(learning.offer, range(8)))
    for row in range(8):
        alone = score(features.batch(learning.offer, [row]))
        if not alone[0].allclose(together[row], rtol=1e-3, atol=1e-4):
            raise Broken(
                "An utterance's scores change with its batch: average over its own "
                "frames only, and normalise by statistics of the training part."
            )


def the_test_part_is_never_learned_from(learning: Learning) -> None:
    """What it scored before changes no later score."""
    score, features = _scorer(learning.offer), _Toy(seed=2)
    first = score(features.batch(learning.offer, range(8)))
    score(features.batch(learning.offer, range(8, 40)))
    if not score(features.batch(learning.offer, range(8))).allclose(first):
        raise Broken(
            "Scoring other utterances changed the scores of the first: in eval mode "
            "keep no statistics, apply no dropout, and learn nothing."
        )


class _Toy:
    """Utterances whose frames scatter around the mean of their class."""

    def __init__(self, *, seed: int, shuffled: bool = False) -> None:
        import torch

        random = torch.Generator().manual_seed(seed)
        means = 3 * torch.randn(
            CLASSES, DIM, generator=torch.Generator().manual_seed(9)
        )
        self.labels = torch.arange(sum(SIZES)) % CLASSES
        means_of = self.labels
        if shuffled:
            means_of = self.labels[torch.randperm(len(self.labels), generator=random)]
        lengths = torch.randint(4, 12, (len(self.labels),), generator=random).tolist()
        self.states = [
            means[label] + torch.randn(LAYERS, length, DIM, generator=random)
            for label, length in zip(means_of, lengths, strict=True)
        ]

    def batch(self, downstream: Downstream, rows: Sequence[int]) -> Batch:
        """Give some of the utterances in the form that a head reads."""
        import torch

        reads = downstream.reads
        layers = -1 if reads.layers != "all" else slice(None)
        states = [self.states[row][layers] for row in rows]
        if reads.frames:
            return Batch(frames=tuple(states))
        return Batch(pooled=torch.stack([state.mean(-2) for state in states]))


def _scorer(downstream: Downstream) -> Callable[[Batch], Tensor]:
    """Give a function from a batch to scores (B, C): fitted, or freshly built."""
    import torch

    if downstream.fit is not None:
        rows, features = range(SIZES[0]), _Toy(seed=0)
        batch, labels = features.batch(downstream, rows), features.labels[: SIZES[0]]
        return downstream.fit(batch, labels, classes=CLASSES, seed=0)
    if downstream.build is None:
        raise Broken("Give it exactly one of 'build' and 'fit'.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = 1 if downstream.reads.layers != "all" else LAYERS
        head = downstream.build(layers=layers, dim=DIM, classes=CLASSES).eval()
    return torch.inference_mode()(head)


def _train(downstream: Downstream, *, shuffled: bool = False) -> Result:
    """Train and score a head as a run does it, on a toy that lies in a store.

    The test part is in the order of its labels, as the files of many corpora are.
    """
    import torch

    from harness.training import Training, train

    threads = torch.get_num_threads()
    toy = _Toy(seed=1, shuffled=shuffled)
    order = list(range(len(toy.states)))
    first, second = SIZES[0], SIZES[0] + SIZES[1]
    order[second:] = sorted(order[second:], key=lambda row: int(toy.labels[row]))
    recordings = [_recording(row, f"class-{int(toy.labels[row])}") for row in order]
    with tempfile.TemporaryDirectory() as cache:
        source = Source(
            upstream=Upstream(name="toy", load=_no_load, layers=LAYERS, dim=DIM, hop=1),
            checkpoint=Checkpoint(folder=None, revision="", sha256=""),
            feeding="full",
        )
        store = source.store(Path(cache))
        for kind in kinds_for([downstream.reads]):
            tensors: dict[str, Tensor] = {}
            for row, states in enumerate(toy.states):
                stored = {"last": states[-1], "all": states, "pooled": states.mean(1)}
                tensors[str(row)] = stored[kind].contiguous()
                if kind == "pooled":
                    tensors[f"{row}{NORMS}"] = states.norm(dim=2).mean(1)
            store.write(kind, tensors, {})
        result = train(
            Training(
                source=source,
                cache=Path(cache),
                downstream=downstream,
                train=tuple(recordings[:first]),
                valid=tuple(recordings[first:second]),
                test=tuple(recordings[second:]),
                labels=tuple(f"class-{number}" for number in range(CLASSES)),
                selection="macro_f1",
                seed=0,
                device="cpu",
                threads=1,  # more only wait for each other on so little
                facts=dict.fromkeys(FACTS, ""),
            )
        )
    torch.set_num_threads(threads)
    return result


FACTS = (
    *("run_id", "upstream", "upstream_revision", "upstream_feeding", "downstream"),
    *("checkpoint_sha256", "recipe", "recipe_deviations", "selection", "corpus"),
    *("corpus_version", "manifest_sha256", "language", "max_seconds", "split", "fold"),
    *("split_sha256", "folds", "seed", "skipped", "harness_version", "plugin"),
)
"""The columns of a result that a run knows before training."""


def _recording(row: int, label: str) -> Recording:
    return Recording(
        utterance=Utterance(id=str(row), path="", label=label, speaker=str(row % 7)),
        path=Path(),
        sha256=str(row),
        content=str(row),
        rate=16_000,
        channels=1,
        seconds=1.0,
        peak=1.0,
    )


def _no_load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    raise Broken("A toy's features are in its store.")


# ---------------------------------------------------------------- rules for corpora


def the_description_is_complete(reading: Reading) -> None:
    """It says what it is, under which licence, whom to cite and how to get it."""
    needed = ("title", "version", "languages", "licence", "citation", "obtain")
    if empty := [name for name in needed if not getattr(reading.offer, name)]:
        raise Broken(f"Its {', '.join(empty)} is empty: fill it in.")


def ids_are_unique_and_stable(reading: Reading) -> None:
    """Ids are paths below the root with '/' and in NFC, unique, wherever it lies."""
    ids = [one.id for one in reading.utterances()]
    if not ids:
        raise Broken(f"It read no utterance in {reading.root}: look at 'read'.")
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise Broken(f"Two utterances are called '{twice}': make ids unique.")
    for one in ids:
        if unicodedata.normalize("NFC", one) != one or PurePosixPath(one).is_absolute():
            raise Broken(
                f"The id {one!r} is not the same everywhere: give the path below the "
                "root, with '/' between folders and in Unicode NFC."
            )
    with _without_audio(reading) as elsewhere:
        try:
            moved = [one.id for one in reading.utterances(elsewhere)]
        except Exception as error:  # the plugin opened the emptied audio
            raise _opened(error) from error
    if moved != ids:
        raise Broken(
            "Ids change when the corpus lies in another folder: make them of the path "
            "below the root alone, and draw nothing at random."
        )


def labels_are_declared(reading: Reading) -> None:
    """Every label that is read is one of the description's."""
    labels = reading.offer.labels
    for one in reading.utterances():
        if one.label not in labels:
            raise Broken(
                f"{one.id} is labelled '{one.label}', which is not declared: add it to "
                "'labels', or map it to one of them."
            )


def speakers_are_known(reading: Reading) -> None:
    """Every utterance names its speaker, and a speaker has one gender."""
    genders: dict[str, str | None] = {}
    for one in reading.utterances():
        if not one.speaker:
            raise Broken(f"{one.id} names no speaker: splits by speaker need one.")
        if genders.setdefault(one.speaker, one.gender) != one.gender:
            raise Broken(
                f"Speaker '{one.speaker}' has two genders, {genders[one.speaker]} and "
                f"{one.gender} in {one.id}: give two speakers two codes."
            )


def the_file_system_decides_nothing(reading: Reading) -> None:
    """The order in which a file system lists files changes nothing."""
    before = reading.utterances()
    with mock.patch("os.listdir", _listdir), mock.patch("os.scandir", _Backwards):
        after = reading.utterances()
    if before != after:
        raise Broken(
            "Utterances change with the order in which files are listed: sort before "
            "counting or numbering anything."
        )


def audio_is_not_opened(reading: Reading) -> None:
    """Reading opens no audio file: it works on names, and on tables beside them."""
    before = reading.utterances()
    with _without_audio(reading) as emptied:
        try:
            after = reading.utterances(emptied)
        except Exception as error:  # the plugin opened the emptied audio
            raise _opened(error) from error
    if before != after:
        raise Broken(
            "Utterances change when audio files are emptied: take what is known of "
            "them from names and tables, as the harness itself looks at the audio."
        )


def _opened(error: Exception) -> Broken:
    return Broken(
        f"With emptied audio files it raised {type(error).__name__} ({error}): open no "
        "audio in 'read'."
    )


@contextmanager
def _without_audio(reading: Reading) -> Iterator[Path]:
    """Copy a corpus with every file that is an utterance's left empty."""
    audio = {os.path.normpath(reading.root / one.path) for one in reading.utterances()}
    with tempfile.TemporaryDirectory() as folder:

        def copy(source: str, target: str) -> None:
            if os.path.normpath(source) in audio:
                Path(target).touch()
            else:
                shutil.copy(source, target)

        elsewhere = Path(folder, reading.root.name)
        shutil.copytree(reading.root, elsewhere, copy_function=copy)
        yield elsewhere


_really_listdir, _really_scandir = os.listdir, os.scandir


def _listdir(path: str = ".") -> list[str]:
    return sorted(_really_listdir(path), reverse=True)


class _Backwards:
    """What ``os.scandir`` gives, backwards."""

    def __init__(self, path: str = ".") -> None:
        with _really_scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name, reverse=True)
        self._entries = iter(ordered)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self._entries

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def __enter__(self) -> _Backwards:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def close(self) -> None:
        """Hold nothing that is to be closed."""


# ---------------------------------------------------------------- all of them

UPSTREAM_RULES = (
    name_is_kebab_case,
    description_is_picklable,
    import_is_light,
    frames_are_a_hop_apart,
    layers_and_dims_are_as_described,
    features_are_finite_float32,
    silence_gives_finite_features,
    short_clips_are_heard,
    long_clips_are_heard_whole,
    the_same_clip_gives_the_same_features,
    nothing_is_random,
    company_changes_nothing,
    the_input_is_left_alone,
    features_carry_no_gradient,
    memory_returns,
)
DOWNSTREAM_RULES = (
    name_is_kebab_case,
    description_is_picklable,
    import_is_light,
    one_of_build_and_fit,
    a_separable_toy_is_learned,
    shuffled_labels_are_not_learned,
    the_same_seed_gives_the_same_scores,
    company_changes_no_score,
    the_test_part_is_never_learned_from,
)
CORPUS_RULES = (
    name_is_kebab_case,
    import_is_light,
    the_description_is_complete,
    ids_are_unique_and_stable,
    labels_are_declared,
    speakers_are_known,
    the_file_system_decides_nothing,
    audio_is_not_opened,
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule and what it is put to; calling it raises ``Broken`` or does nothing."""

    rule: Callable[..., None]
    subject: Subject

    def __str__(self) -> str:
        """Name the rule in words."""
        return self.rule.__name__.replace("_", " ")

    def __call__(self) -> None:
        """Raise ``Broken`` where the rule does not hold."""
        self.rule(self.subject)


def checks(subject: Subject) -> tuple[Check, ...]:
    """Give the rules that an offer must keep."""
    rules: dict[type, tuple[Callable[..., None], ...]] = {
        Hearing: UPSTREAM_RULES,
        Learning: DOWNSTREAM_RULES,
        Reading: CORPUS_RULES,
    }
    return tuple(Check(rule=rule, subject=subject) for rule in rules[type(subject)])


def parametrize_with_checks(
    *offers: Upstream | Downstream | Corpus,
    checkpoint: Path | None = None,
    feeding: str | None = None,
    device: str = "cpu",
    root: Path | None = None,
) -> pytest.MarkDecorator:
    """Make a pytest test out of every rule, for its argument ``check``.

    Args:
        offers: Upstreams, downstreams and corpora.
        checkpoint: A local folder with the upstreams' weights.
        feeding: How the upstreams are fed, by default as they prefer.
        device: A torch device.
        root: The corpora's folder.
    """
    import pytest

    def subject(offer: Upstream | Downstream | Corpus) -> Subject:
        if isinstance(offer, Upstream):
            return Hearing(
                offer=offer, checkpoint=checkpoint, feeding=feeding, device=device
            )
        if isinstance(offer, Downstream):
            return Learning(offer=offer)
        if root is None:
            raise ValueError(f"Corpus '{offer.name}' is checked in a folder: root=….")
        return Reading(offer=offer, root=root)

    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(check, id=f"{offer.name}-{check.rule.__name__}")
            for offer in offers
            for check in checks(subject(offer))
        ],
    )
