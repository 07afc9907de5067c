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
from typing import TYPE_CHECKING, Literal

from harness.conformance.corpora import CORPUS_RULES, CorpusCheck
from harness.conformance.downstreams import DOWNSTREAM_RULES, DownstreamCheck
from harness.conformance.rules import Broken, NotRun
from harness.conformance.upstreams import UPSTREAM_RULES, UpstreamCheck
from harness.errors import HarnessError
from harness.registry.isolation import ended, reason
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
    "CorpusCheck",
    "DownstreamCheck",
    "Finding",
    "UpstreamCheck",
    "checks",
    "parametrize_with_checks",
]

Subject = UpstreamCheck | DownstreamCheck | CorpusCheck


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What putting an offer to a rule found.

    Attributes:
        verdict: Whether the rule holds, or could be put to the offer at all.
        text: Why, unless it holds.
    """

    verdict: Literal["ok", "exempt", "not run", "BROKEN"]
    text: str = ""


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
        found = self.finding()
        if found.verdict == "BROKEN":
            raise Broken(found.text)
        return found.text or None

    def finding(self) -> Finding:
        """Put the offer to the rule, and say what was found in a sentence."""
        try:
            exempt = self.rule(self.subject)
        except NotRun as error:
            return Finding(verdict="not run", text=str(error))
        except HarnessError as error:
            return Finding(verdict="BROKEN", text=str(error))
        except (Exception, SystemExit) as error:  # isolates what subject.offer names
            return Finding(verdict="BROKEN", text=f"It raised {ended(reason(error))}")
        return Finding(verdict="exempt" if exempt else "ok", text=exempt or "")


def checks(subject: Subject) -> tuple[Check, ...]:
    """List the rules that an offer must keep."""
    rules: dict[type, tuple[Callable[..., str | None], ...]] = {
        UpstreamCheck: UPSTREAM_RULES,
        DownstreamCheck: DOWNSTREAM_RULES,
        CorpusCheck: CORPUS_RULES,
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
        device: A torch device, or ``auto`` for a GPU where there is one.
        root: The corpora's folder.
    """
    import pytest

    def subject(offer: Upstream | Downstream | Corpus) -> Subject:
        if isinstance(offer, Upstream):
            given = {} if checkpoint is None else {offer.name: checkpoint}
            return UpstreamCheck(
                offer=offer, checkpoints=given, feeding=feeding, device=device
            )
        if isinstance(offer, Downstream):
            return DownstreamCheck(offer=offer, device=device)
        if root is None:
            raise ValueError(f"Corpus '{offer.name}' is checked in a folder: root=….")
        return CorpusCheck(offer=offer, root=root)

    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(check, id=f"{offer.name}-{check.rule.__name__}")
            for offer in offers
            for check in checks(subject(offer))
        ],
    )
