"""Results as a dataset of tables: a row a result, and a row a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.text import counted
from harness.training.metrics import ccc, macro_f1
from harness_leaderboard.analysis.facets import USUAL
from harness_leaderboard.publish.parcel import Parcel
from harness_leaderboard.publish.targets import listed, title
from harness_leaderboard.results import reading
from harness_leaderboard.results.columns import column_type, paths, scored

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.results.columns import FieldPath

SHARED = ("run_id", "upstream", "downstream", "corpus_trained", "corpus_tested")
"""Columns of a result that stand beside each of its predictions."""

NAMING = ("speakers_train", "speakers_valid", "speakers_test", "skipped")
"""Columns of a result that name speakers or utterances."""

SOURCE = "https://github.com/speech-harness/speech-harness"

MEANING = {
    "run_id": "hash of the condition, the fold and the seed",
    "upstream": "the frozen speech model",
    "downstream": "the head on top of it",
    "corpus_trained": "the corpora that are trained on",
    "corpus_tested": "those that are tested on, where they are others",
    "corpus_strategy": "how they are divided; of several folds each is a row",
    "fold, seed": "of this result",
    "target": "what is predicted of an utterance: a class, or a number",
    "scores_…": "metrics of the test part, as fractions of one; RMSE is in the units "
    "of the target, and a metric of the other kind is null",
    "labels": "the classes, in the order of scores; of numbers, the bins that splits "
    "are balanced by",
    "n_train, n_valid, n_test": "utterances of each part",
    "control": "whether the row is one that others must beat, and no result of its own",
    "training_warnings": "rules that a plugin of it broke when it was last checked",
}
"""What the card says of columns; names not here say what they are."""


def parcel(
    runs: Path,
    metrics: Sequence[Metric],
    controls: Collection[str],
    *,
    licence: str,
    predictions: bool,
) -> Parcel:
    """Make the files of a dataset from a clean copy of results.

    Args:
        runs: The copy.
        metrics: Each is a column.
        controls: Upstreams and downstreams that others must beat.
        licence: Of the results, by the hub's id, or empty.
        predictions: Whether predictions, which name speakers, are a table of it.
    """
    tables = {"results": _results(runs, metrics, controls)}
    if predictions:
        tables["predictions"] = _predictions(runs, "predictions")
        if len(valid := _predictions(runs, "valid_predictions")):
            tables["valid_predictions"] = valid
    else:
        tables["results"] = tables["results"].drop_columns(list(NAMING))
    files = {"README.md": _card(tables, licence).encode()}
    files |= {f"{name}.parquet": _parquet(table) for name, table in tables.items()}
    return Parcel(kind="dataset", files=files)


def _results(
    runs: Path, metrics: Sequence[Metric], controls: Collection[str]
) -> pa.Table:
    """Read a row a result: its condition, what was measured, where and when."""
    import pyarrow as pa

    flat = [name for name, path in paths().items() if _is_simple(name, path)]
    table, _ = reading.read_runs(runs, (*flat, *map(scored, metrics)))
    systems = zip(*(table[name].to_pylist() for name in SHARED[1:3]), strict=True)
    is_control = [not set(system).isdisjoint(controls) for system in systems]
    return table.append_column("control", pa.array(is_control))


def _is_simple(name: str, path: FieldPath) -> bool:
    """Say whether a column holds values or lists of values, which any reader takes."""
    import pyarrow as pa

    kind = column_type(path)
    of = kind.value_type if pa.types.is_list(kind) else kind
    return path[0] != "scores" and not pa.types.is_nested(of)


def _predictions(runs: Path, column: str) -> pa.Table:
    """Read a row a prediction of a part, with the names of its result."""
    import pyarrow as pa

    table, _ = reading.read_runs(runs, (*SHARED, "fold", "seed", "labels", column))
    of = table.schema.field(column).type.value_type
    fields = [one for one in table.schema if one.name != column]
    rows = [
        {**result, **one}
        for result in table.to_pylist()
        for one in result.pop(column) or ()
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([*fields, *of]))


def _parquet(table: pa.Table) -> bytes:
    """Write a table as plain columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {one.name: one.type for one in table.schema}
    plain = [
        (name, kind.value_type if pa.types.is_dictionary(kind) else kind)
        for name, kind in kinds.items()
    ]
    buffer = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(plain)), buffer, compression="zstd")
    return bytes(buffer.getvalue().to_pybytes())


