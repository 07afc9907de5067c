"""Our figures beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard import published
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.estimates import gather
from harness_leaderboard.analysis.facets import USUAL, title
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, Unit, percent, signed, word

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.statistics import Estimate

AGAINST = ("ours [95 %]", "published", "difference", "published is")


def table_2(runs: pa.Table, question: Question) -> Table:
    """Set means over all nine corpora beside Table 2."""
    found = gather(runs, question, ranked=True)
    matrix, made = found.matrix, found.matrix.sure.estimates
    nine = {score.corpus for score in published.languages()}
    body: list[tuple[Entry, ...]] = []
    for score in published.classifiers():
        for system in _systems_of(score, matrix):
            named = {title(one): one for one in matrix.corpora if _is_of_emotion(one)}
            tasks = [corpus for name, corpus in named.items() if name in nine]
            of = [made.get(Place(system, corpus)) for corpus in tasks]
            whole = [one for one in of if one]
            names = matrix.names(system)
            if len(whole) < len(nine) or matrix.mixed:
                text = f"{len(whole)} of {len(nine)} corpora"
                body.append(
                    (*names, Entry(text=text), percent(score.f1), NOTHING, NOTHING)
                )
            else:
                body.append((*names, *_compared(statistics.average(whole), score.f1)))
    contradictions = [
        f"{score.upstream} {100 * mean:.2f} (printed {100 * score.f1:.2f})"
        for score, mean in published.contradictions()
    ]
    return Table(
        title=f"{question.metric.title} in percent, mean over corpora, and Table 2",
        columns=("upstream", "downstream", *AGAINST),
        rows=tuple(body),
        notes=(
            f"Published: {published.CITATION}.",
            *_estimands(matrix),
            "The paper's own tables disagree. Means of Table 3's columns are: "
            f"{', '.join(contradictions)}.",
            *_said(len(body), len(published.classifiers())),
            *matrix.remarks,
            *found.notes,
        ),
    )


def table_3(runs: pa.Table, question: Question) -> Table:
    """Set figures beside Table 3."""
    found = gather(runs, question, ranked=True)
    matrix, made = found.matrix, found.matrix.sure.estimates
    body: list[tuple[Entry, ...]] = []
    for score in published.languages():
        for system in _systems_of(score, matrix):
            for corpus, label in matrix.corpora.items():
                place = Place(system, corpus)
                figure = matrix.figures.get(place)
                theirs = title(corpus) == score.corpus and _is_of_emotion(corpus)
                if not theirs or figure is None:
                    continue
                names = (word(label), *matrix.names(system))
                of = made.get(place) or (
                    figure.mean if figure.complete else figure.text()
                )
                body.append((*names, *_compared(of, score.f1)))
    return Table(
        title=f"{question.metric.title} in percent, and Table 3",
        columns=("corpus", "upstream", "downstream", *AGAINST),
        rows=tuple(body),
        notes=(
            f"Published: {published.CITATION}. "
            "Intervals are those of --view intervals.",
            *_estimands(matrix),
            *_said(len(body), len(published.languages())),
            *matrix.remarks,
            *found.notes,
        ),
    )


def _is_of_emotion(corpus: CorpusTask) -> bool:
    """Say whether a column is of what the paper predicts."""
    return corpus.target.name == USUAL


def _estimands(matrix: Matrix) -> tuple[str, ...]:
    """Say what our figures are of; the paper does not say what its are of."""
    heads = dict.fromkeys(filter(None, map(matrix.head, matrix.corpora)))
    ours = "; ".join(heads)
    return (
        (f"Ours: {ours}. The paper does not say whether it pools; see --pooled.",)
        if ours
        else ()
    )


def _said(shown: int, printed: int) -> tuple[str, ...]:
    if not shown:
        systems = sorted({one.upstream for one in published.languages()})
        return (
            f"None of these results is in the paper, which has {', '.join(systems)}.",
        )
    return (f"{shown} rows for {printed} published figures.",)


def _systems_of(score: published.PublishedScore, matrix: Matrix) -> list[System]:
    """Find the systems that a published figure speaks of, however they were fed."""
    names = (score.upstream, score.downstream)
    found = [
        one
        for one in matrix.systems
        if (one.upstream.name, one.downstream.name) == names
    ]
    return sorted(found, key=matrix.systems.__getitem__)


def _compared(of: Estimate | float | str, theirs: float) -> list[Entry]:
    """Print ours, the published figure, the difference, and where it lies."""
    if isinstance(of, str):
        return [Entry(text=of), percent(theirs), NOTHING, NOTHING]
    if isinstance(of, float):
        return [percent(of), percent(theirs), signed(of - theirs), NOTHING]
    low, high = statistics.interval(of)
    side = "below" if theirs < low else "above" if theirs > high else "inside"
    ours = Entry(
        text=Unit().bounds(of.value, low, high),
        value=of.value,
        details={"low": low, "high": high},
    )
    return [ours, percent(theirs), signed(of.value - theirs), word(side)]
