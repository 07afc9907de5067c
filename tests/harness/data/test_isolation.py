"""A mistake of a corpus plugin is one sentence, and no traceback."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from toys import TONES

from harness import DataError, PluginError, Utterance, hookimpl
from harness.data.isolation import guarded
from harness.registry import Plugin

ACME = Plugin(name="acme", distribution="harness-acme", version="1.2")
STARTS = r"^Corpus 'tones' of the plugin acme \(harness-acme 1\.2\) cannot be used: "


def misdescribed(one: Any, **fields: Any) -> Any:
    """Return a copy with values of any type."""
    return replace(one, **fields)


def mistaken(**functions):
    return guarded(misdescribed(TONES, **functions), ACME)


def parse(root):
    for path in sorted(root.glob("*.wav")):
        speaker, label, _ = path.stem.split("_")
        yield Utterance(id=path.name, path=path.name, label=label, speaker=speaker)


def test_an_exception_at_a_stray_file_names_the_file(tones):
    (tones / "stray.wav").touch()
    problem = r"its 'read' raises ValueError: .* \(last file: 'stray\.wav'"
    with pytest.raises(PluginError, match=STARTS + problem):
        list(mistaken(read=parse).read(tones))


def test_utterances_before_the_mistake_are_yielded(tones):
    (tones / "z.wav").touch()
    reading = mistaken(read=parse).read(tones)
    assert len(list(islice(reading, 40))) == 40


def test_a_file_that_the_exception_itself_names_is_named(tones):
    def read(root):
        if root:
            raise PermissionError(13, "Permission denied", str(root / "s0_low_0.wav"))
        yield

    with pytest.raises(PluginError, match=r"\(last file: 's0_low_0\.wav'"):
        list(mistaken(read=read).read(tones))


def test_an_exception_without_a_file_names_none(tones):
    with pytest.raises(PluginError, match=r"raises ZeroDivisionError.*zero; report"):
        list(mistaken(read=lambda root: 1 / 0).read(tones))


def test_a_file_elsewhere_is_not_named(tones, tmp_path):
    (tmp_path / "table.csv").touch()

    def read(root):
        table = tmp_path / "table.csv"
        return [table][1]

    with pytest.raises(PluginError, match="out of range; report"):
        list(mistaken(read=read).read(tones))


GOOD = Utterance(id="a", path="a.wav", label="low", speaker="s0")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"id": "a"}, "yields a value of type dict instead of Utterance"),
        (misdescribed(GOOD, speaker=3), "whose speaker is of type int instead of str"),
        (
            misdescribed(GOOD, label=None),
            "whose label is of type NoneType instead of str",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_named(tones, value, problem):
    with pytest.raises(PluginError, match=f"{STARTS}its 'read' .*{problem}"):
        list(mistaken(read=lambda root: [value]).read(tones))


@pytest.mark.parametrize("files", [lambda: 1 / 0, lambda: ["a"], lambda: {"a": "b"}])
def test_a_mistake_in_the_list_of_files_is_named(files):
    with pytest.raises(PluginError, match=f"{STARTS}its 'files' "):
        mistaken(files=files).files()


def test_a_mistake_in_the_synthesis_is_named(tmp_path):
    with pytest.raises(PluginError, match=f"{STARTS}its 'make' raises ZeroDivision"):
        mistaken(make=lambda folder: 1 / 0).make(tmp_path)


def test_a_full_disk_is_not_the_plugins_mistake(tmp_path):
    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        mistaken(make=full).make(tmp_path)


def test_an_error_that_the_user_can_fix_passes(tones):
    def read(root):
        raise DataError("Another version.")

    with pytest.raises(DataError, match=r"^Another version\.$"):
        list(mistaken(read=read).read(tones))


def test_a_corpus_without_a_list_or_a_synthesis_still_has_none():
    assert mistaken().files is None
    assert mistaken().make is None


# ---------------------------------------------------------------- with the program


@pytest.fixture
def program(harness, manager, tones):
    """Run the program with corpora whose plugin makes mistakes."""
    (tones.parent / "broken").mkdir()
    (tones.parent / "broken" / "stray.wav").touch()
    unlisted = {"name": "tones@unlisted", "files": lambda: 1 / 0}

    class Offer:
        @hookimpl
        def harness_corpora(self):
            yield replace(TONES, name="broken", read=parse)
            yield misdescribed(TONES, name="tones@broken", read=lambda root: 1 / 0)
            yield misdescribed(TONES, **unlisted)

    manager.register(Offer(), name="acme")
    return harness


@pytest.mark.parametrize("verb", ["check", "info", "download"])
def test_every_verb_prints_one_sentence_and_exits_with_2(program, verb):
    code, out, err = program("corpus", verb, "broken")
    assert (code, out) == (2, "")
    assert err.startswith("error: Corpus 'broken' of the plugin acme cannot be used: ")
    assert "(last file: 'stray.wav'" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("verb", ["check", "info", "download"])
def test_a_list_of_files_that_fails_is_one_sentence_too(program, verb):
    code, _, err = program("corpus", verb, "tones@unlisted")
    assert code == 2
    assert err.endswith(
        "its 'files' raises ZeroDivisionError: division by zero; report this to the "
        "plugin's authors.\n"
    )


def test_a_variant_that_fails_does_not_disturb_the_others(program):
    assert program("corpus", "check", "tones")[0] == 0
    assert program("corpus", "info", "tones")[0] == 0


def test_all_checks_the_others_and_names_the_broken_ones_once(program):
    code, out, err = program("corpus", "check", "--all")
    assert code == 2
    assert "Tones, version 1" in out
    for name in ("broken", "tones@broken", "tones@unlisted"):
        assert err.count(f"Corpus '{name}' of the plugin acme cannot be used") == 1
