"""What an upstream plugin offers: a frozen speech model, and how to load it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    Encode = Callable[[Sequence[Tensor]], Sequence[Tensor]]

FILES = (
    "config.json",
    "preprocessor_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
)
"""The files that a checkpoint in Hugging Face's layout is read from."""


class Load(Protocol):
    """Build an encoder; the only place where an upstream imports torch."""

    def __call__(
        self, checkpoint: Path | None, *, device: str, feeding: str
    ) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
        """Return the encoder, in eval mode and in float32.

        Args:
            checkpoint: A local folder in Hugging Face's layout, or ``None`` where the
                description names no checkpoint.
            device: A torch device, such as ``cpu`` or ``cuda:0``.
            feeding: One of the description's feedings.

        An upstream with ``options`` is also passed ``options=``, and one with
        ``more_checkpoints`` ``more=``, a folder for each name.

        Returns:
            From waveforms, each (S,) float32 in [-1, 1] at the upstream's rate (or from
            utterances, see ``Upstream.reads``), to
            the hidden states of layers 1…L, each (L, T, D) float32; T is 1 where
            ``hop`` is ``None``. Frames that cover no audio are dropped; an utterance's
            states depend on it alone. Layer L is the model's output, after its final
            norm.

        Raises:
            CheckpointError: Where the folder is not what the description says.
        """


@dataclass(frozen=True, kw_only=True)
class HubCheckpoint:
    """A checkpoint on the Hugging Face hub, beside an upstream's first one.

    Attributes:
        id: On the hub, or the absolute path of a folder.
        revision: The hub's commit.
        files: Patterns of the files that are read (and hashed).
    """

    id: str
    revision: str = "main"
    files: tuple[str, ...] = FILES


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A frozen speech model: what it is, and how to load it.

    Attributes:
        name: Kebab-case.
        load: Builds the encoder (see ``Load``).
        layers: L, the number of Transformer blocks.
        dim: D.
        hop: Seconds from a frame to the next, or ``None`` for one vector a clip, such
            as an x-vector or an utterance embedding.
        reads: What the encoder is passed: ``waveforms``, or ``utterances`` (see
            ``Utterance``) where it looks up by their ids what was made elsewhere; no
            audio is decoded then.
        rate: Sampling rate of its input, in hertz.
        min_seconds: The shortest clip that gives a frame.
        checkpoint: Id on the Hugging Face hub, the absolute path of a folder, or
            ``None`` for a model without weights.
        revision: The hub's commit.
        checkpoint_of: The upstream whose local checkpoint serves this one, too.
        files: Patterns of the checkpoint's files that are read (and hashed).
        unlike: What ``config.json`` says of another model only, by field, such as the
            vocabulary of an English-only one: a folder that says so is refused.
        more_checkpoints: Further ones, by names of the plugin's own; a local folder is
            given for each by ``--checkpoint UPSTREAM/NAME=FOLDER``.
        feedings: The ways it can be fed; the first is the default.
        window: Seconds that a clip is padded to under the first feeding, if it is.
        parameters: Number of weights that are used.
        front: How many more a frame meets: convolutions on the waveform meet theirs at
            each of their steps. For the forecast.
        computed: From a feeding and the frames of a clip to how many frames are
            computed for it, for the forecast; ``None`` for the clip's own.
        languages: What it was trained on: BCP-47 tags, or ``("mul",)``.
        pretraining: Training data, in a few words.
        licence: Of the weights.
        options: A frozen dataclass whose fields, all with defaults, are what a user may
            set by ``NAME:field=value``; ``load`` is passed an instance. Its method
            ``describe(upstream)``, if it has one, returns the description under them.
        version: Raised by the plugin when its code changes a number.
        control: Whether it stands beside the others, as what they must beat.
    """

    name: str
    load: Load
    layers: int
    dim: int
    hop: float | None
    reads: Literal["waveforms", "utterances"] = "waveforms"
    rate: int = 16_000
    min_seconds: float = 0.025
    checkpoint: str | None = None
    revision: str = "main"
    checkpoint_of: str = ""
    files: tuple[str, ...] = FILES
    unlike: Mapping[str, object] = field(default_factory=dict, hash=False)
    more_checkpoints: Mapping[str, HubCheckpoint] = field(
        default_factory=dict, hash=False
    )
    feedings: tuple[str, ...] = ("full",)
    window: float | None = None
    parameters: int = 0
    front: int = 0
    computed: Callable[[str, int], int] | None = None
    languages: tuple[str, ...] = ()
    pretraining: str = ""
    licence: str = ""
    options: type[Any] | None = None
    version: int = 1
    control: bool = False
