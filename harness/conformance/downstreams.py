"""What the harness counts on in a downstream."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.conformance.rules import (
    Broken,
    description_is_picklable,
    import_is_light,
    name_is_kebab_case,
)
from harness.conformance.toy import EPOCHS, Toy, scorer, train_on_toy

if TYPE_CHECKING:
    from harness.types import Downstream, Result


@dataclass(frozen=True, kw_only=True)
class Learning:
    """A downstream as it is checked, on utterances of three classes that are made up.

    Attributes:
        offer: The downstream.
    """

    offer: Downstream

    @cached_property
    def result(self) -> Result:
        """Train and score it, once."""
        return train_on_toy(self.offer)


def one_of_build_and_fit(learning: Learning) -> None:
    """It has a 'build' or a 'fit', and not both."""
    if (learning.offer.build is None) == (learning.offer.fit is None):
        raise Broken("Give it exactly one of 'build' and 'fit'.")


def a_separable_toy_is_learned(learning: Learning) -> str | None:
    """Classes that lie far apart are told apart in new utterances."""
    if learning.offer.control:
        return "a control need not learn"
    if learning.offer.recipe.resumable:
        return f"its training is long, and cut to {EPOCHS} epochs here"
    if (score := learning.result.macro_f1) < 0.9:
        raise Broken(
            f"Its macro-F1 is {score:.2f} on three classes that lie far apart: look at "
            "its initial weights, and at the recipe's learning rate and epochs."
        )
    return None


def shuffled_labels_are_not_learned(learning: Learning) -> None:
    """Where labels say nothing about features, it stays at chance."""
    if (score := train_on_toy(learning.offer, shuffled=True).accuracy) > 0.6:
        raise Broken(
            f"Its accuracy is {score:.2f} where a third is chance: it must know labels "
            "by other ways than features, such as the order of utterances."
        )


def the_same_seed_gives_the_same_scores(learning: Learning) -> None:
    """Training twice with one seed gives one result."""
    if train_on_toy(learning.offer).predictions != learning.result.predictions:
        raise Broken(
            "Two trainings with one seed differ: draw all random numbers from torch's "
            "own state in 'build', and from 'seed' in 'fit'."
        )


def company_changes_no_score(learning: Learning) -> str | None:
    """An utterance's scores depend on no other one in its batch, and on no padding."""
    if learning.offer.control == "deaf":
        return "a control that is deaf to features may draw lots in turn"
    score, features = scorer(learning.offer), Toy(seed=2)
    together = score(features.batch(learning.offer, range(8)))
    for row in range(8):
        alone = score(features.batch(learning.offer, [row]))
        if not alone[0].allclose(together[row], rtol=1e-3, atol=1e-4):
            raise Broken(
                "An utterance's scores change with its batch: average over its own "
                "frames only, and normalise by statistics of the training part."
            )
    return None


def the_test_part_is_never_learned_from(learning: Learning) -> None:
    """What it scored before changes no later score."""
    score, features = scorer(learning.offer), Toy(seed=2)
    first = score(features.batch(learning.offer, range(8)))
    score(features.batch(learning.offer, range(8, 40)))
    if not score(features.batch(learning.offer, range(8))).allclose(first):
        raise Broken(
            "Scoring other utterances changed the scores of the first: in eval mode "
            "keep no statistics, apply no dropout, and learn nothing."
        )


DOWNSTREAM_RULES = (
    name_is_kebab_case,
    description_is_picklable,
    import_is_light,
    one_of_build_and_fit,
    a_separable_toy_is_learned,
    shuffled_labels_are_not_learned,
    the_same_seed_gives_the_same_scores,
    company_changes_no_score,
    the_test_part_is_never_learned_from,
)
