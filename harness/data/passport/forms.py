"""A passport as a JSON value, and as rows of tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log10
from statistics import median
from typing import TYPE_CHECKING

from harness.data.passport.levels import FULL_SCALE
from harness.text import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.data.manifest import Manifest
    from harness.data.passport import Passport
    from harness.types import Utterance


def as_json(passport: Passport) -> dict[str, object]:
    """Describe a corpus as a JSON value."""
    manifest = passport.manifest
    utterances = manifest.utterances
    speakers = Counter(utterance.speaker for utterance in utterances)
    gender = {utterance.speaker: utterance.gender for utterance in utterances}
    return {
        "corpus": manifest.corpus.name,
        "version": manifest.corpus.version,
        "utterances": len(utterances),
        "labels": dict(sorted(Counter(u.label for u in utterances).items())),
        "speakers": {
            speaker: {"gender": gender[speaker], "utterances": count}
            for speaker, count in sorted(speakers.items())
        },
        "hours": round(manifest.seconds / 3600, 4),
        "manifest_sha256": manifest.sha256,
        "problems": [vars(problem) for problem in passport.problems],
        "verdict": passport.verdict,
    }


def counts(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    """Yield rows of speaker, gender, a number for each label, and their sum."""
    tally: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for utterance in manifest.utterances:
        gender: str = utterance.gender or "unknown"
        tally[utterance.speaker, gender][utterance.label] += 1
        tally["all", gender][utterance.label] += 1
        tally["all", "all"][utterance.label] += 1
    genders = len({gender for speaker, gender in tally if speaker == "all"})
    for (speaker, gender), count in sorted(
        tally.items(), key=lambda item: (item[0][0] == "all", item[0])
    ):
        if (speaker, gender) != ("all", "unknown") or genders > 2:
            numbers = (str(count[label]) for label in manifest.labels)
            yield speaker, gender, *numbers, str(count.total())


def facts(passport: Passport) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a corpus, each with what it is about."""
    manifest = passport.manifest
    recordings = manifest.recordings
    if not recordings:
        return
    seconds = sorted(recording.seconds for recording in recordings)
    yield "audio", f"{clock(manifest.seconds)}, {manifest.seconds / 3600:.4f} hours"
    shortest, middle, longest = seconds[0], median(seconds), seconds[-1]
    yield "an utterance", f"{shortest:.2f} to {longest:.2f} s, median {middle:.2f} s"
    forms = Counter((recording.rate, recording.channels) for recording in recordings)
    for (rate, channels), number in forms.most_common():
        sound = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
        yield "form", f"{number} files of {rate} Hz, {sound}"
    peaks = [_decibels(recording.peak) for recording in recordings]
    loud = [_decibels(level["rms"]) for level in passport.levels]
    yield (
        "level",
        f"{min(loud)} to {max(loud)} dB of full scale (RMS), "
        f"peaks {min(peaks)} to {max(peaks)} dB",
    )
    full = sum(recording.peak >= FULL_SCALE for recording in recordings)
    cut = [level["clipped"] for level in passport.levels if level["clipped"]]
    where = f"{len(cut)}, {sum(cut)} samples in all" if cut else "none"
    yield "clipping", f"{full} files reach full scale; with peaks cut off: {where}"
    yield "sentences", _sentences(manifest.utterances)
    for line in passport.left_out:
        yield "left out", line
    yield "manifest", manifest.sha256


def _decibels(amplitude: float) -> float:
    return round(20 * log10(max(amplitude, 1e-10)), 1) + 0.0  # never -0.0


def _sentences(utterances: Sequence[Utterance]) -> str:
    coded = [(u.language, u.sentence) for u in utterances if u.sentence is not None]
    if not coded:
        return "not coded"
    said = Counter(coded)
    without = len(utterances) - len(coded)
    rest = f"; {without} utterances without a code" if without else ""
    least, most = min(said.values()), max(said.values())
    times = f"{least}" if least == most else f"{least} to {most}"
    return f"{len(said)}, each said {times} times{rest}"
