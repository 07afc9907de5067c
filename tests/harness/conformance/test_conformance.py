"""The kit: every rule catches its culprit, and what is bundled keeps the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow.parquet
import pytest
import soundfile
import torch
from harness_plugins.corpora import demo, demos, emodb, emomatch, emovo, shemo
from harness_plugins.downstreams import (
    ast,
    chance,
    layerwise,
    linear,
    majority,
    multilayer,
    nonlinear,
    permuted,
)
from harness_plugins.upstreams import fbank
from toys import GRID, TONES, TOY, VECTOR, load_toy, read_tones

from harness import (
    CheckpointError,
    Cost,
    Downstream,
    Reads,
    Upstream,
    Utterance,
    conformance,
    hookimpl,
)
from harness.conformance import (
    Broken,
    Check,
    CorpusCheck,
    DownstreamCheck,
    UpstreamCheck,
    checks,
    corpora,
    downstreams,
    parametrize_with_checks,
    upstreams,
)
from harness.features import padding as certificate
from harness.verdicts import broken_rules

# ---------------------------------------------------------------- culprits: upstreams


def spoilt(change, **description):
    """An upstream whose waveforms or states are changed by ``change(encode)``."""

    def load(checkpoint, *, device, feeding):
        return change(load_toy(checkpoint, device=device, feeding=feeding))

    return replace(TOY, load=load, **description)


def on_states(function):
    return lambda encode: lambda waveforms: [function(s) for s in encode(waveforms)]


def on_waveforms(function):
    return lambda encode: lambda waveforms: encode([function(w) for w in waveforms])


def counting(encode):
    calls = []

    def encode_and_count(waveforms):
        calls.append(1)
        return [states + len(calls) for states in encode(waveforms)]

    return encode_and_count


def hoarding(encode):
    kept = []

    def encode_and_keep(waveforms):
        kept.extend(waveforms)
        return encode(waveforms)

    return encode_and_keep


def padding(encode):
    def encode_padded(waveforms):
        longest = max(len(waveform) for waveform in waveforms)
        gain = sum(float(w.abs().sum()) for w in waveforms) / longest / len(waveforms)
        return encode([waveform / gain for waveform in waveforms])

    return encode_padded


def forgetting(checkpoint, *, device):
    """A load that lacks an argument."""


def misdescribed(**fields: Any) -> Upstream:
    """An upstream with values of any type."""
    return replace(TOY, **fields)


UPSTREAMS = {
    "name_is_kebab_case": (replace(TOY, name="My Model"), "call it 'my-model'"),
    "description_is_picklable": (misdescribed(load=lambda: 0), "at the top level"),
    "import_is_light": (TOY, "Listing it imports numpy, soundfile: move such imports"),
    "it_loads": (
        misdescribed(load=forgetting),
        "'def load.checkpoint, ., device, feeding",
    ),
    "frames_are_a_hop_apart": (replace(TOY, hop=0.01), "makes 50: correct 'hop'"),
    "layers_and_dims_are_as_described": (replace(TOY, layers=12), "says 12 of 8"),
    "features_are_finite_float32": (
        spoilt(on_states(torch.Tensor.double)),
        "torch.float64: compute in float32",
    ),
    "features_of_silence_are_finite": (
        spoilt(on_waveforms(lambda waveform: waveform / waveform.std())),
        "a second of digital silence are NaN or infinite.* epsilon",
    ),
    "short_clips_are_encoded": (
        replace(TOY, min_seconds=0.01),
        r"A clip of 0.01 s raised RuntimeError: min_seconds=0.02 would do",
    ),
    "long_clips_are_encoded_whole": (
        spoilt(on_waveforms(lambda waveform: waveform[: 30 * 16_000])),
        "only 30.0 s came out: feed longer clips in windows",
    ),
    "the_same_clip_has_the_same_features": (spoilt(counting), "keep nothing"),
    "nothing_is_random": (
        spoilt(on_states(torch.nn.functional.dropout)),
        r"call model.eval\(\) in 'load'",
    ),
    "features_are_batch_invariant": (spoilt(padding), "mask the padding"),
    "the_input_is_left_alone": (
        spoilt(on_waveforms(lambda waveform: waveform.mul_(2))),
        "work on a copy",
    ),
    "features_carry_no_gradient": (
        spoilt(on_states(torch.ones(1, requires_grad=True).mul)),
        "inference_mode",
    ),
    "memory_is_released": (spoilt(hoarding), "64,000 bytes of tensors behind"),
}


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


THIS_MODULE = ("import is light", "description is picklable")
"""Rules that no culprit of this module can keep: it imports torch."""


def findings(subject):
    found = {str(check): check.finding() for check in checks(subject)}
    return {rule: one for rule, one in found.items() if rule not in THIS_MODULE}


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


# ---------------------------------------------------------------- culprits: downstreams

MEANS = Reads(layers="last", frames=False)


def fitting(fit):
    return Downstream(name="culprit", summary="", reads=MEANS, fit=fit)


def by_position(train, labels, *, classes, seed):
    """Guess that test utterances come class by class."""
    return lambda batch: torch.eye(3)[torch.arange(len(batch)) * 3 // len(batch)]


def unseeded(train, labels, *, classes, seed):
    return lambda batch: torch.rand(len(batch), classes)


def by_batch(train, labels, *, classes, seed):
    return lambda batch: (batch.pooled - batch.pooled.mean(0))[:, :classes]


def adapting(train, labels, *, classes, seed):
    seen = []

    def predict(batch):
        seen.extend(batch.pooled)
        return batch.pooled[:, :classes] - len(seen)

    return predict


def three(train, labels, *, classes, seed):
    """Expect three classes always."""
    return lambda batch: torch.zeros(len(batch), 3)


DOWNSTREAMS = {
    "one_of_build_and_fit": (fitting(None), "exactly one of 'build' and 'fit'"),
    "a_seed_is_run": (replace(fitting(three), seeds=0), "seeds=0.*at least 1"),
    "any_number_of_classes_is_fitted": (
        fitting(three),
        r"of 2 classes|where \(60, 2\)",
    ),
    "a_separable_toy_is_learned": (fitting(majority.fit), "macro-F1 is 0.17"),
    "permuted_labels_are_not_learned": (
        fitting(by_position),
        "accuracy is 1.00 where a third is chance.*the order of utterances",
    ),
    "the_same_seed_has_the_same_scores": (fitting(unseeded), "from 'seed' in 'fit'"),
    "scores_are_batch_invariant": (fitting(by_batch), "its own frames only"),
    "scoring_changes_no_later_score": (fitting(adapting), "learn nothing"),
}


@pytest.mark.parametrize(
    "rule", conformance.DOWNSTREAM_RULES[3:], ids=lambda r: r.__name__
)
def test_a_rule_for_downstreams_catches_its_culprit(rule):
    culprit, sentence = DOWNSTREAMS[rule.__name__]
    with pytest.raises(Broken, match=sentence):
        Check(rule=rule, subject=DownstreamCheck(offer=culprit))()


@pytest.mark.parametrize(
    ("module", "rule", "reason"),
    [
        (majority, "a_separable_toy_is_learned", "a control need not learn"),
        (ast, "a_separable_toy_is_learned", "costly, and cut to 2 epochs"),
        (chance, "scores_are_batch_invariant", "label-only baseline may draw"),
    ],
)
def test_what_a_rule_cannot_ask_of_a_head_is_said(module, rule, reason):
    offer = next(iter(module.harness_downstreams()))
    assert reason in getattr(downstreams, rule)(DownstreamCheck(offer=offer))


def test_a_costly_training_is_cut_short():
    (head,) = linear.harness_downstreams()
    costly = replace(head, cost=Cost(weights=1, memory=1))
    assert head.recipe is not None
    assert len(DownstreamCheck(offer=head).trial.fitted.history) == head.recipe.epochs
    assert len(DownstreamCheck(offer=costly).trial.fitted.history) == 2


def test_a_head_without_a_recipe_is_named_and_not_trained():
    (head,) = linear.harness_downstreams()
    found = findings(DownstreamCheck(offer=replace(head, recipe=None)))
    assert "say how it is trained" in found["one of build and fit"].text
    assert found["a separable toy is learned"].text == "it has no recipe"
    assert found["a separable toy is learned"].verdict == "not run"


def test_what_fit_returns_must_be_a_tensor():
    def listing(train, labels, *, classes, seed):
        return lambda batch: [[0.0] * classes] * len(batch)

    found = findings(DownstreamCheck(offer=fitting(listing)))
    assert found["any number of classes is fitted"].verdict == "BROKEN"


# ---------------------------------------------------------------- culprits: corpora


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


GOOD = replace(TONES, citation="Toys 2026")
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
    rules = {
        *conformance.UPSTREAM_RULES,
        *conformance.DOWNSTREAM_RULES,
        *conformance.CORPUS_RULES,
    }
    assert {rule.__name__ for rule in rules} == (
        UPSTREAMS.keys() | DOWNSTREAMS.keys() | {rule for rule, _, _ in CORPORA}
    )


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


# ---------------------------------------------------------------- the certificate


def measured(upstream):
    return certificate.measure(UpstreamCheck(offer=upstream).encode, upstream.rate)


def test_a_certificate_has_every_layer():
    moved = measured(TOY)
    assert {trial: len(one.delta) for trial, one in moved.items()} == {
        "batched": 3,
        "silence": 3,
        "repeated": 3,
    }


def test_what_reads_frames_alone_is_moved_by_nothing():
    assert max(certificate.figures(measured(TOY)).values()) < 1e-6


def test_a_leak_is_measured_and_put_into_words():
    moved = measured(spoilt(padding))
    assert certificate.figures(moved)["batched_delta"] > 0.01
    assert "Features depend on what shares the batch" in certificate.verdicts(moved)[0]


def test_what_depends_on_the_whole_clip_is_moved_by_silence_alone():
    loudness = on_waveforms(lambda waveform: waveform / waveform.norm() * 30)
    peak = on_waveforms(lambda waveform: waveform / len(waveform) * 16_000)
    figures = certificate.figures(measured(spoilt(peak)))
    assert figures["batched_delta"] == 0
    assert figures["silence_distance"] > 1e-6
    assert certificate.figures(measured(spoilt(loudness)))["repeated_distance"] > 1e-6


def test_a_result_carries_the_certificate(harness, tmp_path):
    harness("run", *GRID, "--downstream", "linear", "--no-controls")
    row = pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()[0]
    figures = dict(row["extraction"]["certificate"])
    assert figures.keys() == {
        f"{trial}_{what}"
        for trial in certificate.TRIALS
        for what in ("delta", "distance")
    }
    assert figures["batched_delta"] <= certificate.ROUNDING


def test_a_certificate_is_made_once_a_store(harness, tmp_path):
    harness("run", *GRID, "--downstream", "linear", "--no-controls")
    (made,) = (tmp_path / "cache" / "features").glob("*/certificate.json")
    before = made.stat().st_mtime_ns
    harness("run", *GRID, "--downstream", "nonlinear", "--no-controls")
    assert made.stat().st_mtime_ns == before
