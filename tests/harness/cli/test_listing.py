"""``harness list``: the same facts as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from toys import TONES, TOY, ToyPlugin

from harness import Claim, hookimpl
from harness.cli.listing import KINDS, list_offers
from harness.registry import Registry, plugin_manager
from harness.splits import strategies
from harness.training import metrics

CLAIM = Claim(source="a survey", utterances=41, labels=3)


class Rich:
    """Offers a corpus and an upstream that say more of themselves."""

    @hookimpl
    def harness_corpora(self):
        yield replace(TONES, name="claimed", claims=(CLAIM,), versions={"1": 40})

    @hookimpl
    def harness_upstreams(self):
        yield replace(
            TOY,
            name="learnt",
            parameters=94_700_000,
            languages=("en", "de"),
            licence="MIT",
        )


@pytest.fixture
def listed():
    """Run ``harness list`` with the toy and rich plugins; return what it prints."""
    registry = Registry.of(plugin_manager([strategies, metrics, ToyPlugin(), Rich()]))

    def call(*arguments):
        done = CliRunner().invoke(list_offers, arguments, obj=registry)
        assert done.exit_code == 0, done.output
        return done.output

    return call


def row(text, name):
    (line,) = (line for line in text.splitlines() if line.startswith(name + " "))
    return " ".join(line.split())


def test_upstreams_are_listed_with_their_languages_and_licence(listed):
    assert row(listed("upstreams"), "learnt") == "learnt 3 8 95 M en, de MIT –"


def test_corpora_are_listed_with_what_says_more_of_them(listed):
    text = listed("corpora")
    assert row(text, "claimed") == "claimed x-tones 40 2 41 of 3 CC0-1.0"
    assert row(text, "tones") == "tones x-tones – 2 – CC0-1.0"
    assert "harness corpus info NAME" in text


def test_splits_and_metrics_are_listed(listed):
    assert row(listed("splits"), "stratified").startswith("stratified no no 80/10/10")
    assert row(listed("metrics"), "uar").startswith("uar UAR yes Mean recall")


def test_json_has_the_facts_unformatted(listed):
    upstreams = {
        one["upstream"]: one for one in json.loads(listed("--format=json"))["upstreams"]
    }
    assert upstreams["learnt"]["weights"] == 94_700_000
    assert upstreams["learnt"]["languages"] == ["en", "de"]
    assert upstreams["toy"]["weights"] is None
    corpora = json.loads(listed("corpora", "--format", "json"))
    assert [one["corpus"] for one in corpora] == ["claimed", "tones"]
    assert corpora[0]["claims"][0]["source"] == "a survey"


def test_every_kind_of_offer_is_listed(listed):
    assert list(json.loads(listed("--format", "json"))) == list(KINDS)
    text = listed()
    for kind in ("downstreams", "suites", "executors", "renderers"):
        assert f"no {kind}" in text
