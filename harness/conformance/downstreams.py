"""What the harness counts on in a downstream."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.conformance.rules import (
    Broken,
    NotRun,
    description_is_picklable,
    import_is_light,
    name_is_kebab_case,
    place,
    takes,
)
from harness.registry.options import with_defaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from harness.conformance.toy import Trial
    from harness.training.dataset import Dataset
    from harness.types import Batch, Downstream

BUILD = "build(*, layers, dim, classes)"
FIT = "fit(train, labels, *, valid, classes, seed)"
"""How a downstream's functions are declared."""


@dataclass(frozen=True, kw_only=True)
class DownstreamCheck:
    """A downstream as it is checked, on made-up utterances of a few classes.

    Attributes:
        offer: The downstream.
        device: A torch device.
    """

    offer: Downstream
    device: str = "cpu"

    @cached_property
    def head(self) -> Downstream:
        """The downstream with its options."""
        return with_defaults(self.offer)

    @property
    def costly(self) -> bool:
        """Whether its training is cut short here."""
        return self.offer.cost is not None and self.offer.fit is None

    @cached_property
    def trial(self) -> Trial:
        """Fit and score it, once."""
        return self.fit()

    @property
    def numbers_alone(self) -> bool:
        """Whether it is for numbers and not for classes."""
        return not self.head.can_predict(numbers=False)

    def fit(
        self,
        *,
        classes: int = 3,
        permuted: bool = False,
        brief: bool = False,
        numbers: bool = False,
    ) -> Trial:
        """Fit it to a toy and score it; to one of numbers where it is for these alone.

        Raises:
            NotRun: Where it has no one of ``build`` and ``fit``, or no recipe.
        """
        from harness.conformance.toy import BRIEF, Toy, fit_toy

        if (self.head.build is None) == (self.head.fit is None):
            raise NotRun("it has not exactly one of 'build' and 'fit'")
        if self.head.build is not None and self.head.recipe is None:
            raise NotRun("it has no recipe")
        return fit_toy(
            self.head,
            Toy.of(
                1,
                classes=classes,
                permuted=permuted,
                numbers=numbers or self.numbers_alone,
            ),
            device=place(self.device),
            epochs=BRIEF if brief or self.costly else None,
        )

    def scorer(self) -> Callable[[Batch], Tensor]:
        """Return a function from a batch to scores (B, C)."""
        from harness.conformance.toy import scorer

        return scorer(self.head, place(self.device))

    def batch(self, rows: list[int]) -> Batch:
        """Return some of the utterances, as they are scored."""
        return self._part.batch(rows, place(self.device) if self.head.build else "cpu")

    @cached_property
    def _part(self) -> Dataset:
        from harness.conformance.toy import Toy, parts_read

        return parts_read(self.head.reads, Toy.of(2))[0]


def one_of_build_and_fit(check: DownstreamCheck) -> None:
    """It has a 'build' with a 'recipe', or a 'fit', and can be called as declared."""
    head = check.head
    if (head.build is None) == (head.fit is None):
        raise Broken("Write exactly one of 'build' and 'fit'.")
    if head.build is not None:
        takes(head.build, BUILD, layers=1, dim=1, classes=2)
        if head.recipe is None:
            raise Broken("It has a 'build' and no recipe: say how it is trained.")
    if head.fit is not None:
        takes(head.fit, FIT, None, None, valid=None, classes=2, seed=0)


def a_seed_is_run(check: DownstreamCheck) -> None:
    """At least one seed is run where the user names none."""
    seeds = check.offer.seeds
    if not isinstance(seeds, int) or seeds < 1:
        raise Broken(f"It has seeds={seeds!r}: write how many are run, at least 1.")


def any_number_of_classes_is_fitted(check: DownstreamCheck) -> str | None:
    """Two, three and seven classes are fitted; scores are finite and (B, C)."""
    import torch

    if check.numbers_alone:
        return "it is for numbers alone"
    for classes in (2, 3, 7):
        scores = check.fit(classes=classes, brief=True).scores
        if scores.shape[1] != classes or not torch.isfinite(scores).all():
            raise Broken(
                f"Of {classes} classes it returned scores of shape "
                f"{tuple(scores.shape)}, or not finite ones: return one finite number "
                "a class, (B, C)."
            )
    return None


