"""A model's scores as the hub keeps them: ``.eval_results/*.yaml`` in its repository.

The fields are those of https://huggingface.co/docs/hub/eval-results, as
``huggingface_hub`` writes them. What is published is one head on the frozen model, of
which every fold was run, that keeps every rule and contradicts itself nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.text import counted, markdown
from harness_leaderboard.analysis.facets import USUAL
from harness_leaderboard.analysis.figures import columns, current, figures
from harness_leaderboard.analysis.printed import around
from harness_leaderboard.analysis.question import Question, suited
from harness_leaderboard.publish.parcel import Parcel
from harness_leaderboard.publish.targets import listed
from harness_leaderboard.render.entries import unit_of
from harness_leaderboard.results import folders, reading, store, upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.analysis.figures import Figure

FOLDER = ".eval_results"
BENCHMARK = re.compile(r"(?P<corpus>.+?)=(?P<id>[\w.-]+/[\w.-]+):(?P<task>[\w.-]+)")
"""``CORPUS=OWNER/DATASET:TASK``; the last colon is before the task."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Where the hub has a leaderboard of a corpus.

    Attributes:
        id: Of a dataset whose ``eval.yaml`` makes it a benchmark.
        task: One of those that the file names.
    """

    id: str
    task: str


def benchmark(text: str) -> tuple[str, Benchmark]:
    """Read ``CORPUS=OWNER/DATASET:TASK``.

    Raises:
        HarnessError: Where it is something else.
    """
    match = BENCHMARK.fullmatch(text)
    if match is None:
        raise HarnessError(
            f"'{text}' is not like CORPUS=OWNER/DATASET:TASK, such as "
            "emodb=acme/emodb-benchmark:loso; tasks are in the dataset's eval.yaml."
        )
    return match["corpus"], Benchmark(id=match["id"], task=match["task"])


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a model reached, corpus by corpus.

    Attributes:
        downstream: The head.
        metric: Of the figures.
        figures: One a corpus.
        created: When the newest result of each was made, ISO 8601, by its corpus.
        intervals: The 95 % interval of each, as the board prints it, by its corpus; a
            corpus of few speakers has none.
        version: Of this program.
        notes: On what does not count.
    """

    downstream: str
    metric: Metric
    figures: Sequence[Figure]
    created: Mapping[str, str]
    intervals: Mapping[str, str]
    version: str
    notes: Sequence[str] = ()

    def parcel(self, benchmarks: Mapping[str, Benchmark], source: str) -> Parcel:
        """Make an entry for each corpus that the hub has a leaderboard of.

        Args:
            benchmarks: By corpus.
            source: The address of what the scores are read from, or empty.

        Raises:
            UnknownNameError: Where a benchmark is of a corpus that has no score.
        """
        named = {figure.place.corpus.name: figure for figure in self.figures}
        for corpus in benchmarks:
            if corpus not in named:
                raise UnknownNameError("corpus", corpus, named)
        files = {
            self._path(named[corpus]): self._entry(named[corpus], one, source).encode()
            for corpus, one in benchmarks.items()
        }
        beside = {"card-paragraph.md": self._paragraph(source).encode()}
        return Parcel(kind="model", files=files, beside=beside)

    def _path(self, of: Figure) -> str:
        corpus, target = of.place.corpus.name, of.place.corpus.target.name
        names = (corpus, *[target] * (target != USUAL), self.downstream)
        return f"{FOLDER}/speech-harness-{'-'.join(map(store.safe, names))}.yaml"

    def _entry(self, figure: Figure, of: Benchmark, source: str) -> str:
        """Write one entry in YAML."""
        import yaml
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

        entry = EvalResultEntry(
            dataset_id=of.id,
            task_id=of.task,
            value=_published(figure),
            date=self.created[figure.place.corpus.name][:10],
            source_url=source or None,
            source_name="speech-harness" if source else None,
            notes=self._notes(figure),
        )
        written: str = yaml.safe_dump(
            eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True
        )
        return written

    def _notes(self, figure: Figure) -> str:
        corpus = figure.place.corpus
        around = self.intervals.get(corpus.name)
        sure = f" 95 % interval {around} with other test speakers drawn;"
        return (
            f"{self.metric.title} {figure.unit.said} of the head {self.downstream} on "
            f"the frozen model;{sure * bool(around)} "
            f"{corpus.name}, target {corpus.target.name}, split {corpus.strategy}, "
            f"{counted(figure.folds, 'fold')}, {counted(figure.seeds, 'seed')}; "
            f"speech-harness {self.version}"
        )

    def _paragraph(self, source: str) -> str:
        """Write what a model card may say, in Markdown."""
        rows = "\n".join(map(self._row, self.figures))
        where = f" All results: {source}." if source else ""
        title, unit = self.metric.title, unit_of(self.metric.bounds).said
        targets = listed(one.place.corpus.target.name for one in self.figures)
        return f"""\
### {targets[0].upper()}{targets[1:]} in the frozen model

The head `{self.downstream}`, trained on the hidden states of this model, which is frozen,
reaches the {title} below, {unit}, with its 95 % interval where other test speakers are
drawn: the mean over seeds and folds, with nothing selected on test. It was measured by
[speech-harness](https://github.com/speech-harness/speech-harness) {self.version}.{where}

| corpus | target | language | split | speakers apart | folds | seeds | {title} | interval |
|---|---|---|---|---|---:|---:|---:|---:|
{rows}
"""  # noqa: E501 - Markdown

    def _row(self, one: Figure) -> str:
        corpus = one.place.corpus
        cells = (
            markdown(corpus.name),
            markdown(corpus.target.name),
            ", ".join(corpus.languages),
            corpus.strategy,
            "yes" if corpus.speaker_independent else "no",
            str(one.folds),
            str(one.seeds),
            one.unit.text(one.mean),
            self.intervals.get(corpus.name, ""),
        )
        return f"| {' | '.join(cells)} |"


