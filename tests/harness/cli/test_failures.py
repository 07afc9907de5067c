"""What data and machines do is said in a sentence, with the traceback in a log."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import tomllib
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors import SafetensorError
from toys import GRID

from harness.cli.failures import explain, report, write_log

RUN = ("run", *GRID, "--downstream", "linear")


def raised(function, *arguments):
    """Return what a call raises, with its traceback."""
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError


def read(path):
    """Read a text, as a function of the harness would that has a ``path``."""
    return path.read_text("utf-8")


def deep(text):
    return json.loads(text)


SYSTEM = sorted({*errno.errorcode} - {errno.ENOMEM})


@pytest.mark.parametrize("number", SYSTEM, ids=errno.errorcode.get)
def test_every_error_of_the_operating_system_is_what_where_and_next(number):
    said = explain(OSError(number, os.strerror(number), "/some/where"))
    assert said is not None
    what, _, following = said.partition(". ")
    assert what == f"Cannot use /some/where: {os.strerror(number)}"
    assert following.endswith(".")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: json.loads("{"), "A file is damaged"),
        (lambda: tomllib.loads("="), "A file is damaged"),
        (lambda: pa.ipc.open_file(pa.BufferReader(b"x" * 99)), "A file is damaged"),
        (lambda: zipfile.ZipFile(io.BytesIO(b"x")), "A file is damaged"),
        (lambda: zlib.decompress(b"x"), "A file is damaged"),
        (lambda: struct.unpack("q", b"x"), "A file is damaged"),
        (lambda: list(csv.reader(['"a"b'], strict=True)), "A file is damaged"),
        (lambda: Path("a\0b").open(), "NUL character"),
        (lambda: deep("[" * 10**5), "nested too deeply"),
        (lambda: b"\xff".decode(), "not UTF-8"),
        (lambda: "a\udcff".encode(), "not UTF-8: 'a\\udcff'"),
        (lambda: bytearray(2**62), "The memory is full"),
        (lambda: torch.empty(2**50), "The memory is full"),
        (lambda: dict[str, int]()["key"], None),
        (lambda: int("x"), None),
    ],
)
def test_what_data_do_is_explained_and_bugs_are_not(make, sentence):
    said = explain(raised(make)) or ""
    assert (said == "") if sentence is None else (sentence in said)


def test_an_error_of_a_library_in_rust_is_explained():
    assert "A file is damaged" in str(explain(SafetensorError("header too large")))


def test_recursion_in_code_is_a_bug():
    def again(number):
        return again(number + 1)

    assert explain(raised(again, 0)) is None


def test_the_file_that_was_read_is_named(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"a,b\xff")
    assert f"({path})" in str(explain(raised(read, path)))


def test_a_message_that_holds_a_whole_file_is_cut():
    assert len(str(explain(raised(("x" * 10**6 + "\udcff").encode)))) < 400
    assert len(str(explain(json.JSONDecodeError("x" * 10**6, "", 0)))) < 600


def test_the_same_traceback_has_one_log(tmp_path):
    logs = {write_log(error, tmp_path) for error in [raised(int, "x")] * 3}
    (log,) = logs
    assert log is not None
    assert "ValueError" in log.read_text("utf-8")


def test_a_cache_that_cannot_be_written_has_its_log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    said, is_bug = report(raised(int, "x"), tmp_path / "file")
    (log,) = tmp_path.glob("speech-harness-*.txt")
    assert str(log) in said
    assert is_bug


def test_where_no_log_can_be_written_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    (tmp_path / "file").touch()
    said, _ = report(raised(int, "x"), tmp_path / "file")
    assert "--debug prints the traceback" in said


# ---------------------------------------------------------------- the program


@pytest.mark.parametrize("option", ["cache", "runs"])
@pytest.mark.parametrize(
    "path", ["file/below", "n" * 300, "/proc/none", "loop"], ids=lambda path: path[:9]
)
def test_a_folder_that_cannot_be_used_is_said(harness, tmp_path, option, path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    code, _, err = harness(*RUN, f"--{option}", path)
    assert code == 2
    assert path in err
    assert "Traceback" not in err


def test_a_path_with_nul_is_said(harness):
    code, _, err = harness(*RUN, "--cache", "a\0b")
    assert code == 2
    assert "NUL" in err


def test_a_bug_of_a_cell_is_kept_in_a_log_where_others_go_on(
    harness, tmp_path, monkeypatch
):
    monkeypatch.setattr("harness.training.task.Trial.result", lambda *arguments: 1 / 0)
    code, _, err = harness(*RUN, "--keep-going", "--seeds", "0-1")
    assert code == 3
    assert err.count("failed: toy · linear") == 2
    (log,) = (tmp_path / "cache" / "log").iterdir()
    assert (
        err.count(f"ZeroDivisionError: division by zero. The traceback is in {log}")
        == 2
    )


# ---------------------------------------------------------------- a process of its own

PROGRAM = """
import sys
from harness.cli.main import main
main(sys.argv[1:])
"""


def program(arguments, **more):
    """Run the program in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, check=False, text=True, **more)