def numbers_are_fitted(check: DownstreamCheck) -> str | None:
    """Where it predicts numbers, those of new utterances are found, (B, 1)."""
    from harness.conformance.toy import BRIEF

    if not check.head.can_predict(numbers=True):
        return "it is for classes alone"
    trial = check.fit(numbers=True)
    if trial.scores.shape[1] != 1:
        raise Broken(
            f"Of a number it returned scores of shape {tuple(trial.scores.shape)}: "
            "return one a clip, (B, 1), where classes=1."
        )
    if check.offer.control:
        return "a control need not learn"
    if check.costly:
        return f"its training is costly, and cut to {BRIEF} epochs here"
    if trial.macro_f1 < 0.8:
        raise Broken(
            f"Its CCC is {trial.macro_f1:.2f} on numbers that follow from features: "
            "end in a layer without a bound, such as nn.Linear, or say "
            "predicts=('classes',)."
        )
    return None


def a_separable_toy_is_learned(check: DownstreamCheck) -> str | None:
    """Classes that lie far apart are recognised in new utterances."""
    from harness.conformance.toy import BRIEF

    if check.offer.control:
        return "a control need not learn"
    if check.costly:
        return f"its training is costly, and cut to {BRIEF} epochs here"
    if (score := check.trial.macro_f1) < 0.9:
        raise Broken(
            f"Its macro-F1 is {score:.2f} on three classes that lie far apart: look at "
            "its initial weights, and at the recipe's learning rate and epochs."
        )
    return None


def permuted_labels_are_not_learned(check: DownstreamCheck) -> None:
    """Where labels say nothing about features, it stays at chance."""
    if (score := check.fit(permuted=True).accuracy) > 0.6:
        raise Broken(
            f"Its accuracy is {score:.2f} where a third is chance: it must know labels "
            "by other ways than features, such as the order of utterances."
        )


def the_same_seed_has_the_same_scores(check: DownstreamCheck) -> None:
    """Training twice with one seed has one result."""
    if not check.fit().scores.equal(check.trial.scores):
        raise Broken(
            "Two trainings with one seed differ: draw all random numbers from torch's "
            "own state in 'build', and from 'seed' in 'fit'."
        )


def scores_are_batch_invariant(check: DownstreamCheck) -> str | None:
    """An utterance's scores depend on no other one in its batch, and on no padding."""
    if check.offer.control == "label-only":
        return "a label-only baseline may draw labels in turn"
    score = check.scorer()
    together = score(check.batch(list(range(8))))
    for row in range(8):
        alone = score(check.batch([row]))
        if not alone[0].allclose(together[row], rtol=1e-3, atol=1e-4):
            raise Broken(
                "An utterance's scores change with its batch: average over its own "
                "frames only, and normalise by statistics of the training part."
            )
    return None


def scoring_changes_no_later_score(check: DownstreamCheck) -> None:
    """What it scored before changes no later score."""
    score, first = check.scorer(), list(range(8))
    before = score(check.batch(first))
    score(check.batch(list(range(8, 40))))
    if not score(check.batch(first)).allclose(before):
        raise Broken(
            "Scoring other utterances changed the scores of the first: in eval mode "
            "keep no statistics, apply no dropout, and learn nothing."
        )


DOWNSTREAM_RULES = (
    name_is_kebab_case,
    description_is_picklable,
    import_is_light,
    one_of_build_and_fit,
    a_seed_is_run,
    any_number_of_classes_is_fitted,
    numbers_are_fitted,
    a_separable_toy_is_learned,
    permuted_labels_are_not_learned,
    the_same_seed_has_the_same_scores,
    scores_are_batch_invariant,
    scoring_changes_no_later_score,
)
