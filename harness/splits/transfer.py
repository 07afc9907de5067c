"""How corpora are divided: by themselves, joined, or one to train on, one to test."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.manifest import join
from harness.errors import DataError
from harness.splits import strategies as splits
from harness.splits.files import read_split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.data.manifest import Manifest
    from harness.splits.strategies import Split
    from harness.execution.request import Request

JOIN = "+"
"""Stands between corpora that are trained on together."""

TRANSFER = "→"
"""Stands between the corpus that is trained on and the one that is tested on."""


def parts_of(name: str) -> list[str]:
    """Name the corpora that are trained on together; a name with a path is one."""
    return [name] if ":" in name else name.split(JOIN)


def divisions(
    name: str, manifests: Mapping[str, Manifest], request: Request
) -> Iterator[tuple[Manifest, Split]]:
    """Give a corpus with its split, or each corpus to test on joined with it."""
    parts = [manifests[part] for part in parts_of(name)]
    manifest = parts[0] if len(parts) == 1 else join(parts, name)
    split = _split(manifest, request)
    if not request.test_corpora:
        yield manifest, split
    for tested in request.test_corpora:
        if tested in manifest.parts:
            yield manifest, split
        elif tested in manifests:
            yield transfer(manifest, split, manifests[tested])


def transfer(train: Manifest, split: Split, test: Manifest) -> tuple[Manifest, Split]:
    """Train on a corpus' own train and valid parts, and test on all of another.

    Both keep the utterances of the labels that they share; the first one's own test
    part is left out, so that its score stands beside one by the same head at home.

    Raises:
        DataError: Where fewer than two labels are shared, or there are several folds.
    """
    home, abroad = train.corpus.name, test.corpus.name
    labels = set(train.labels) & set(test.labels)
    if len(labels) < 2:
        raise DataError(
            f"{home} and {abroad} share {len(labels)} labels; two are needed to train "
            "on one and test on the other. Choose another --test-corpus."
        )
    if len(split.folds) > 1:
        raise DataError(
            f"'{split.strategy}' has {len(split.folds)} folds, and a test on another "
            "corpus wants one. Choose --split speaker-independent."
        )
    (fold,) = split.folds
    whole = [utterance.id for utterance in test.utterances]
    both = join(
        [
            train.only(labels, {*fold.train, *fold.valid}),
            test.only(labels, set(whole)),
        ],
        f"{home}{TRANSFER}{abroad}",
    )
    held = set(both.contents)

    def kept(corpus: str, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(held & {f"{corpus}/{one}" for one in ids}))

    across = splits.Fold(
        name=fold.name,
        train=kept(home, fold.train),
        valid=kept(home, fold.valid),
        test=kept(abroad, whole),
    )
    division = splits.Split(strategy="transfer", folds=(across,))
    check(division, both)
    return both, division


def _split(manifest: Manifest, request: Request) -> Split:
    """Make or read the split, and refuse one that leaks."""
    if request.split.endswith(".json"):
        stored = read_split(Path(request.split))
        if stored.corpus != manifest.corpus.name:
            raise DataError(
                f"{request.split} is a split of '{stored.corpus}', not of "
                f"'{manifest.corpus.name}'. Run one corpus at a time with it."
            )
        split = stored.split
    else:
        split = splits.make_split(
            manifest.utterances,
            request.split,
            folds=request.folds,
            seed=request.split_seed,
            files=manifest.corpus.files,
        )
    check(split, manifest)
    return split


def check(split: Split, manifest: Manifest) -> None:
    """Refuse a split that leaks, or that does not fit the corpus.

    Raises:
        DataError: As ``splits.check_split`` does, and where two utterances of one file
            overlap and are in two parts.
    """
    splits.check_split(split, manifest.utterances, manifest.contents)
    spans = sorted(
        (str(r.path), r.utterance.start, r.utterance.end or inf, r.utterance.id)
        for r in manifest.recordings
    )
    for fold in split.folds:
        part_of = {id: part for part, ids in fold.parts() for id in ids}
        longest = ("", 0.0, 0.0, "")  # the span that lasts longest so far
        for span in spans:
            (path, start, end, id), (other_path, _, other_end, other) = span, longest
            if path == other_path and start < other_end:
                if part_of[id] != part_of[other]:
                    raise DataError(
                        f"Split '{split.strategy}', fold '{fold.name}': '{other}' in "
                        f"{part_of[other]} and '{id}' in {part_of[id]} overlap. Give "
                        "both to one part, or cut them apart."
                    )
                if end <= other_end:
                    continue
            longest = span
