"""Read the JSON files in a checkpoint's folder, or say why it cannot be used."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from harness import CheckpointError
from harness_plugins.upstreams import _schema
from harness_plugins.upstreams._rules import shown, understood
from harness_plugins.upstreams._schema import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from transformers import PreTrainedModel

CONFIG = ("config.json", "preprocessor_config.json", "processor_config.json")
"""What a checkpoint is described by."""

FILES = (
    *CONFIG,
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model-*.bin",
    "pytorch_model.bin.index.json",
)
"""All that is read of a checkpoint: no adapter, no other copy of the weights."""

LARGEST = 16_000_000
"""Bytes of a JSON file; one with Whisper's mel filters has 0.2 million."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a checkpoint's JSON files say, as far as it moves numbers.

    Attributes:
        folder: Where they lie.
        family: The model type, one of ``FAMILIES``.
        config: The fields of ``config.json`` that have a rule.
        settings: Those of the front end, of the other two files.
    """

    folder: Path
    family: str
    config: Mapping[str, Any]
    settings: Mapping[str, Any]


def read(folder: Path, *families: str, otherwise: str = "") -> Description:
    """Read what describes a checkpoint, which must be of one of the families.

    Args:
        folder: Holds its JSON files.
        families: Model types.
        otherwise: The next step where it is of another one.

    Raises:
        CheckpointError: Where a file is missing or broken, or says what is not
            understood, cannot be or contradicts itself.
    """
    said = read_json(folder / "config.json")
    name = said.pop("model_type", None)
    if name not in families:
        *most, last = map(repr, families)
        known = f"{', '.join(most)} or {last}" if most else last
        problem = f"is of the family {shown(name)}, not {known}"
        raise refusal(folder, problem, otherwise or HF)
    family = FAMILIES[str(name)]
    config = _held(folder / "config.json", said, family.config, _schema.PASSED_OVER)
    settings = _settings(folder, family)
    for problem in family.contradictions(config, settings):
        raise refusal(folder, problem, CORRECT)
    return Description(
        folder=folder, family=str(name), config=config, settings=settings
    )


def build(found: Description) -> PreTrainedModel:
    """Build the model that was described, on torch's current device."""
    family = FAMILIES[found.family]
    kind = resolve_name(f"transformers.models.{family.model}")
    arguments = {
        name: value
        for name, value in found.config.items()
        if name not in family.repeated
    }
    try:
        model: PreTrainedModel = kind(kind.config_class(**arguments))
    except (TypeError, ValueError, RuntimeError) as error:
        problem = f"describes a model that cannot be built ({error})"
        raise refusal(found.folder, problem, CORRECT) from error
    return model


def _settings(folder: Path, family: _schema.Family) -> dict[str, Any]:
    """Read the front end's settings, which stand in one of two files.

    Raises:
        CheckpointError: Where no file has them although they do not follow from
            ``config.json``, or both have them and differ.
    """
    found = []
    own, shared = (folder / name for name in CONFIG[1:])
    for file, said in ((own, _said(own)), (shared, _nested(shared))):
        if said is not None:
            passed = _schema.SETTINGS_PASSED_OVER
            found.append(_held(file, said, family.settings, passed))
    if len(found) == 2:
        return _agreed(folder, *found)
    if not found and not family.one_front_end:
        raise refusal(
            folder,
            f"has no {own.name}, so nothing says whether its input is normalised",
            "Copy that file from where the model was published.",
        )
    return found[0] if found else understood({}, family.settings, ())


def _agreed(
    folder: Path, own: dict[str, Any], shared: dict[str, Any]
) -> dict[str, Any]:
    """Return what two files say alike; transformers 4 reads the one, 5 the other."""
    for name, value in own.items():
        if None not in (value, shared[name]) and value != shared[name]:
            files = " and in ".join(CONFIG[1:])
            problem = f"says two things for {name!r}, in {files}"
            raise refusal(folder, problem, CORRECT)
    return {name: shared[name] if own[name] is None else own[name] for name in own}


def _said(file: Path) -> dict[str, Any] | None:
    """Read a file that may not exist."""
    return read_json(file) if file.exists() else None


def _nested(file: Path) -> dict[str, Any] | None:
    """Read what transformers 5 has of the front end in ``processor_config.json``."""
    said = _said(file) or {}
    front_end = said.pop("feature_extractor", None)
    _held(file, said, {}, _schema.PROCESSOR_PASSED_OVER)
    if front_end is not None and not isinstance(front_end, dict):
        problem = f"has no JSON object as 'feature_extractor' in {file.name}"
        raise refusal(file.parent, problem, CORRECT)
    return front_end


def _held(
    file: Path,
    said: Mapping[str, Any],
    rules: Mapping[str, Any],
    passed_over: tuple[str, ...],
) -> dict[str, Any]:
    """Hold a file to its rules."""
    try:
        return understood(said, rules, passed_over)
    except ValueError as error:
        problem = f"has a {file.name} that {error}"
        raise refusal(file.parent, problem, CORRECT) from None


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object of finite numbers and different names.

    Raises:
        CheckpointError: Where there is none.
    """
    try:
        if file.stat().st_size > LARGEST or not file.is_file():
            raise ValueError(f"it is no file of at most {LARGEST} bytes")
        content = json.loads(
            file.read_text(encoding="utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_not_finite,
            parse_float=_finite,
        )
    except FileNotFoundError:
        raise refusal(file.parent, f"has no {file.name}") from None
    except (ValueError, OSError) as error:
        problem = f"has a broken {file.name}: {error}"
        raise refusal(file.parent, problem) from None
    except RecursionError:
        problem = f"has a broken {file.name}: it is nested too deeply"
        raise refusal(file.parent, problem) from None
    if not isinstance(content, dict):
        raise refusal(file.parent, f"has a {file.name} that is not a JSON object")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it says {shown(twice)} twice")
    return names


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{shown(text)} is too large")
    return number


def require(checkpoint: Path | None) -> Path:
    """Return the checkpoint's folder, which a model with weights must have."""
    if checkpoint is None:
        raise CheckpointError("It needs a checkpoint: --checkpoint NAME=PATH.")
    return checkpoint


AGAIN = "Download it again, or name another folder with --checkpoint NAME=PATH."
CORRECT = (
    "Correct the file, or remove from it what the encoder does not need; or name "
    "another folder with --checkpoint NAME=PATH."
)
HF = "Name another folder with --checkpoint NAME=PATH, or use --upstream hf:FOLDER."


def refusal(folder: Path, problem: str, then: str = AGAIN) -> CheckpointError:
    """Say what is wrong with a checkpoint in one line, and what to do."""
    line = problem.partition("\n")[0]
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return CheckpointError(f"The checkpoint {folder} {plain}. {then}")