# ---------------------------------------------------------------- card


def _card(tables: Mapping[str, pa.Table], licence: str) -> str:
    """Write the card: what is in it, how it was made, what columns mean."""
    from huggingface_hub import DatasetCardData

    results = tables["results"]
    targets = set(results["target"].to_pylist())
    top = DatasetCardData(
        license=licence or None,
        pretty_name=f"{title(targets)}, by speech-harness",
        tags=[
            "speech",
            *["speech-emotion-recognition"] * (USUAL in targets),
            "evaluation",
        ],
        configs=[
            {"config_name": name, "data_files": f"{name}.parquet"} for name in tables
        ],
    )
    meaning = "\n".join(f"| `{name}` | {text} |" for name, text in MEANING.items())
    corpora = sorted(
        {one for of in results["corpus_trained"].to_pylist() for one in of}
    )
    names = ", ".join(f"`{one}`" for one in corpora)
    versions = ", ".join(sorted(set(results["training_harness_version"].to_pylist())))
    return f"""\
---
{top.to_yaml().strip()}
---

# {title(targets)}

How well small heads predict {listed(targets)} from the states of frozen speech models:
{counted(len(results), "result")}, each of one head trained on one fold with one seed.
There is no audio here.

Corpora: {names}. They are not part of this, and each has its own licence.

## How it was made

By [speech-harness]({SOURCE})
{versions}. The models are frozen; the best epoch in validation is tested, and nothing
is selected on test. Rows are comparable where every column of the condition is equal:
average over `fold` and `seed`, and over nothing else. Rows with `control` are what a
score must beat.

## Licence

{_licence_note(licence)}

## Columns

| `results` | is |
|---|---|
{meaning}
{PREDICTIONS * ("predictions" in tables)}{VALID * ("valid_predictions" in tables)}
```python
from datasets import load_dataset

results = load_dataset("OWNER/NAME", "results", split="train").to_pandas()
place = ["upstream", "downstream", "target", "corpus_manifest", "corpus_division"]
place += ["perturbation"]
own = results[~results.control]
own.groupby(place, dropna=False).{_first_score(results)}.mean()
```

## Citation

Cite what you use: the corpora, the models, and F. D'Asaro, J. J. Márquez Villacís, G.
Rizzo, A. Bottino, *Using Large Speech Models for Feature Extraction in Cross-Lingual
Speech Emotion Recognition*, CLiC-it 2024, the study that the heads come from.
"""


PREDICTIONS = """
`predictions` has one row a result and test utterance: `utterance`, `speaker` and
`gender` as the corpus has them, `label`, `predicted`, `scores`, the probability of
each of `labels`, and `language`, `sentence` and `intensity`, null where the corpus does
not state them. Where a number is predicted, `value` is the true one, `predicted_value`
the other, and `label` and `predicted` are the bins that they lie in.
"""

VALID = """
`valid_predictions` has the same of the validation parts, by the same heads: what a
temperature may be fitted on. Results of older versions have none.
"""


def _first_score(results: pa.Table) -> str:
    """Name the column of the first metric that some result has."""
    return next(
        (
            name
            for name in map(scored, (macro_f1, ccc))
            if name in results.column_names and results[name].null_count < len(results)
        ),
        scored(macro_f1),
    )


def _licence_note(licence: str) -> str:
    if licence:
        return f"The results are under `{licence}`."
    return "None is stated: ask the owner of this repository before you reuse it."
