"""Errors cross from a worker to the process that reports them."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import harness_leaderboard
import harness_plugins
import pytest

import harness
from harness.errors import HarnessError, UnknownNameError


def below(kind):
    """List a class and all that come from it."""
    return [kind, *(found for one in kind.__subclasses__() for found in below(one))]


def every_kind():
    """List the error classes of all modules of the project."""
    for package in (harness, harness_plugins, harness_leaderboard):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".template" not in module.name:
                importlib.import_module(module.name)
    return sorted(set(below(HarnessError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_is_itself_after_it_was_pickled(protocol):
    for kind in every_kind():
        error = kind.__new__(kind, "what, where, next step")
        error.where = "there"
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is kind
        assert (str(again), again.where) == (str(error), "there")


def test_an_error_whose_constructor_takes_more_keeps_its_text():
    error = UnknownNameError("upstream", "wavlm-larg", ["wavlm-large", "hubert"])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert "Did you mean 'wavlm-large'" in str(again)


def refuse():
    raise UnknownNameError("upstream", "a", ["b"], "Because.")


def test_a_worker_that_raises_one_is_not_taken_for_lost():
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        with pytest.raises(UnknownNameError, match="Because"):
            pool.submit(refuse).result()
        assert pool.submit(str, 1).result() == "1"


def test_options_behind_a_name_do_not_hide_a_near_one():
    error = UnknownNameError("perturbation", "nois:snr=3", ["noise", "opus"])
    assert "Did you mean 'noise'?" in str(error)
