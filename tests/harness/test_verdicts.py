from __future__ import annotations

import pytest

from harness.verdicts import broken_rules, record

ASKED = ("acme:layer=3", 2, "harness-acme 1.0")


def test_what_was_found_is_read_back(tmp_path):
    record(tmp_path, *ASKED, ["nothing is random", "it loads"])
    assert broken_rules(tmp_path, *ASKED) == ("nothing is random", "it loads")


def test_a_later_check_replaces_an_earlier_one(tmp_path):
    record(tmp_path, *ASKED, ["it loads"])
    record(tmp_path, *ASKED, [])
    assert broken_rules(tmp_path, *ASKED) == ()


@pytest.mark.parametrize(
    "other",
    [
        ("acme", 2, "harness-acme 1.0"),
        ("acme:layer=3", 3, "harness-acme 1.0"),
        ("acme:layer=3", 2, "harness-acme 1.1"),
    ],
)
def test_a_verdict_holds_for_what_was_checked_alone(tmp_path, other):
    record(tmp_path, *ASKED, ["it loads"])
    assert broken_rules(tmp_path, *other) == ()


def test_other_rules_make_a_verdict_void(tmp_path, monkeypatch):
    record(tmp_path, *ASKED, ["it loads"])
    monkeypatch.setattr("harness.verdicts.RULES_VERSION", 99)
    assert broken_rules(tmp_path, *ASKED) == ()


def test_a_damaged_verdict_is_none(tmp_path):
    record(tmp_path, *ASKED, ["it loads"])
    (file,) = (tmp_path / "verdicts").iterdir()
    file.write_text("[]")
    assert broken_rules(tmp_path, *ASKED) == ()
