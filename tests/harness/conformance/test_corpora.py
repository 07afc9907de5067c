"""Every rule for corpora catches its culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import soundfile
from culprits import GOOD, UPSTREAMS, findings
from toys import TONES, read_tones

from harness import Utterance, conformance
from harness.conformance import Broken, Check, CorpusCheck, corpora


def numbered(root):
    """Number speakers as the file system lists their files."""
    for number, path in enumerate(root.iterdir()):
        yield Utterance(id=path.name, path=path.name, label="low", speaker=str(number))


def timed(root):
    """Open audio to see how long it is."""
    for one in read_tones(root):
        seconds = soundfile.info(root / one.path).duration
        yield replace(one, intensity=f"{seconds:.1f}")


def sized(root):
    """Look at files' sizes, which the emptied audio changes."""
    for one in read_tones(root):
        yield replace(one, intensity=str((root / one.path).stat().st_size))


def every(**changes):
    return lambda root: [replace(one, **changes) for one in read_tones(root)]


def gendered(root):
    for one in read_tones(root):
        yield replace(one, gender="male" if one.label == "low" else "female")


def placed(root):
    for one in read_tones(root):
        yield replace(one, id=f"{root.parent.name}/{one.id}")


CORPORA = [
    ("the_description_is_complete", TONES, "citation is empty: fill it in"),
    ("ids_are_unique_and_stable", replace(GOOD, read=every(id="a")), "called 'a'"),
    ("ids_are_unique_and_stable", replace(GOOD, read=placed), "another folder"),
    ("it_can_be_read", replace(GOOD, read=lambda root: ()), "no utterance"),
    ("labels_are_declared", replace(GOOD, read=every(label="loud")), "not declared"),
    ("speakers_are_known", replace(GOOD, read=every(speaker="")), "names no speaker"),
    ("speakers_are_known", replace(GOOD, read=gendered), "has two genders"),
    ("the_order_of_files_does_not_matter", replace(GOOD, read=numbered), "sort before"),
    ("audio_is_not_opened", replace(GOOD, read=timed), "open no audio in 'read'"),
    ("audio_is_not_opened", replace(GOOD, read=sized), "audio files are emptied"),
]


@pytest.mark.parametrize(("rule", "culprit", "sentence"), CORPORA)
def test_a_rule_for_corpora_catches_its_culprit(tones, rule, culprit, sentence):
    subject = CorpusCheck(offer=culprit, root=tones)
    with pytest.raises(Broken, match=sentence):
        Check(rule=getattr(corpora, rule), subject=subject)()


@pytest.mark.parametrize("rule", conformance.CORPUS_RULES[2:], ids=lambda r: r.__name__)
def test_a_rule_for_corpora_lets_a_good_one_pass(tones, rule):
    rule(CorpusCheck(offer=GOOD, root=tones))


def test_a_reader_that_fails_is_one_broken_line_with_the_file(tones):
    (tones / "notes.wav").touch()
    found = findings(CorpusCheck(offer=GOOD, root=tones))
    broken = [one.text for one in found.values() if one.verdict == "BROKEN"]
    assert len(broken) == 1
    assert "ValueError" in broken[0]
    assert "notes.wav" in broken[0]
    assert [one.text for one in found.values() if one.verdict == "not run"] == [
        "it cannot be read"
    ] * 5


def test_every_rule_has_a_culprit():
    rules = {rule.__name__ for rule in conformance.CORPUS_RULES}
    caught = {rule for rule, _, _ in CORPORA}
    assert caught <= rules <= caught | UPSTREAMS.keys()
