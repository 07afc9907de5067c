"""Which devices a name means, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness import HarnessError
from harness.features import device as devices


@pytest.fixture
def gpus(monkeypatch):
    """Let this machine have so many GPUs, as far as counting goes."""

    def gpus(count):
        monkeypatch.setattr(devices, "count_gpus", lambda: count)

    return gpus


@pytest.mark.parametrize(
    ("name", "count", "found"),
    [
        ("cpu", 0, ("cpu",)),
        ("cpu", 4, ("cpu",)),
        ("auto", 0, ("cpu",)),
        ("auto", 2, ("cuda:0", "cuda:1")),
        ("cuda", 2, ("cuda:0", "cuda:1")),
        ("cuda:1", 2, ("cuda:1",)),
        ("cuda:0,2", 4, ("cuda:0", "cuda:2")),
        ("cuda:2,2", 4, ("cuda:2",)),
    ],
)
def test_a_name_means_devices(gpus, name, count, found):
    gpus(count)
    assert devices.named(name) == found


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("cuda", 0, "no NVIDIA driver"),
        ("cuda:0,2", 2, "there is cuda:0 to cuda:1"),
        ("cuda:1", 1, "there is cuda:0"),
        ("cuda:x", 2, "no device 'cuda:x'"),
        ("cuda:", 2, "no device 'cuda:'"),
        ("tpu", 2, "no device 'tpu'"),
    ],
)
def test_a_device_that_is_not_here_is_one_sentence(gpus, name, count, said):
    gpus(count)
    with pytest.raises(HarnessError, match=said):
        devices.named(name)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            "The NVIDIA driver on your system is too old (found 11040)",
            "Update the driv",
        ),
        ("Torch not compiled with CUDA enabled", "built without CUDA"),
        ("CUDA error: all CUDA-capable devices are busy or unavailable", "one process"),
        ("CUDA error: no kernel image is available for execution", "no code for"),
        (
            "CUDA error: unspecified launch failure\nlines",
            "unspecified launch failure)",
        ),
    ],
)
def test_why_a_gpu_cannot_be_opened_is_said_in_words(problem, said):
    sentence = devices.refusal("cuda:0", problem)
    assert said in sentence
    assert "\n" not in sentence


def test_processes_take_different_gpus(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    take = devices._taken.__wrapped__
    both = ("cuda:0", "cuda:2")
    held = [take(both) for _ in range(4)]
    assert [device for device, _ in held] == [*both, *both]
    held[1][1].release()
    assert take(both)[0] == "cuda:2"


def test_float32_is_float32_and_sums_repeat():
    code = (
        "import torch\n"
        "from harness.features.device import be_exact\n"
        "assert torch.backends.cudnn.allow_tf32\n"
        "be_exact()\n"
        "assert not torch.backends.cudnn.allow_tf32\n"
        "assert not torch.backends.cuda.matmul.allow_tf32\n"
        "assert torch.are_deterministic_algorithms_enabled()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_counting_opens_no_gpu():
    code = (
        "from harness.features.device import count_gpus, named\n"
        "count_gpus(), named('auto')\n"
        "import torch\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_a_run_on_a_device_that_is_not_here_ends_before_any_work(harness, gpus):
    gpus(0)
    code, _, said = harness(
        "run", "--upstream", "toy", "--downstream", "linear", "--corpus", "tones",
        "--device", "cuda",
    )  # fmt: skip
    assert code == 2
    assert said.count("\n") == 1
    assert "There is no device 'cuda' here" in said


def test_a_check_on_a_device_that_is_not_here_is_one_sentence(harness, gpus):
    gpus(0)
    code, out, said = harness("check", "fbank", "linear", "--device", "cuda")
    assert (code, out) == (2, "")
    assert said.count("\n") == 1