def _published(figure: Figure) -> float:
    """Return a figure as the hub shows it: in percent, or in the target's units."""
    if figure.unit.percent:
        return round(100 * figure.mean, 2)
    return float(f"{figure.mean:.4g}")


def scores(
    runs: Path, system: tuple[str, str], question: Question, metrics: Sequence[Metric]
) -> Scores:
    """Read what one head reached on one model, in a clean copy of results.

    Args:
        runs: The copy.
        system: The model and the head, as the board calls them.
        question: Says the metric, and which are controls.
        metrics: All that are known.

    Raises:
        HarnessError: Where it is a control, or there is no score that can be published.
    """
    if control := set(system) & question.controls:
        raise HarnessError(
            f"{control.pop()} is a control: what a score must beat, and no score of a "
            "model. Choose another."
        )
    more = ("training_harness_version", "labels", "predictions")
    table, _ = reading.read_runs(runs, (*columns(question.metric), *more))
    table = _clean(table, system)
    if not len(table):
        raise HarnessError(
            f"There is no result of {' with '.join(system)} on recordings as they are. "
            "'harness leaderboard' shows those that are."
        )
    metric = suited(question, table).metric
    kept = current(table, metric)
    found, notes = figures(table, metric)
    _refuse_several(found)
    _refuse_unverified(found, runs, metrics)
    rows = kept.by_place()
    created = kept.runs["training_created"].to_pylist()
    versions = kept.runs["training_harness_version"].to_pylist()
    return Scores(
        downstream=system[1],
        metric=metric,
        figures=sorted(found, key=lambda one: one.place.corpus.name),
        created={
            one.place.corpus.name: max(created[row] for row in rows[one.place])
            for one in found
        },
        intervals=_intervals(table, metric, found),
        version=", ".join(
            sorted({versions[row] for one in found for row in rows[one.place]})
        ),
        notes=notes,
    )


def _clean(runs: pa.Table, system: tuple[str, str]) -> pa.Table:
    """Keep the results of a system on recordings as they are."""
    import pyarrow.compute as pc

    alike = (
        pc.equal(runs[name], of)
        for name, of in zip(("upstream", "downstream"), system, strict=True)
    )
    return runs.filter(reduce(pc.and_, alike, runs["perturbation"].is_null()))


def _intervals(
    runs: pa.Table, metric: Metric, found: Sequence[Figure]
) -> dict[str, str]:
    """Return the interval of each figure, as the board prints it, by its corpus."""
    from harness_leaderboard.analysis.estimates import gather

    if not metric.additive:
        return {}
    sure = gather(runs, Question(metric=metric), ranked=True).matrix.sure.estimates
    return {
        one.place.corpus.name: around(sure[one.place])[0]
        for one in found
        if one.place in sure
    }


def _refuse_several(found: Sequence[Figure]) -> None:
    """Refuse two scores of one corpus: which one counts must not be chosen here."""
    names = [one.place.corpus.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HarnessError(
            f"There are several conditions of {', '.join(twice)}, such as feedings, "
            "splits or targets. Choose one by --only; 'harness leaderboard' shows them."
        )


def _refuse_unverified(
    found: Sequence[Figure], runs: Path, metrics: Sequence[Metric]
) -> None:
    """Refuse scores of incomplete folds, of plugins that broke a rule, or of faults."""
    problems = list(_problems(found))
    systems = {one.place.system for one in found}
    for file in folders.files(runs):
        for result in reading.whole_results(reading.read_whole(file)[0]):
            if isinstance(result, str):
                continue
            of = result.condition
            if (of.upstream, of.downstream) in systems:
                faults = upkeep.faults(result, metrics)
                problems += [f"run {result.run_id}: {fault}" for fault in faults]
    if problems:
        more = f", and {len(problems) - 1} more" * (len(problems) > 1)
        raise HarnessError(
            f"Nothing is published, as a score is not verified: {problems[0]}{more}. "
            "See 'harness runs verify' and 'harness check'."
        )


def _problems(found: Sequence[Figure]) -> Iterator[str]:
    for one in found:
        name = one.place.corpus.name
        if not one.complete:
            yield f"{name} has {one.done} of {one.folds} folds"
        for warning in one.warnings:
            yield f"{name}: a rule is broken by {warning}"
