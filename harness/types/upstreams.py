"""What an upstream plugin offers: a frozen speech model, and how to load it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor


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

        Returns:
            From waveforms, each (S,) float32 in [-1, 1] at the upstream's rate, to
            the hidden states of layers 1…L, each (L, T, D) float32. Frames that cover
            no audio are dropped; an utterance's states depend on it alone. Layer L is
            the model's output, after its final norm.

        Raises:
            CheckpointError: Where the folder is not what the description says.
        """


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A frozen speech model: what it is, and how to load it.

    Attributes:
        name: Kebab-case.
        load: Builds the encoder (see ``Load``).
        layers: L, the number of Transformer blocks.
        dim: D.
        hop: Seconds from a frame to the next.
        rate: Sampling rate that it hears, in hertz.
        min_seconds: The shortest clip that gives a frame.
        checkpoint: Id on the Hugging Face hub, the absolute path of a folder, or
            ``None`` for a model without weights.
        revision: The hub's commit.
        checkpoint_of: The upstream whose local checkpoint serves this one, too.
        files: Patterns of the checkpoint's files that are read (and hashed).
        feedings: The ways it can be fed; the first is the default.
        window: Seconds that a clip is padded to under the first feeding, if it is.
        parameters: Number of weights that are used.
        languages: What it was trained on: BCP-47 tags, or ``("mul",)``.
        pretraining: Training data, in a few words.
        licence: Of the weights.
        paper: Where it is described.
        version: Raised by the plugin when its code changes a number.
        control: Whether it is heard beside the others, as what they must beat.
    """

    name: str
    load: Load
    layers: int
    dim: int
    hop: float
    rate: int = 16_000
    min_seconds: float = 0.025
    checkpoint: str | None = None
    revision: str = "main"
    checkpoint_of: str = ""
    files: tuple[str, ...] = (
        "config.json",
        "preprocessor_config.json",
        "*.safetensors",
        "*.safetensors.index.json",
    )
    feedings: tuple[str, ...] = ("full",)
    window: float | None = None
    parameters: int = 0
    languages: tuple[str, ...] = ()
    pretraining: str = ""
    licence: str = ""
    paper: str = ""
    version: int = 1
    control: bool = False