def shell(line, *arguments):
    """Run the program in a shell, as ``$0 …``."""
    script = f'run() {{ "{sys.executable}" -c \'{PROGRAM}\' "$@"; }}; {line}'
    command = ["bash", "-c", script, "bash", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_finds_no_room_is_said():
    done = shell("run list > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device.")
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_ends_the_program_silently():
    done = shell("(sleep 1; run list) | true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed):
    done = shell(f"run list executors {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_stdout_would_be_is_never_a_file_of_data(tmp_path):
    lines = (
        "from pathlib import Path\n"
        "from harness.cli.console import ready_streams\n"
        "ready_streams()\n"
        f"file = Path({str(tmp_path / 'data')!r}).open('w')\n"
        "import os; os.write(1, b'a library speaks')\n"
    )
    shell(f'"{sys.executable}" -c "$1" >&- <&-', lines)
    assert (tmp_path / "data").read_text() == ""


def test_streams_that_know_ascii_only_show_codes():
    variables = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = program(["list", "corpora"], env=os.environ | variables, capture_output=True)
    assert done.returncode == 0
    assert "aesdd" in done.stdout
    assert "\\u2013" in done.stdout


def test_errors_that_nobody_can_read_change_no_code():
    assert shell("run nothing 2>/dev/full").returncode == 2


SLEEPER = """
import sys, time
import harness.cli.main as program
from harness.cli import listing

def sleep(*table):
    try:
        print("here", flush=True)
        time.sleep(60)
    finally:
        print("ending", flush=True)
        time.sleep(float(sys.argv[1]))

listing.print_table = sleep
program.main(["list"])
"""


@pytest.fixture
def sleeping():
    """Start the program, wait until it works; give the process."""
    started = []

    def start(shutdown=0.0):
        process = subprocess.Popen(
            [sys.executable, "-c", SLEEPER, str(shutdown)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_program_in_order_with_its_code(sleeping, name):
    process = sleeping()
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, name)
    assert errors.startswith("Interrupted. What was finished is kept")
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_second_signal_lets_the_end_be_orderly(sleeping, name):
    process = sleeping(shutdown=2.0)
    process.send_signal(getattr(signal, name))
    assert process.stdout.readline() == "ending\n"
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, name)
    assert "once more ends it at once" in errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors


def test_a_third_signal_ends_the_program_at_once(sleeping):
    process = sleeping(shutdown=600.0)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ending\n"
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


STUCK = """
import sys, threading, time
from harness.cli import interrupts, listing, main as program

interrupts.PATIENCE = 1.0

def swallow(*table):
    while True:
        try:
            print("here", flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pass

def leave_a_thread(*table):
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("here", flush=True)
    time.sleep(600)

listing.print_table = vars()[sys.argv[1]]
program.main(["list"])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="Windows has no SIGALRM")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("stuck", ["swallow", "leave_a_thread"])
def test_an_end_that_does_not_come_is_made(stuck, name):
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, stuck], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=60) == 128 + getattr(signal, name)
