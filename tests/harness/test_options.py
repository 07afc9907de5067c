"""Options of offers are typed, and part of what is offered."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import pytest
from plugged import offering, plugin
from toys import TOY

from harness import HarnessError
from harness.registry import Registry, plugin_manager, split_names


class Kind(Enum):
    PLAIN = "plain"
    FINE = "fine"


@dataclass(frozen=True, kw_only=True)
class Options:
    layer: int = 0
    gain: float = 1.0
    norm: bool = False
    kind: Kind = Kind.PLAIN
    window: Literal["hann", "povey"] = "hann"
    note: str = ""

    def __post_init__(self):
        if self.layer < 0:
            raise ValueError("layer begins at 0")


@dataclass(frozen=True)
class Wider:
    dim: int = 8

    def describe(self, upstream):
        return replace(upstream, dim=self.dim)


def load(checkpoint, *, device, feeding, options=None):
    return options


@pytest.fixture
def optional():
    acme = replace(TOY, name="acme", load=load, options=Options, checkpoint="a/b")
    wide = replace(TOY, name="wide", load=load, options=Wider)
    return Registry.of(plugin_manager([offering(TOY, acme, wide)])).upstreams


def options_of(upstream):
    return upstream.load(None, device="cpu", feeding="full")


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("acme", "acme", {}),
        ("acme:layer=3", "acme:layer=3", {"layer": 3}),
        ("acme:note=x, layer=3", "acme:layer=3,note=x", {"layer": 3, "note": "x"}),
        ("acme:layer=0,gain=1", "acme", {}),
        ("acme:gain=5e-1", "acme:gain=0.5", {"gain": 0.5}),
        ("acme:norm=yes", "acme:norm=true", {"norm": True}),
        ("acme:norm=false", "acme", {}),
        ("acme:kind=fine", "acme:kind=fine", {"kind": Kind.FINE}),
        ("acme:window=povey", "acme:window=povey", {"window": "povey"}),
    ],
)
def test_options_are_typed_and_named_canonically(optional, text, name, options):
    upstream = optional[text]
    assert upstream.name == name
    assert options_of(upstream) == Options(**options)
    assert optional.plugin(text) == optional.plugin("acme")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "acme:lair=3",
            r"acme has no option 'lair'. Did you mean 'layer'\? Known: lay",
        ),
        ("acme:x=3", r"norm \(true or false, default false\); kind \(plain or fine, d"),
        ("acme:layer=x", r"acme:layer cannot be 'x'. layer \(int, default 0\)\."),
        ("acme:gain=nan", "acme:gain cannot be 'nan'"),
        ("acme:window=hamming", r"window \(hann or povey, default hann\)"),
        ("acme:norm=2", "true or false"),
        ("acme:layer=1,layer=2", "sets layer twice"),
        ("acme:layer", "'layer' of 'acme:layer' is not like field=value. Known: layer"),
        ("acme:", "is not like field=value"),
        ("acme:layer=-1", "'acme:layer=-1' cannot be: layer begins at 0"),
        ("toy:layer=3", "No upstream is called.*The upstream 'toy' takes no options"),
    ],
)
def test_a_bad_option_is_refused_in_a_sentence(optional, text, sentence):
    with pytest.raises(HarnessError, match=sentence):
        optional[text]


def test_defaults_are_bound_wherever_an_offer_is_found(optional):
    (listed,) = [upstream for upstream in optional if upstream.name == "acme"]
    assert options_of(listed) == options_of(optional["acme"]) == Options()


def test_options_may_change_the_description(optional):
    assert [optional[name].dim for name in ("wide", "wide:dim=5")] == [8, 5]


def test_the_checkpoint_of_the_plain_name_serves_every_option(optional):
    assert optional["acme:layer=3"].checkpoint_of == "acme"
    assert optional["acme"].checkpoint_of == ""


def test_what_has_options_travels_to_other_processes(optional):
    copy = pickle.loads(pickle.dumps(optional["acme:layer=3"]))
    assert options_of(copy) == Options(layer=3)


def test_an_offer_without_options_leaves_a_colon_to_the_hooks():
    def harness_upstream(self, name):
        return replace(TOY, name=name)

    made = [offering(TOY), plugin(harness_upstream)]
    assert Registry.of(plugin_manager(made)).upstreams["toy:x=1"].name == "toy:x=1"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ("a",)),
        ("a, b,,a", ("a", "b")),
        ("a:x=1,y=2,b,hf:foo/bar", ("a:x=1,y=2", "b", "hf:foo/bar")),
        ("a:x=1,b:y=2", ("a:x=1", "b:y=2")),
        ("csv:a=b.csv,csv:c.csv", ("csv:a=b.csv", "csv:c.csv")),
        ("", ()),
    ],
)
def test_names_are_split_at_commas_but_not_within_options(text, names):
    assert split_names(text) == names
