from __future__ import annotations

import pytest
from harness_plugins.corpora.demos import DEMOS, harness_corpora

from harness import Utterance

CORPORA = {corpus.name: corpus for corpus in harness_corpora()}
ONE_OF_EACH = (
    *("DEMOS/PR_f_01_rab00a.wav", "DEMOS/PR_f_01_tri00a.wav"),
    *("DEMOS/PR_f_01_gio00a.wav", "DEMOS/NP_f_01_pau00b.wav"),
    *("DEMOS/NP_f_01_dis00b.wav", "DEMOS/NP_f_01_col00c.wav"),
    *("DEMOS/NP_f_01_sor85c.wav", "NEU/f_01_neu05b.wav"),
)


def test_a_file_name_encodes_gender_speaker_and_label(tree):
    assert list(DEMOS.read(tree("DEMOS/PR_m_23_tri00a.wav"))) == [
        Utterance(
            id="DEMOS/PR_m_23_tri00a.wav",
            path="DEMOS/PR_m_23_tri00a.wav",
            label="sadness",
            speaker="23",
            gender="male",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("rab", "anger"),
        ("tri", "sadness"),
        ("gio", "happiness"),
        ("pau", "fear"),
        ("dis", "disgust"),
        ("col", "guilt"),
        ("sor", "surprise"),
    ],
)
def test_the_italian_code_stands_for(tree, code, label):
    (utterance,) = DEMOS.read(tree(f"DEMOS/NP_f_01_{code}07b.wav"))
    assert utterance.label == label


def test_neutral_names_have_no_prefix(tree):
    (utterance,) = DEMOS.read(tree("NEU/m_68_neu05b.wav"))
    assert (utterance.id, utterance.label) == ("NEU/m_68_neu05b.wav", "neutral")


@pytest.mark.parametrize("speaker", ["06", "07", "13", "20", "32", "42", "62"])
def test_men_whom_another_loader_lists_as_women_are_men(tree, speaker):
    (utterance,) = DEMOS.read(tree(f"DEMOS/NP_m_{speaker}_rab01b.wav"))
    assert utterance.gender == "male"


@pytest.mark.parametrize(
    ("name", "missing"),
    [("demos", set()), ("demos@7", {"neutral"}), ("demos@no-guilt", {"guilt"})],
)
def test_a_variant_leaves_out(tree, name, missing):
    corpus = CORPORA[name]
    labels = {utterance.label for utterance in corpus.read(tree(*ONE_OF_EACH))}
    assert labels == set(corpus.labels) == set(DEMOS.labels) - missing
