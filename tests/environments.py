"""Virtual environments of their own that see what is installed here, torch and all."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {
    "harness": "from harness.cli.main import main",
    "pip": "from pip._internal.cli.main import main",
    "pytest": "from pytest import main",
}


def make_environment(folder: Path) -> dict[str, str]:
    """Make one; return the variables under which commands run in it, offline.

    What is installed there is not seen here; the reverse is not so.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages" / "outside.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    for name, imported in COMMANDS.items():
        script = scripts / name
        script.write_text(
            f"#!{scripts / 'python'}\nimport sys\n{imported}\n"
            "if __name__ == '__main__':\n    sys.exit(main())\n"
        )
        script.chmod(0o755)
    return {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        "PATH": os.pathsep.join([str(scripts), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "HARNESS_CACHE": str(folder / "cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say: build with what is here
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_QUIET": "1",
    }


def run_line(line: str, folder: Path, variables: dict[str, str]) -> str:
    """Run a line of a shell, which must end well; return what it prints."""
    done = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, line + done.stdout + done.stderr
    return done.stdout
