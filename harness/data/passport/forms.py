"""A passport as a JSON value and as rows of tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log10
from statistics import median
from typing import TYPE_CHECKING

from harness.data.passport.levels import FULL_SCALE
from harness.text import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.data.manifest import Manifest
    from harness.data.passport import Passport
    from harness.types import Utterance

CHANNELS = {1: "mono", 2: "stereo"}


def as_json(passport: Passport) -> dict[str, object]:
    """Return a passport as a JSON value."""
    manifest = passport.manifest
    utterances = manifest.utterances
    speakers = Counter(utterance.speaker for utterance in utterances)
    gender = {utterance.speaker: utterance.gender for utterance in utterances}
    return {
        "corpus": manifest.corpus.name,
        "version": manifest.corpus.version,
        "utterances": len(utterances),
        "labels": _numbers(u.label for u in utterances),
        "intensities": intensities(utterances),
        "speakers": {
            speaker: {"gender": gender[speaker], "utterances": count}
            for speaker, count in sorted(speakers.items())
        },
        "hours": round(manifest.seconds / 3600, 4),
        "manifest_sha256": manifest.sha256,
        "problems": [vars(problem) for problem in passport.problems],
        "agreement": passport.agreement,
        "verdict": passport.verdict,
    }


def intensities(utterances: Iterable[Utterance]) -> dict[str, int]:
    """Count the utterances of each intensity; those without a code are left out."""
    return _numbers(u.intensity for u in utterances)


def _numbers(codes: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(filter(None, codes)).items()))


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
    """Yield rows of what was measured of a corpus, and the measurement in words."""
    manifest = passport.manifest
    if not manifest.recordings:
        return
    yield "audio", f"{clock(manifest.seconds)}, {manifest.seconds / 3600:.4f} hours"
    yield "an utterance", _durations(manifest)
    for form in _forms(manifest):
        yield "form", form
    yield "level", _loudness(passport)
    yield "clipping", _clipping(passport)
    yield "sentences", _sentences(manifest.utterances)
    yield "intensities", describe_intensities(manifest.utterances)
    for line in passport.left_out:
        yield "left out", line
    yield "manifest", manifest.sha256


def _durations(manifest: Manifest) -> str:
    seconds = sorted(recording.seconds for recording in manifest.recordings)
    return f"{seconds[0]:.2f} to {seconds[-1]:.2f} s, median {median(seconds):.2f} s"


def _forms(manifest: Manifest) -> Iterator[str]:
    """Yield the rates and channels of the files, the commonest first."""
    forms = Counter((one.rate, one.channels) for one in manifest.recordings)
    for (rate, channels), number in forms.most_common():
        sound = CHANNELS.get(channels, f"{channels} channels")
        yield f"{number} files of {rate} Hz, {sound}"


def _loudness(passport: Passport) -> str:
    peaks = [_decibels(one.peak) for one in passport.manifest.recordings]
    rms = [_decibels(level["rms"]) for level in passport.levels]
    return (
        f"{min(rms)} to {max(rms)} dB of full scale (RMS), "
        f"peaks {min(peaks)} to {max(peaks)} dB"
    )


def _decibels(amplitude: float) -> float:
    return round(20 * log10(max(amplitude, 1e-10)), 1) + 0.0  # never -0.0


def _clipping(passport: Passport) -> str:
    full = sum(one.peak >= FULL_SCALE for one in passport.manifest.recordings)
    clipped = [level["clipped"] for level in passport.levels if level["clipped"]]
    where = f"{len(clipped)}, {sum(clipped)} samples in all" if clipped else "none"
    return f"{full} files reach full scale; with clipped peaks: {where}"


def _sentences(utterances: Sequence[Utterance]) -> str:
    coded = [(u.language, u.sentence) for u in utterances if u.sentence is not None]
    if not coded:
        return "not coded"
    numbers = Counter(coded)
    least, most = min(numbers.values()), max(numbers.values())
    times = f"{least}" if least == most else f"{least} to {most}"
    rest = _without_code(len(utterances) - len(coded))
    return f"{len(numbers)}, each spoken {times} times{rest}"


def describe_intensities(utterances: Sequence[Utterance]) -> str:
    """Return in words how many utterances there are of each intensity."""
    found = intensities(utterances)
    if not found:
        return "not coded"
    numbers = ", ".join(f"{count} {intensity}" for intensity, count in found.items())
    return numbers + _without_code(len(utterances) - sum(found.values()))


def _without_code(number: int) -> str:
    return f"; {number} utterances without a code" if number else ""
