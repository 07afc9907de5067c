"""What a score gains where train has the voices or the texts of the test part.

    python benchmarks/leaks.py RUNS
    python benchmarks/leaks.py RUNS --check

reads results that ``harness run`` stored in RUNS, of one corpus and upstream under
``shuffled-kfold``, ``sentence-kfold``, ``loso`` and ``speaker-sentence``, whose folds
test each utterance once; ``docs/leaks.md`` has the commands. A figure is macro-F1 of
all utterances of a corpus together, so that folds of five and of fifty can be compared.
Its interval, and those of differences to other splits on the same utterances, are
Student's of a jackknife that leaves out one speaker at a time.

``--check`` computes the logistic rows again by scikit-learn alone: its splitters, its
scaler, its logistic regression and its F1; the L2 strength is one for all, since these
splitters have no validation part.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

import harness
from harness.training.metrics import confusion_of, macro_f1
from harness.types import Predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]
    Parts = Iterator[tuple[Ints, Ints]]

SPLITS = {
    "shuffled-kfold": "nothing",
    "sentence-kfold": "sentences",
    "loso": "speakers",
    "speaker-sentence": "both",
}
OVER = {"over speakers apart": "loso", "over both apart": "speaker-sentence"}
"""What else is compared, with which split."""

STRENGTH = 1e-2
"""λ of ``--check``, about what validation chooses for ``logistic`` on EmoDB."""


def confusions(frame: pd.DataFrame, labels: Sequence[str]) -> Floats:
    """Count pairs of labels by speaker, (S, C, C); speakers are sorted."""
    index = {label: place for place, label in enumerate(labels)}
    return np.stack(
        [
            confusion_of(
                part.label.map(index).to_numpy(int),
                part.predicted.map(index).to_numpy(int),
                classes=len(labels),
            )
            for _, part in frame.groupby(frame.speaker.astype(str))
        ]
    )


def f1(confusion: Floats) -> Floats:
    """Return macro-F1 in percent of (…, C, C)."""
    found: Floats = 100 * np.asarray(macro_f1.score(Predictions(confusion=confusion)))
    return found


def replicates(by_speaker: Floats) -> Floats:
    """Return macro-F1 without each speaker in turn, (S,)."""
    return f1(by_speaker.sum(0) - by_speaker)


def half(without: Floats) -> float:
    """Return half of the 95 % interval from what a figure is without each speaker."""
    count = len(without)
    error = ((count - 1) / count * np.square(without - without.mean()).sum()) ** 0.5
    return float(stats.t.ppf(0.975, count - 1) * error)


def bracket(value: float, without: Floats, sign: str) -> str:
    """Write a figure with its interval, from what it is without each speaker."""
    low, high = value - half(without), value + half(without)
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def report(runs: str) -> None:
    """Print a markdown table, in percent and points."""
    results = harness.results(runs)
    frame = results.predictions.to_pandas()
    frame = frame[frame.split.isin(SPLITS)]
    trained = results.to_pandas().groupby(["downstream", "split"], observed=True)
    sizes = trained.n_train.mean()
    labels = sorted(frame.label.astype(str).unique())
    print(f"| head | kept apart | split | train | macro-F1 | {' | '.join(OVER)} |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for head, of_head in frame.groupby("downstream", observed=True):
        counted = {
            split: confusions(part, labels)
            for split, part in of_head.groupby("split", observed=True)
        }
        for split, apart in SPLITS.items():
            if split in counted:
                size = f"{sizes[head, split]:.0f}"
                cells = [figure(counted[split])]
                for other in OVER.values():
                    known = other in counted and other != split
                    cells += [gain(counted[split], counted[other]) if known else "–"]
                print(
                    f"| {head} | {apart} | `{split}` | {size} | {' | '.join(cells)} |"
                )


def figure(by_speaker: Floats) -> str:
    return bracket(float(f1(by_speaker.sum(0))), replicates(by_speaker), "")


def gain(by_speaker: Floats, other: Floats) -> str:
    """Compare two splits on the same utterances, speaker by speaker."""
    gained = float(f1(by_speaker.sum(0)) - f1(other.sum(0)))
    return bracket(gained, replicates(by_speaker) - replicates(other), "+")


# ---------------------------------------------------------------- by scikit-learn


def check(upstream: str, corpus: str) -> None:
    """Print the same figures, computed without this package but for the features."""
    from sklearn.metrics import f1_score

    features = harness.features(upstream, corpus)
    means, of = features.array[:, -1], features.utterances.to_pandas()
    labels = of.label.astype(str).to_numpy()
    speakers, sentences = (
        of[name].astype(str).to_numpy() for name in ("speaker", "sentence")
    )
    print("| kept apart | macro-F1 by scikit-learn |")
    print("| --- | ---: |")
    for apart, parts in splitters(labels, speakers, sentences).items():
        predicted = np.empty_like(labels)
        for train, test in parts():
            predicted[test] = fitted(means[train], labels[train]).predict(means[test])
        score = 100 * f1_score(labels, predicted, average="macro")
        print(f"| {apart} | {score:.1f} |")


def fitted(features: Floats, labels: NDArray[Any]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(C=1 / (STRENGTH * len(labels)), max_iter=1000)
    return make_pipeline(StandardScaler(), model).fit(features, labels)


def splitters(
    labels: NDArray[Any], speakers: NDArray[Any], sentences: NDArray[Any]
) -> dict[str, Callable[[], Parts]]:
    """Return ways to divide, by what they keep apart.

    To keep both apart costs a tenth of train, which one of them does without.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold

    def both() -> Parts:
        for speaker in np.unique(speakers):
            for sentence in np.unique(sentences):
                mine, same = speakers == speaker, sentences == sentence
                if (mine & same).any():
                    yield np.flatnonzero(~mine & ~same), np.flatnonzero(mine & same)

    def fewer() -> Parts:
        draw = np.random.default_rng(0)
        for train, test in out.split(labels, groups=speakers):
            yield draw.choice(train, len(train) * 9 // 10, replace=False), test

    drawn = StratifiedKFold(10, shuffle=True, random_state=0)
    out = LeaveOneGroupOut()
    return {
        "nothing": lambda: drawn.split(labels, labels),
        "sentences": lambda: out.split(labels, groups=sentences),
        "speakers": lambda: out.split(labels, groups=speakers),
        "speakers, of train nine tenths": fewer,
        "both": both,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs")
    parser.add_argument("--check", action="store_true", help="by scikit-learn alone")
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--corpus", default="emodb")
    options = parser.parse_args()
    if options.check:
        check(options.upstream, options.corpus)
    else:
        report(options.runs)


if __name__ == "__main__":
    main()
