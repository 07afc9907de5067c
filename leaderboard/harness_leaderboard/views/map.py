"""The view ``map``: targets against layers, above chance and above permuted labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.types import Table
from harness_leaderboard.analysis.located import ABOVE, SELECTIVE, located
from harness_leaderboard.render.entries import NOTHING, marked, percent, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.types import Entry
    from harness_leaderboard.analysis.located import Located
    from harness_leaderboard.analysis.question import Question

NAMES = ("upstream", "downstream", "measure", "target", "language")


def map_of(runs: pa.Table, question: Question) -> Table:
    """Show where each target sits: a row each, a column a layer."""
    found = located(runs)
    longest = max(len(v) for one in found for v in one.corpora.values())
    return Table(
        title="Where targets sit: layers 1 to L, in percent",
        columns=(*NAMES, *map(str, range(1, longest + 1))),
        rows=tuple(
            (*_names(one, language, len(of)), *_layers(of, longest))
            for one in found
            for language, of in one.by_language.items()
        ),
        heat=True,
        notes=(
            "The test macro-F1 (of numbers, CCC) of a head on each layer alone: means "
            "over runs, then over corpora. Above chance: (score − chance) / (1 − "
            "chance), chance being that of guessing every class alike often. "
            "Selectivity: the score less that of the same head on permuted labels; of "
            "two classes it is some 50 at most. The highest of each row is marked; no "
            "test says whether it is the best.",
            *notes(found),
        ),
    )


def _names(one: Located, language: str, corpora: int) -> tuple[Entry, ...]:
    text = language if corpora == 1 else f"{language}, {corpora} corpora"
    return (*map(word, (*one.names, one.measure, one.target)), word(text))


def _layers(of: Sequence[NDArray[np.floating]], longest: int) -> list[Entry]:
    """Print the layers of a row in percent, with the highest marked."""
    values = [float(value) for value in np.mean(of, axis=0)]
    entries = marked(dict(enumerate(map(percent, values))))
    return [*entries.values(), *[NOTHING] * (longest - len(values))]


def notes(found: Sequence[Located]) -> Iterator[str]:
    """Say where targets were not measured alike, and which lack a control."""
    above = [one for one in found if one.measure == ABOVE]
    splits = {
        one.target: ", ".join(sorted({task.strategy for task in one.corpora}))
        for one in above
    }
    if len(set(splits.values())) > 1:
        said = (f"{target} {split}" for target, split in splits.items())
        yield f"Divided in other ways: {', '.join(said)}."
    corpora = {one.target: sorted({t.name for t in one.corpora}) for one in above}
    if len(set(map(tuple, corpora.values()))) > 1:
        said = (f"{target} {', '.join(names)}" for target, names in corpora.items())
        yield f"Measured on other corpora: {'; '.join(said)}."
    known = {(one.names, one.target) for one in found if one.measure == SELECTIVE}
    lacking = sorted({o.target for o in above if (o.names, o.target) not in known})
    if lacking:
        yield (
            f"No selectivity is known of {', '.join(lacking)}: run the downstream "
            "'permuted-layerwise', too."
        )
