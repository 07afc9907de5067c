"""What is bundled keeps the rules, and the command line says who does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from culprits import GOOD, UPSTREAMS
from harness_plugins.corpora import demo, demos, emodb, emomatch, emovo, shemo
from harness_plugins.downstreams import (
    chance,
    layerwise,
    linear,
    majority,
    multilayer,
    nonlinear,
    permuted,
)
from harness_plugins.upstreams import fbank

from harness import conformance, hookimpl
from harness.conformance import CorpusCheck, checks, parametrize_with_checks
from harness.verdicts import broken_rules

# ---------------------------------------------------------------- what is bundled

HEADS = [
    offer
    for module in (linear, nonlinear, multilayer, layerwise, majority, chance, permuted)
    for offer in module.harness_downstreams()
]


@parametrize_with_checks(*fbank.harness_upstreams(), *HEADS)
def test_a_bundled_plugin_keeps_the_rules(check):
    check()


def test_an_exemption_is_printed(harness):
    code, out, _ = harness("check", "majority")
    assert code == 0
    assert "  exempt  a separable toy is learned: a control need not learn" in out


@pytest.mark.parametrize(
    ("module", "file"),
    [
        (demo, "af1-a1-anger-00.wav"),
        (demos, "DEMOS/PR_m_23_tri00a.wav"),
        (emodb, "wav/03a01Fa.wav"),
        (emomatch, "41_Ira_12.WAV"),
        (emovo, "f1/dis-f1-b1.wav"),
        (shemo, "female/F01F02.wav"),
    ],
)
def test_a_bundled_corpus_keeps_the_rules(tmp_path, module, file):
    path = tmp_path / "corpus" / file
    path.parent.mkdir(parents=True)
    path.touch()
    corpus = next(iter(module.harness_corpora()))
    for check in checks(CorpusCheck(offer=corpus, root=tmp_path / "corpus")):
        check()


def test_a_table_keeps_the_rules(harness, tones):
    lines = [f"{p.name},{p.stem.split('_')[1]},{p.name[:2]}" for p in tones.iterdir()]
    table = tones / "mine.csv"
    table.write_text("\n".join(["path,label,speaker", *lines]))
    code, out, _ = harness("check", f"csv:{table}")
    assert code == 0
    assert "exempt  audio is not opened: it says itself where it lies" in out


def test_a_corpus_is_parametrized_with_its_folder(tones):
    (mark,) = [parametrize_with_checks(GOOD, root=tones).mark]
    assert len(mark.args[1]) == len(conformance.CORPUS_RULES)


def test_a_corpus_needs_a_folder():
    with pytest.raises(ValueError, match=r"checked in a folder: root="):
        parametrize_with_checks(GOOD)


# ---------------------------------------------------------------- the command line


class Culprits:
    @hookimpl
    def harness_upstreams(self):
        for rule in ("frames_are_a_hop_apart", "layers_and_dims_are_as_described"):
            yield replace(UPSTREAMS[rule][0], name=rule[:6].strip("_"))
        yield replace(UPSTREAMS["features_of_silence_are_finite"][0], name="nan")
        yield replace(UPSTREAMS["nothing_is_random"][0], name="dropping")
        yield replace(UPSTREAMS["features_are_batch_invariant"][0], name="leaking")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("frames", "correct 'hop'"),
        ("layers", "correct the description"),
        ("nan", "add an epsilon"),
        ("dropping", "call model.eval() in 'load'"),
        ("leaking", "mask the padding"),
    ],
)
def test_a_broken_rule_is_said_with_what_to_change(harness, manager, name, sentence):
    manager.register(Culprits())
    code, out, _ = harness("check", name)
    assert code == 2
    assert any("BROKEN" in line and sentence in line for line in out.splitlines())


def test_what_was_found_is_kept(harness, manager, tmp_path):
    manager.register(Culprits())
    harness("check", "nan", "toy")
    cache = tmp_path / "cache"
    assert broken_rules(cache, "nan", 1, "") == (
        "description is picklable",
        "import is light",
        "features of silence are finite",
    )
    assert broken_rules(cache, "toy", 1, "") == ("import is light",)


def test_what_keeps_the_rules_leaves_with_0(harness):
    code, out, _ = harness("check", "fbank", "linear")
    assert code == 0
    assert "fbank (upstream)" in out
    assert "linear (downstream)" in out
    assert out.count("  ok  ") == len(conformance.UPSTREAM_RULES) + len(
        conformance.DOWNSTREAM_RULES
    )


def test_a_corpus_can_be_checked(harness):
    code, out, _ = harness("check", "tones")
    assert code == 2
    assert "BROKEN  the description is complete: Its citation is empty" in out
    assert "ok      audio is not opened" in out


def test_an_unknown_name_is_named(harness):
    code, _, err = harness("check", "fbnk")
    assert code == 2
    assert "No upstream, downstream or corpus is called 'fbnk'" in err
    assert "Did you mean 'fbank'?" in err


def test_a_feeding_that_is_unknown_is_named(harness):
    code, _, err = harness("check", "fbank", "--feeding", "loud")
    assert code == 2
    assert "fbank cannot be fed 'loud'. Known for it: full." in err
