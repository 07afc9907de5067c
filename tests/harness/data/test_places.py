"""Folders by role: a task that was planned here finds its files there."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.data.places import VARIABLES, Places

HERE = Places(data=Path("/here/data"), cache=Path("/here/cache"))
THERE = Places(data=Path("/there/my corpora"), cache=Path("/scratch/é"))

NAMES = [
    "emodb/wav/03a01Fa.wav",
    "oréau/fichier à l'intérieur.wav",
    "ex: colon/a:b.wav",
    "语料/一.wav",
    "50 %/a\\b.wav",
    "..hidden/.wav",
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", ["data", "cache"])
def test_a_path_below_a_role_moves_with_its_folder(role, name):
    short = HERE.shorten(getattr(HERE, role) / name)
    assert short == f"{role}:{name}"
    assert HERE.find(short) == getattr(HERE, role) / name
    assert THERE.find(short) == getattr(THERE, role) / name


@pytest.mark.parametrize("name", NAMES)
def test_a_path_outside_every_role_stays_where_it_is(name):
    path = Path("/elsewhere") / name
    assert HERE.find(HERE.shorten(path)) == THERE.find(HERE.shorten(path)) == path


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"])))
def test_any_name_is_found_again(name):
    assume(name not in ("", ".", ".."))
    for folder in (HERE.data, HERE.cache, Path("/elsewhere")):
        assert HERE.find(HERE.shorten(folder / name)) == folder / name


def test_a_folder_that_only_begins_like_a_role_is_outside():
    path = Path("/here/data-old/a.wav")
    assert HERE.shorten(path) == f":{path}"


def test_a_relative_path_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = HERE.shorten(Path("mine/a.wav"))
    monkeypatch.chdir("/")
    assert HERE.find(short) == tmp_path / "mine/a.wav"


def test_a_cache_below_the_data_has_its_own_role():
    """The innermost folder is the one that a machine may have elsewhere."""
    nested = Places(data=Path("/data"), cache=Path("/data/cache"))
    moved = Places(data=Path("/data"), cache=Path("/scratch"))
    path = Path("/data/cache/demo/a.wav")
    assert moved.find(nested.shorten(path)) == Path("/scratch/demo/a.wav")


def test_places_are_here_unless_the_machine_says_otherwise():
    assert HERE.here() is HERE


@pytest.mark.parametrize("roles", [("data",), ("cache",), ("data", "cache")])
def test_a_machine_names_the_folders_that_it_has_elsewhere(monkeypatch, roles):
    for role in roles:
        monkeypatch.setenv(VARIABLES[role], str(getattr(THERE, role)))
    here = HERE.here()
    for role in ("data", "cache"):
        expected = THERE if role in roles else HERE
        assert getattr(here, role) == getattr(expected, role)


def test_given_checkpoints_come_along(monkeypatch):
    places = Places(data=Path("/d"), cache=Path("/c"), checkpoints={"a": Path("/a")})
    monkeypatch.setenv("HARNESS_WORKER_CACHE", "/scratch")
    moved = places.here()
    assert moved.checkpoints == {"a": Path("/a")}
    assert moved.here() == moved
    assert pickle.loads(pickle.dumps(places)) == places
    assert hash(places) == hash(pickle.loads(pickle.dumps(places)))
