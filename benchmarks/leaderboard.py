"""Made-up results, and how long the leaderboard takes over them.

    python benchmarks/leaderboard.py paper RUNS     the paper's whole grid, 3 seeds
    python benchmarks/leaderboard.py files RUNS     20 000 files of one result each
    python benchmarks/leaderboard.py rows RUNS      one file of 1 000 000 results
    python benchmarks/leaderboard.py measure RUNS   the default board of a folder

A number after ``files RUNS`` or ``rows RUNS`` makes that many instead.
``paper`` plants the paper's own scores, so that every view has something to show.
``measure`` prints seconds and peak memory, taken in a process of their own.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from harness_leaderboard import published
from harness_leaderboard.results import store

from harness.training.metrics import harness_metrics, predictions_of, score
from harness.types import (
    Cell,
    Condition,
    Epoch,
    ExtractionRecord,
    Prediction,
    Result,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conditions import CONDITION  # the tests' own
from results import RESULT

# corpus: language, classes, speakers of the test part, utterances of each
SIZES = {
    "aesdd": ("el", 5, 5, 20),
    "cafe": ("fr-CA", 7, 6, 16),
    "demos": ("it", 7, 8, 140),
    "emodb": ("de", 7, 5, 20),
    "emomatch": ("es", 7, 6, 40),
    "emovo": ("it", 7, 4, 40),
    "eyase": ("ar-EG", 4, 5, 30),
    "oreau": ("fr", 7, 5, 20),
    "shemo": ("fa", 6, 9, 34),
}
LAYERS = {"wav2vec2-base": 12, "whisper-small": 12, "whisper-small-en": 12}


def result(
    upstream: str,
    downstream: str,
    corpus: str,
    seed: int,
    skill: float,
    random: np.random.Generator,
    truth: np.random.Generator,
) -> Result:
    """Make a result of about a given macro-F1, with predictions that say the same."""
    _, classes, speakers, each = SIZES[corpus]
    labels = tuple(f"emotion-{place}" for place in range(classes))
    true = truth.integers(0, classes, (speakers, each))
    voices = 0.06 * truth.standard_normal(speakers)  # some are easier to read
    ability = np.clip(skill + voices, 0.02, 0.99)
    right = random.random((speakers, each)) < ability[:, None]
    wrong = (true + random.integers(1, classes, true.shape)) % classes
    said = np.where(right, true, wrong)
    predicted = predictions_of(true.ravel(), np.eye(classes)[said.ravel()])
    present = predicted.confusion.sum(1) > 0
    depth = LAYERS.get(upstream, 24)
    peak = depth * (0.35 if upstream.startswith(("wav", "xls")) else 0.9)
    shape = np.exp(-(((np.arange(1, depth + 1) - peak) / (0.25 * depth)) ** 2))
    weights = random.dirichlet(40 * shape + 0.1)
    cell = Cell(
        condition=condition(upstream, downstream, corpus, depth), fold="0", seed=seed
    )
    return Result(
        run_id=cell.run_id,
        condition=cell.condition,
        fold=cell.fold,
        seed=cell.seed,
        n_train=speakers * each * 8,
        n_valid=speakers * each,
        n_test=speakers * each,
        speakers_train=tuple(f"train-{place}" for place in range(speakers * 8)),
        speakers_valid=tuple(f"valid-{place}" for place in range(speakers)),
        speakers_test=tuple(f"test-{place}" for place in range(speakers)),
        labels=labels,
        labels_absent=tuple(
            label for label, there in zip(labels, present, strict=True) if not there
        ),
        scores=score(predicted, harness_metrics()),
        confusion=tuple(tuple(map(int, row)) for row in predicted.confusion),
        best_epoch=20,
        epochs=30,
        layer_weights=tuple(weights) * (downstream == "multilayer"),
        layer_norms=tuple(np.linspace(8, 40, depth)),
        history=tuple(
            Epoch(
                epoch=epoch,
                learning_rate=5e-4,
                train_loss=float(1.9 * np.exp(-epoch / 8) + 0.05 * random.random()),
                valid_loss=float(1.5 * np.exp(-epoch / 8) + 0.4 + 0.05 * epoch / 30),
                valid_macro_f1=float(skill * (1 - np.exp(-epoch / 5))),
                valid_uar=float(skill * (1 - np.exp(-epoch / 5))),
            )
            for epoch in range(1, 31)
        ),
        predictions=tuple(
            Prediction(
                utterance=f"{speaker:02d}/{place:03d}.wav",
                speaker=f"test-{speaker}",
                gender=("female", "male")[speaker % 2],
                label=labels[true[speaker, place]],
                predicted=labels[said[speaker, place]],
                scores=tuple(np.full(classes, 1 / classes)),
            )
            for speaker, place in itertools.product(range(speakers), range(each))
        ),
        trainable_parameters={"linear": 198_663, "ast": 87_000_000}.get(
            downstream, 395_280
        ),
        training=replace(
            RESULT.training,
            created=f"2025-01-0{seed + 1}T00:00:00+00:00",
            seconds=float({"linear": 3, "nonlinear": 60}.get(downstream, 90)),
            peak_memory=900_000_000,
        ),
        extraction=ExtractionRecord(
            devices=("cpu",), seconds=float(speakers * each * depth / 20)
        ),
    )


def condition(upstream: str, downstream: str, corpus: str, layers: int) -> Condition:
    """Make the condition of a result."""
    return Condition(
        upstream=replace(
            CONDITION.upstream,
            name=upstream,
            checkpoint=digest(upstream),
            layers=layers,
            dim=768,
        ),
        downstream=replace(CONDITION.downstream, name=downstream),
        corpus=replace(
            CONDITION.corpus,
            trained=(corpus,),
            languages=(SIZES[corpus][0],),
            manifest=digest(corpus),
            division=digest(f"{corpus} split"),
        ),
    )


def digest(text: str) -> str:
    """Stand for the hash of what a name stands for."""
    return hashlib.sha256(text.encode()).hexdigest()


def paper(runs: Path, seeds: int = 3) -> None:
    """Write the paper's grid, with its scores where it printed them."""
    random = np.random.default_rng(0)
    of_corpus = {
        (score.corpus, score.upstream, score.downstream): score.f1
        for score in published.languages()
    }
    systems = {(s.upstream, s.downstream): s.f1 for s in published.classifiers()}
    systems["fbank", "ast"] = 0.25
    for (upstream, downstream), mean in systems.items():
        for corpus, seed in itertools.product(SIZES, range(seeds)):
            skill = of_corpus.get((corpus, upstream, downstream), mean)
            truth = np.random.default_rng(1)  # the same utterances for every system
            made = result(upstream, downstream, corpus, seed, skill, random, truth)
            store.write_result(made, runs)


