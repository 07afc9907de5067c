from __future__ import annotations

import numpy as np
import pytest
import soundfile
from harness_plugins.corpora.emovo import EMOVO

from harness import Utterance
from harness.data.audio import probe


def test_a_file_name_encodes_label_speaker_gender_and_sentence(tree):
    assert list(EMOVO.read(tree("EMOVO/m2/gio-m2-n5.wav"))) == [
        Utterance(
            id="m2/gio-m2-n5.wav",
            path="EMOVO/m2/gio-m2-n5.wav",
            label="happiness",
            speaker="m2",
            gender="male",
            sentence="n5",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("dis", "disgust"),
        ("gio", "happiness"),
        ("neu", "neutral"),
        ("pau", "fear"),
        ("rab", "anger"),
        ("sor", "surprise"),
        ("tri", "sadness"),
    ],
)
def test_the_italian_code_stands_for(tree, code, label):
    (utterance,) = EMOVO.read(tree(f"f1/{code}-f1-b1.wav"))
    assert utterance.label == label


def test_stereo_files_and_the_mono_one_are_read_alike(tree):
    root = tree("f1/rab-f1-b1.wav", "f1/rab-f1-b2.wav")
    beep = np.sin(np.arange(4800) / 10) / 2
    soundfile.write(root / "f1/rab-f1-b1.wav", beep / 2, 48_000)
    soundfile.write(root / "f1/rab-f1-b2.wav", np.stack([beep, 0 * beep], 1), 48_000)
    mono, stereo = (probe(root / utterance.path) for utterance in EMOVO.read(root))
    assert (mono["channels"], stereo["channels"]) == (1, 2)
    assert mono["peak"] == pytest.approx(stereo["peak"], abs=1e-4)
