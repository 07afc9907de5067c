"""Every rule for upstreams catches its culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from culprits import UPSTREAMS, findings, on_states, spoilt
from harness_plugins.downstreams import linear
from harness_plugins.upstreams import fbank
from toys import TOY, VECTOR, load_toy

from harness import CheckpointError, conformance
from harness.conformance import (
    Broken,
    Check,
    DownstreamCheck,
    UpstreamCheck,
    downstreams,
    parametrize_with_checks,
    upstreams,
)
from harness.features import padding as certificate


@pytest.mark.parametrize("rule", conformance.UPSTREAM_RULES, ids=lambda r: r.__name__)
def test_a_rule_for_upstreams_catches_its_culprit(rule):
    culprit, sentence = UPSTREAMS[rule.__name__]
    with pytest.raises(Broken, match=sentence):
        Check(rule=rule, subject=UpstreamCheck(offer=culprit))()


@pytest.mark.parametrize(
    "rule", conformance.UPSTREAM_RULES[3:], ids=lambda r: r.__name__
)
def test_a_rule_for_upstreams_lets_a_good_one_pass(rule):
    rule(UpstreamCheck(offer=TOY))


def test_states_of_another_form_are_named():
    with pytest.raises(Broken, match=r"return one tensor \(L, T, D\) a clip"):
        UpstreamCheck(offer=spoilt(on_states(lambda states: states[0]))).second  # noqa: B018


def broken_lines(upstream):
    found = findings(UpstreamCheck(offer=upstream))
    return [one.text for one in found.values() if one.verdict == "BROKEN"]


def failing(error):
    def load(checkpoint, *, device, feeding):
        raise error

    return replace(spoilt(list), load=load)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("no\nmore"), "Loading it raised RuntimeError: no."),
        (
            ModuleNotFoundError("No module named 's3prl'"),
            "Install what is missing, and",
        ),
        (SystemExit(2), "Loading it raised SystemExit: 2."),
        (CheckpointError("It lacks x."), "It lacks x."),
    ],
)
def test_what_does_not_load_is_one_broken_line(error, sentence):
    culprit = failing(error)
    (line,) = broken_lines(culprit)
    assert sentence in line
    found = findings(UpstreamCheck(offer=culprit))
    assert sum(one.text == "it does not load" for one in found.values()) == 12


def test_an_encoder_that_raises_is_a_sentence_for_every_rule():
    def raising(encode):
        def raise_it(waveforms):
            raise KeyError("weights")

        return raise_it

    lines = broken_lines(spoilt(raising))
    assert "It raised KeyError: 'weights'." in lines


def test_no_length_may_do():
    def empty(encode):
        return lambda waveforms: [states[:, :0] for states in encode(waveforms)]

    with pytest.raises(Broken, match="no clip of up to 8 s can be encoded"):
        upstreams.short_clips_are_encoded(UpstreamCheck(offer=spoilt(empty)))


def test_options_are_bound_to_what_is_checked():
    def load(checkpoint, *, device, feeding, options=None):
        return load_toy(checkpoint, device=device, feeding=feeding)

    offer = replace(TOY, load=load, options=fbank.Options, dim=8)
    assert UpstreamCheck(offer=offer).model.dim == 128


@pytest.mark.parametrize("device", ["auto", "cpu:0"])
def test_a_device_is_found_where_the_work_is_done(device):
    (head,) = linear.harness_downstreams()
    checked = DownstreamCheck(offer=head, device=device)
    downstreams.scores_are_batch_invariant(checked)
    downstreams.any_number_of_classes_is_fitted(checked)
    upstreams.it_loads(UpstreamCheck(offer=VECTOR, device=device))


def test_a_device_that_is_not_there_is_one_sentence(harness):
    code, out, err = harness("check", "toy", "linear", "--device", "cuda:99")
    assert code == 2
    assert "There is no device 'cuda:99' here" in err
    assert out == ""


# ---------------------------------------------------------------- one vector a clip


@parametrize_with_checks(VECTOR)
def test_an_upstream_with_one_vector_a_clip_keeps_the_rules(check):
    if check.rule.__name__ != "import_is_light":  # this module imports torch
        check()


@pytest.mark.parametrize(
    ("upstream", "sentence"),
    [
        (replace(TOY, hop=None), "without a hop makes one vector: correct 'hop', or"),
        (replace(VECTOR, hop=0.02), r"\(None for one vector a clip\)"),
    ],
)
def test_one_vector_a_clip_and_a_hop_exclude_each_other(upstream, sentence):
    with pytest.raises(Broken, match=sentence):
        upstreams.frames_are_a_hop_apart(UpstreamCheck(offer=upstream))


def test_the_certificate_of_one_vector_a_clip_is_of_the_vector():
    moved = certificate.measure(UpstreamCheck(offer=VECTOR).encode, VECTOR.rate)
    assert certificate.figures(moved)["batched_delta"] < 1e-6
    assert certificate.figures(moved)["silence_distance"] > 1e-4


def test_every_rule_has_a_culprit():
    rules = {rule.__name__ for rule in conformance.UPSTREAM_RULES}
    assert rules == UPSTREAMS.keys()
