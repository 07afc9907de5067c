"""What can be predicted of an utterance, and a corpus as a target sees it.

A target puts its class in the place of the label, so that splits, heads and tables of
emotions serve for any class. Of a number it puts the bin there, by which splits are
balanced, and the number beside.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

from harness.errors import DataError, PluginError
from harness.hookspecs import hookimpl
from harness.registry import isolated
from harness.text import counted
from harness.types import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.data.manifest import Manifest
    from harness.types import Corpus, Utterance

BINS = 5
"""Of numbers: splits are balanced by fifths of the corpus."""

UNDETERMINED = "und"
"""The BCP-47 tag of a corpus that does not say its language."""

RATED = {
    "arousal": "how active the voice is",
    "dominance": "how dominant the voice is",
    "valence": "how pleasant the voice is",
}
"""The dimensions of emotion, by the names that columns have."""


@hookimpl
def harness_targets() -> Iterator[Target]:
    """Offer the emotion, and what else corpora state of their utterances."""
    yield Target(
        name="emotion",
        summary="the label of the corpus",
        value=lambda utterance: utterance.label,
    )
    yield Target(
        name="gender",
        summary="of the speaker, female or male; in new speakers",
        value=lambda utterance: utterance.gender,
    )
    yield Target(
        name="intensity",
        summary="of the portrayed emotion, where the corpus codes it",
        value=lambda utterance: utterance.intensity,
    )
    yield Target(
        name="language",
        summary="BCP-47 tag; of several corpora, or one of several languages",
        value=_language,
    )
    yield Target(
        name="sentence",
        summary="code of the spoken text, where there is a fixed set; in new speakers",
        value=lambda utterance: utterance.sentence,
    )
    yield Target(
        name="speaker",
        summary="who speaks; in new sentences, where they are coded",
        value=lambda utterance: utterance.speaker,
        split="within-speakers",
        within_speakers=True,
    )
    for name, summary in RATED.items():
        yield Target(
            name=name,
            summary=f"{summary}: a number, from a column of that name",
            value=partial(_number, name),
            numbers=True,
        )


def _language(utterance: Utterance) -> str | None:
    return None if utterance.language == UNDETERMINED else utterance.language


def _number(name: str, utterance: Utterance) -> float | None:
    return utterance.numbers.get(name)


# ---------------------------------------------------------------- a corpus, so seen


def seen(manifest: Manifest, target: Target, known: Iterable[Target]) -> Manifest:
    """Put what a target predicts into each utterance; leave out those without.

    Args:
        manifest: Of one corpus, or of several that are joined.
        target: What is predicted.
        known: Every target, to name those that the corpus has.

    Returns:
        The very same manifest where the target is the label of every utterance.

    Raises:
        DataError: Where no utterance has a value, or all have the same.
        PluginError: Where a target returns another kind of value than it says.
    """
    values = list(_values(manifest.corpus, manifest.utterances, target))
    found = [value for value in values if value is not None]
    if len(set(found)) < 2:
        raise DataError(_too_few(manifest, target, found, known))
    labels = _bins(values) if target.numbers else values
    utterances = manifest.utterances
    if labels == [one.label for one in utterances]:
        return manifest
    lacking = len(values) - len(found)
    said = f"{lacking} of {counted(len(values), 'utterance')}: without {target.name}"
    return replace(
        manifest,
        recordings=tuple(
            replace(one, utterance=_labelled(one.utterance, label, value))
            for one, label, value in zip(
                manifest.recordings, labels, values, strict=True
            )
            if label is not None
        ),
        bad=(*manifest.bad, *[said] * bool(lacking)),
    )


def _labelled(
    utterance: Utterance, label: object, value: str | float | None
) -> Utterance:
    number = value if isinstance(value, float) else None
    return replace(utterance, label=str(label), value=number)


def held(
    corpus: Corpus, utterances: Sequence[Utterance], known: Iterable[Target]
) -> dict[str, dict[str, float]]:
    """Count what a corpus has for each target, by its name; those of nothing lack.

    Returns:
        The number of ``utterances`` that have a value, and of classes how
        many ``values`` there are, of numbers the ``least`` and the ``most``.
    """
    counts = {}
    for target in known:
        if found := _found(corpus, utterances, target):
            counts[target.name] = {"utterances": len(found), **_spread(found)}
    return counts


def _spread(found: Sequence[str | float]) -> dict[str, float]:
    numbers = [value for value in found if isinstance(value, float)]
    if numbers:
        return {"least": min(numbers), "most": max(numbers)}
    return {"values": len(set(found))}


def describe_held(count: Mapping[str, float]) -> str:
    """Say in words what a corpus has for a target, as ``held`` counts it."""
    number = counted(int(count["utterances"]), "utterance")
    if "values" in count:
        return f"{number}, {counted(int(count['values']), 'value')}"
    return f"{number}, {count['least']:g} to {count['most']:g}"


def _found(
    corpus: Corpus, utterances: Sequence[Utterance], target: Target
) -> list[str | float]:
    """Return the values that a corpus has; none where the target's plugin fails."""
    try:
        values = list(_values(corpus, utterances, target))
    except PluginError:  # reported when that target itself is used
        return []
    return [value for value in values if value is not None]


def _values(
    corpus: Corpus, utterances: Iterable[Utterance], target: Target
) -> Iterator[str | float | None]:
    """Ask a target for the value of each utterance, whose language is filled in."""
    first = corpus.languages[0]
    with isolated(target.name, "asked what is to be predicted"):
        for one in utterances:
            spoken = one if one.language else replace(one, language=first)
            yield _checked(target, target.value(spoken))


def _checked(target: Target, value: object) -> str | float | None:
    """Return a class, a finite number, or ``None`` where there is none."""
    if value is None or value == "" or value != value:
        return None
    if not target.numbers and isinstance(value, str):
        return value
    if target.numbers and isinstance(value, int | float) and isfinite(value):
        return float(value)
    due = "a finite number" if target.numbers else "a text"
    raise PluginError(f"The target '{target.name}' returned {value!r}, not {due}.")


def _bins(values: Sequence[str | float | None]) -> list[str | None]:
    """Name the fifth of the corpus that each number is in; equal ones are in one."""
    numbers = sorted(value for value in values if isinstance(value, float))
    places = (len(numbers) * n // BINS for n in range(1, BINS))
    edges = sorted({numbers[place] for place in places} - {numbers[0]})
    return [
        f"q{bisect_right(edges, value) + 1}" if isinstance(value, float) else None
        for value in values
    ]


def _too_few(
    manifest: Manifest,
    target: Target,
    found: Sequence[str | float],
    known: Iterable[Target],
) -> str:
    """Say that a corpus has no value of a target, or one, and what else it has."""
    others = [one.name for one in known if _has(manifest, one)]
    name, count = manifest.corpus.name, counted(len(manifest.recordings), "utterance")
    if not found:
        what = f"none of its {count} has a value"
    else:
        what = f"it is '{found[0]}' in all of its {count}, and two values are needed"
    more = " Or join corpora by --corpus A+B." * (target.name == "language")
    return (
        f"Corpus '{name}' cannot be used for the target '{target.name}': {what}. "
        f"Choose another --target; of this corpus: {', '.join(others) or 'none'}.{more}"
    )


def _has(manifest: Manifest, target: Target) -> bool:
    """Return whether a corpus has two values of a target at least."""
    return len(set(_found(manifest.corpus, manifest.utterances, target))) > 1
