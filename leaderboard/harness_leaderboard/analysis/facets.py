"""How a condition is put into words: what a label shows where conditions differ.

What may be averaged is decided by ``analysis.places`` alone. Here a leaf of the
condition gets a noun and a text; one that is not mentioned is shown by its own name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from typing import get_type_hints as hints

from harness.types import Condition, CorpusCondition, leaf, leaves
from harness.types.conditions import JOIN, TRANSFER
from harness_leaderboard.results.columns import (
    KEYS,
    flat,
    kind_of,
    paths,
    short_names,
)
from harness_leaderboard.results.schema import optional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harness.types import DownstreamCondition, UpstreamCondition
    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.results.columns import Path

    Part = UpstreamCondition | DownstreamCondition | CorpusCondition
    Of = TypeVar("Of", UpstreamCondition, DownstreamCondition, CorpusCondition)

SHOWN = 8  # hexadecimal digits of a hash, as in tables and in git
_HASH = re.compile(r"[0-9a-f]{16,}")


@dataclass(frozen=True, kw_only=True)
class Facet:
    """How a leaf of the condition is shown.

    Attributes:
        noun: What a label or a note calls it.
        text: From a value to words that need no noun before them; by default the noun
            and the value.
        everywhere: Whether a label shows it as soon as it differs anywhere on the
            board, or only where two labels would else be the same.
        last: Whether it is shown only where nothing else differs, as a hash is.
    """

    noun: str
    text: Callable[[Any], str] | None = None
    everywhere: bool = False
    last: bool = False

    def label(self, value: object) -> str:
        """Return what stands behind a name."""
        return self.text(value) if self.text else f"{self.noun} {words(value)}"

    def note(self, value: object) -> str:
        """Return what a note says of a value that all results share."""
        said = self.label(value)
        return said if self.noun in said else f"{self.noun} {said}"


def words(value: object) -> str:
    """Put a value of any leaf into words; of a hash, its first digits."""
    if isinstance(value, tuple):
        return ", ".join(map(words, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    text = "none" if value is None else str(value)
    return text[:SHOWN] if _HASH.fullmatch(text) else text


FACETS = {
    "upstream_version": Facet(noun="version"),
    "upstream_checkpoint": Facet(noun="weights"),
    "upstream_feeding": Facet(noun="feeding", text=str, everywhere=True),
    "upstream_max_seconds": Facet(
        noun="clips",
        text=lambda value: "whole clips" if value is None else f"clips ≤ {value:g} s",
        everywhere=True,
    ),
    "downstream_version": Facet(noun="version"),
    "downstream_recipe": Facet(noun="recipe", text=str, everywhere=True),
    "downstream_recipe_deviations": Facet(
        noun="deviations", text=lambda value: f"{len(value)} deviations"
    ),
    "downstream_selection": Facet(
        noun="selected by", text=lambda value: f"selected by {value}", everywhere=True
    ),
    "corpus_versions": Facet(noun="version"),
    "corpus_languages": Facet(noun="language", text=words),
    "corpus_manifest": Facet(noun="data", last=True),
    "corpus_strategy": Facet(noun="split", text=str, everywhere=True),
    "corpus_division": Facet(noun="split", last=True),
    "corpus_folds": Facet(noun="folds", text=lambda value: f"{value} folds"),
}


@cache
def facets(axis: str) -> tuple[tuple[Path, Facet], ...]:
    """Return the facets of a part of the condition, by paths within that part.

    Args:
        axis: ``upstream``, ``downstream`` or ``corpus``.

    Returns:
        Those that are shown everywhere first, then in the order of the fields.
    """
    short = short_names()
    found = [
        (paths()[name][2:], FACETS.get(name) or Facet(noun=short.get(name, name)))
        for name in KEYS
        if paths()[name][1] == axis
    ]
    return tuple(
        sorted(found, key=lambda one: (not one[1].everywhere, one[1].last))
    )
