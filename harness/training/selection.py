"""How epochs are selected, in words: ``macro_f1``, or ``macro_f1:epochs=5``.

The first tests the best epoch's head; the second, the mean probabilities of five.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.registry import Names
    from harness.types import Metric, Target


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


def selection_for(target: Target, text: str, metrics: Names[Metric]) -> str:
    """Check that a selection scores what a target is; write it as a condition has it.

    Raises:
        HarnessError: Where it scores classes and a number is predicted, or the reverse.
    """
    name, averaged = read_selection(text)
    if metrics[name].of_numbers != target.numbers:
        known = [one.name for one in metrics if one.of_numbers == target.numbers]
        raise HarnessError(
            f"'{name}' scores {'classes' if target.numbers else 'numbers'}, and the "
            f"target '{target.name}' is a {'number' if target.numbers else 'class'}. "
            f"Select by one of {', '.join(known)}."
        )
    return selection_name(metrics[name].name, averaged)
