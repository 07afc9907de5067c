"""The paper's study as one command.

Paper: D'Asaro et al. (CLiC-it 2024), Tables 1 to 3 and Figure 2.
Command: ``harness plan --suite paper`` says what it takes, ``harness run`` does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import Suite, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def harness_suites() -> Iterator[Suite]:
    """Offer the paper's grid."""
    yield Suite(
        name="paper",
        summary="6 speech models × 3 heads × 9 corpora, and AST (CLiC-it 2024)",
        file=Path(__file__).with_name("paper.toml"),
    )
