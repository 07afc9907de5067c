"""How epochs are selected, in words: ``macro_f1``, or ``macro_f1:epochs=5``.

The first tests the best epoch's head; the second, the mean probabilities of five.
"""

from __future__ import annotations

import re

from harness.errors import HarnessError


def read_selection(text: str) -> tuple[str, int]:
    """Return a metric's name, and how many of the best epochs are averaged.

    Raises:
        HarnessError: Where it is written in another way.
    """
    name, colon, option = text.partition(":")
    if not colon:
        return name, 1
    match = re.fullmatch(r"epochs=([1-9]\d{0,2})", option, re.ASCII)
    if match is None:
        raise HarnessError(
            f"'{text}' is no way to select epochs. Write a metric, such as macro_f1, "
            "or macro_f1:epochs=5 for the mean probabilities of the 5 best epochs."
        )
    return name, int(match[1])


def selection_name(metric: str, epochs: int) -> str:
    """Write it as a condition has it: the metric alone where one epoch is taken."""
    return metric if epochs == 1 else f"{metric}:epochs={epochs}"
