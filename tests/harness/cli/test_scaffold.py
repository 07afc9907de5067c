"""A third party's package: written by one command, and used untouched."""

from __future__ import annotations

import subprocess
from importlib.util import module_from_spec, spec_from_file_location

import pyarrow.parquet
import pytest
from environments import make_environment

from harness.cli.scaffold import TEMPLATE, write_plugin


def texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# ---------------------------------------------------------------- what is written


def test_a_new_plugin_called_acme_is_the_template_itself(harness, tmp_path):
    code, _, err = harness("new-plugin", "acme")
    assert code == 0
    assert "harness check acme" in err
    assert texts(tmp_path / "harness-acme") == texts(TEMPLATE)


def test_a_plugin_can_be_written_elsewhere(harness, tmp_path):
    code, _, _ = harness("new-plugin", "acme", "--folder", "deep/place")
    assert code == 0
    assert texts(tmp_path / "deep" / "place") == texts(TEMPLATE)


def test_a_name_with_hyphens_becomes_a_module_with_underscores(tmp_path):
    write_plugin("acme-large", tmp_path / "made")
    files = texts(tmp_path / "made")
    assert sorted(files) == [
        "README.md",
        "harness_acme_large.py",
        "pyproject.toml",
        "tests/test_rules.py",
    ]
    assert 'name = "harness-acme-large"' in files["pyproject.toml"]
    assert 'acme-large = "harness_acme_large"' in files["pyproject.toml"]
    assert "from harness_acme_large import" in files["tests/test_rules.py"]


def test_what_is_written_offers_its_upstream(tmp_path):
    write_plugin("loud-one", tmp_path)
    spec = spec_from_file_location("loud_one", tmp_path / "harness_loud_one.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [upstream.name for upstream in module.harness_upstreams()] == ["loud-one"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("Acme",), "'Acme' will not do as a name"),
        (("acme_large",), "such as 'acme-large'"),
        (("fbank",), "called 'fbank' already, by the plugin fbank (speech-harness"),
        (("acme", "--folder", "data"), "data exists already"),
    ],
)
def test_what_will_not_do_is_refused_in_a_sentence(harness, arguments, sentence):
    code, _, err = harness("new-plugin", *arguments)
    assert code == 2
    assert sentence in err


# ---------------------------------------------------------------- in its own place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("acme")


@pytest.fixture(scope="module")
def acme(folder):
    """Run a command where the package is installed, and nowhere else."""
    variables = make_environment(folder / "environment")

    def run(*command):
        return subprocess.run(
            command,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    write_plugin("acme", folder / "package")
    installed = run("pip", "install", str(folder / "package"))
    assert installed.returncode == 0, installed.stderr
    return run


def test_an_installed_plugin_is_listed(acme):
    assert "acme" in acme("harness", "list", "upstreams").stdout
    plugins = acme("harness", "list", "plugins").stdout
    assert ["acme", "harness-acme", "0.1.0", "in", "use"] in map(
        str.split, plugins.splitlines()
    )


def test_an_installed_plugin_keeps_the_rules(acme):
    checked = acme("harness", "check", "acme")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "BROKEN" not in checked.stdout
    assert "Features are batch-invariant" in checked.stdout


def test_an_installed_plugins_own_tests_pass(acme):
    tested = acme("pytest", "-q", "-p", "no:cacheprovider", "package/tests")
    assert tested.returncode == 0, tested.stdout
    assert "16 passed" in tested.stdout


def test_an_installed_plugin_runs_and_stands_in_its_results(acme, folder):
    done = acme(
        *("harness", "run", "--upstream", "acme", "--downstream", "linear"),
        *("--corpus", "demo", "--executor", "serial", "--no-controls"),
    )
    assert done.returncode == 0, done.stderr
    (row,) = pyarrow.parquet.read_table(folder / "runs").to_pylist()
    plugins = dict(row["training"]["plugins"])
    assert plugins["upstream"] == "acme (harness-acme 0.1.0)"
    assert row["condition"]["upstream"]["plugin"] == "harness-acme 0.1.0"
    assert dict(row["scores"])["macro_f1"] > 0.4


def test_what_is_installed_there_is_not_seen_here(acme, registry):
    assert "acme" not in [upstream.name for upstream in registry.upstreams]
