"""The interface as a test suite: what the harness counts on in what a plugin offers.

A rule is one function: its docstring says what must hold, and what it raises says what
was seen and what to change. A rule that cannot be put to an offer returns why.
``harness check NAME`` prints them; a plugin's own tests run them in three lines::

    @parametrize_with_checks(*harness_upstreams())
    def test_acme_keeps_the_rules(check):
        check()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.conformance.corpora import CORPUS_RULES, Reading
from harness.conformance.downstreams import DOWNSTREAM_RULES, Learning
from harness.conformance.rules import Broken
from harness.conformance.upstreams import UPSTREAM_RULES, Hearing
from harness.types import Corpus, Downstream, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

__all__ = [
    "CORPUS_RULES",
    "DOWNSTREAM_RULES",
    "UPSTREAM_RULES",
    "Broken",
    "Check",
    "Hearing",
    "Learning",
    "Reading",
    "checks",
    "parametrize_with_checks",
]

Subject = Hearing | Learning | Reading


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule and what it is put to.

    Calling it raises ``Broken`` where the rule does not hold, and returns why where it
    cannot be put to this offer.
    """

    rule: Callable[..., str | None]
    subject: Subject

    def __str__(self) -> str:
        """Name the rule in words."""
        return self.rule.__name__.replace("_", " ")

    def __call__(self) -> str | None:
        """Put the offer to the rule."""
        return self.rule(self.subject)


def checks(subject: Subject) -> tuple[Check, ...]:
    """Give the rules that an offer must keep."""
    rules: dict[type, tuple[Callable[..., str | None], ...]] = {
        Hearing: UPSTREAM_RULES,
        Learning: DOWNSTREAM_RULES,
        Reading: CORPUS_RULES,
    }
    return tuple(Check(rule=rule, subject=subject) for rule in rules[type(subject)])


def parametrize_with_checks(
    *offers: Upstream | Downstream | Corpus,
    checkpoint: Path | None = None,
    feeding: str | None = None,
    device: str = "cpu",
    root: Path | None = None,
) -> pytest.MarkDecorator:
    """Make a pytest test out of every rule, for its argument ``check``.

    Args:
        offers: Upstreams, downstreams and corpora.
        checkpoint: A local folder with the upstreams' weights.
        feeding: How the upstreams are fed, by default as they prefer.
        device: A torch device.
        root: The corpora's folder.
    """
    import pytest

    def subject(offer: Upstream | Downstream | Corpus) -> Subject:
        if isinstance(offer, Upstream):
            return Hearing(
                offer=offer, checkpoint=checkpoint, feeding=feeding, device=device
            )
        if isinstance(offer, Downstream):
            return Learning(offer=offer)
        if root is None:
            raise ValueError(f"Corpus '{offer.name}' is checked in a folder: root=….")
        return Reading(offer=offer, root=root)

    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(check, id=f"{offer.name}-{check.rule.__name__}")
            for offer in offers
            for check in checks(subject(offer))
        ],
    )
