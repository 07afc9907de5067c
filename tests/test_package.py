"""The package as others install it: a wheel, in an environment of its own."""

from __future__ import annotations

import functools
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from environments import make_environment, run_line

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "harness": ROOT / "harness",
    "harness_plugins": ROOT / "plugins/harness_plugins",
    "harness_leaderboard": ROOT / "leaderboard/harness_leaderboard",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def shell(built, tmp_path_factory):
    """Run commands outside the checkout, where the wheel is installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    variables = make_environment(folder / "environment")

    run = functools.partial(run_line, folder=folder, variables=variables)
    (wheel,) = built.glob("*.whl")
    run(f"pip install --ignore-installed {wheel}")
    return run


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted


def test_the_source_distribution_has_what_its_tests_need(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        tops = {Path(name).parts[1] for name in file.getnames() if "/" in name}
    assert {"tests", "docs", "benchmarks", "constraints.txt", "Makefile"} <= tops


def test_the_installed_program_runs_the_demo_and_a_new_plugin(shell):
    where = shell("python -c 'import harness; print(harness.__file__)'")
    assert "environment" in where
    shell(
        "harness run --upstream fbank --downstream linear --corpus demo --seeds 0 "
        "--no-controls"
    )
    assert "fbank" in shell("harness leaderboard")
    shell("harness new-plugin acme")
    shell("pip install ./harness-acme")
    assert "acme" in shell("harness list upstreams")
    shell("harness check acme")
    shell(
        "harness run --upstream acme --downstream linear --corpus demo --seeds 0 "
        "--no-controls"
    )
    assert "acme" in shell("harness leaderboard")
