"""``--log-level``: what the scheduler and the libraries report while they work."""

from __future__ import annotations

import logging
import os

from harness.cli.console import say

LEVELS = ("debug", "info", "warning", "error")
DEFAULT = "warning"

LIBRARIES = ("TRANSFORMERS_VERBOSITY", "HF_HUB_VERBOSITY")
"""Variables by which transformers and huggingface_hub take a level; workers that are
started later inherit them."""

LOGGED = ("harness", "huggingface_hub", "transformers", "distributed", "urllib3")
"""Loggers that are set; others, such as matplotlib's, would fill pages at ``debug``."""


class _Said(logging.Handler):
    """Prints as every message is printed, so that live bars make room for it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on stderr."""
        say(self.format(record))


def begin(level: str) -> None:
    """Report on stderr from a level on; by default libraries are left as they are.

    Args:
        level: One of ``LEVELS``.
    """
    if level == DEFAULT:
        return
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[_Said()]
    )
    for name in LOGGED:
        logging.getLogger(name).setLevel(level.upper())
    for name in LIBRARIES:
        os.environ.setdefault(name, level)