def many(runs: Path, rows: int) -> pa.Table:
    """Make results without predictions, as many as asked for, column by column."""
    random = np.random.default_rng(0)
    one = result("whisper-small", "linear", "emodb", 0, 0.8, random, random)
    table = store.table_of([replace(one, predictions=(), history=())])
    number = np.arange(rows)
    systems = number // 1000
    changed = {
        ("run_id",): [f"{value:032x}" for value in number],
        ("scores",): [[("macro_f1", value)] for value in random.random(rows)],
        ("seed",): number % 5,
        ("fold",): (number // 5 % 10).astype(str),
        ("condition", "corpus", "folds"): np.full(rows, 10),
        ("condition", "corpus", "trained"): [
            [f"corpus-{n // 50 % 20}"] for n in number
        ],
        ("condition", "downstream", "name"): np.char.add(
            "head-", (systems % 5).astype(str)
        ),
        ("condition", "upstream", "name"): np.char.add(
            "model-", (systems // 5).astype(str)
        ),
    }
    columns = {
        field.name: _repeated(table[field.name][0], rows, changed, (field.name,))
        for field in table.schema
    }
    return pa.table(columns, schema=table.schema)


def _repeated(
    value: pa.Scalar,
    rows: int,
    changed: dict[tuple[str, ...], Any],
    path: tuple[str, ...],
) -> pa.Array:
    """Repeat a value, except where another column is planted at its path."""
    if path in changed:
        return pa.array(changed[path], value.type)
    if not pa.types.is_struct(value.type) or not any(
        known[: len(path)] == path for known in changed
    ):
        return pa.repeat(value, rows)
    fields = list(value.type)
    arrays = [
        _repeated(value[field.name], rows, changed, (*path, field.name))
        for field in fields
    ]
    return pa.StructArray.from_arrays(arrays, fields=fields)


MEASURED = """
import resource, harness.cli.main
harness.cli.main.execute()
used = resource.getrusage(resource.RUSAGE_SELF)
cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
print(f"{cpu:.1f} s of CPU, {peak:.2f} GiB at most", file=sys.stderr)
"""


def measure(runs: Path) -> None:
    """Print how long ``harness leaderboard`` takes, and its peak memory."""
    code = f"import sys; sys.argv[1:] = ['leaderboard', '--runs', {str(runs)!r}]"
    code += MEASURED
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    print(f"{time.perf_counter() - start:.1f} s")


def main() -> None:
    """Do what the first argument says in the folder that the second names."""
    what, runs = sys.argv[1], Path(sys.argv[2])
    if what == "paper":
        paper(runs)
        return
    if what == "measure":
        measure(runs)
        return
    count = [int(word) for word in sys.argv[3:]]
    if what == "files":
        table = many(runs, *count or [20_000])
        for number in range(len(table)):
            row = table.slice(number, 1)
            name = f"made_{row['run_id'][0].as_py()}.parquet"
            store.write_table(row, runs / name)
    else:
        store.write_table(many(runs, *count or [1_000_000]), runs / "packed.parquet")


if __name__ == "__main__":
    main()
