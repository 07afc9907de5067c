"""How corpora are divided: by themselves, joined, or one to train on, one to test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.manifest import join
from harness.data.targets import seen
from harness.errors import DataError, HarnessError, UnknownNameError
from harness.splits.checks import check
from harness.splits.files import read_split
from harness.splits.strategies import make_split, split_of
from harness.types import CorpusCondition, Fold, Split, SplitOptions, SplitStrategy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from harness.data.manifest import Manifest
    from harness.registry import Names
    from harness.splits.files import SplitFile
    from harness.types import Target

ANEW = "Make the split anew with 'harness split'."


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """What the user wants to predict, and how a corpus is divided for it.

    Attributes:
        strategy: By this strategy, or that of the file.
        file: States a split of this strategy, if one was named.
        options: For the strategy; the corpus' published files are added to them.
        known: Every strategy, since a file names the one that it was made by.
        target: What is predicted; ``None`` for the label.
        targets: Every target, for messages.
    """

    strategy: SplitStrategy
    file: SplitFile | None = None
    options: SplitOptions
    known: Names[SplitStrategy]
    target: Target | None = None
    targets: Iterable[Target] = ()

    @classmethod
    def of(
        cls,
        name: str,
        known: Names[SplitStrategy],
        *,
        folds: int | None = None,
        seed: int = 0,
        target: Target | None = None,
        targets: Iterable[Target] = (),
    ) -> SplitChoice:
        """Find a strategy by its name; what ends in ``.json`` is a split file.

        Args:
            name: As the user wrote it after ``--split``.
            known: Every strategy.
            folds: How many, if the user said so.
            seed: Of whatever the strategy draws.
            target: What is predicted; ``None`` for the label.
            targets: Every target, for messages.

        Raises:
            HarnessError: Where there is no such strategy or file, it takes no folds, or
                it parts the speakers whom the target wants in every part.
        """
        is_file = name.endswith(".json")
        if folds is not None and (is_file or not known[name].takes_folds):
            raise HarnessError(
                f"The split '{name}' takes no number of folds. Leave out --folds, or "
                "ask for --split kfold."
            )
        file = read_split(Path(name)) if is_file else None
        strategy = _strategy_of(file, known) if file else known[name]
        options = SplitOptions(seed=seed)
        if folds is not None:
            options = replace(options, folds=folds)
        choice = cls(
            strategy=strategy,
            file=file,
            options=options,
            known=known,
            target=target,
            targets=targets,
        )
        choice._refuse_unfit()
        return choice

    def seen(self, manifest: Manifest) -> Manifest:
        """Return a corpus as the target sees it."""
        return seen(manifest, self.target, self.targets) if self.target else manifest

    def _refuse_unfit(self) -> None:
        """Refuse a split that parts the speakers whom the target wants in every part.

        Raises:
            HarnessError: Where it does.
        """
        target, strategy = self.target, self.strategy
        if target and target.within_speakers and strategy.speaker_independent:
            others = [one.name for one in self.known if not one.speaker_independent]
            raise HarnessError(
                f"The target '{target.name}' is predicted of speakers that train has, "
                f"and the split '{strategy.name}' tests others. Leave out --split, "
                f"which is then '{target.split}', or choose one of "
                f"{', '.join(sorted(others))}."
            )


@dataclass(frozen=True, kw_only=True)
class Division:
    """A corpus, divided, and of which corpora it consists.

    Attributes:
        manifest: All utterances that train, valid and test have.
        split: Checked against the manifest.
        trained: The corpora that are trained on.
        tested: The corpora that are tested on, where they are others.
    """

    manifest: Manifest
    split: Split
    trained: tuple[str, ...]
    tested: tuple[str, ...] = ()

    @property
    def condition(self) -> CorpusCondition:
        """What of the data and of their division makes results incomparable."""
        manifest, split = self.manifest, self.split
        return CorpusCondition(
            trained=self.trained,
            tested=self.tested,
            versions=tuple(corpus.version for corpus in manifest.corpora),
            languages=manifest.spoken,
            manifest=manifest.sha256,
            strategy=split.strategy,
            strategy_version=split.version,
            speaker_independent=split.speaker_independent,
            division=split.sha256,
            folds=len(split.folds),
        )


def undivided(manifests: Sequence[Manifest]) -> Division:
    """Join corpora whose features are wanted, and no split of them."""
    source = manifests[0] if len(manifests) == 1 else join(manifests)
    return Division(
        manifest=source, split=Split(strategy="none", folds=()), trained=source.names
    )


def divisions(
    trained: Sequence[Manifest], tested: Sequence[Manifest], choice: SplitChoice
) -> Iterator[Division]:
    """Divide a corpus, and join it with each other corpus that is to be tested on.

    Args:
        trained: The corpus, or several that are joined.
        tested: The corpora to test on; one that is among the trained ones stands for
            the test part of its own split. Empty for this alone.
        choice: What is predicted, and how the corpus is divided.

    Raises:
        DataError: Where it cannot be divided so, or a split leaks.
    """
    names = tuple(manifest.corpus.name for manifest in trained)
    source = choice.seen(trained[0] if len(trained) == 1 else join(trained))
    split = _split(source, choice)
    others = [one for one in tested if one.corpus.name not in names]
    if len(others) < len(tested) or not tested:
        yield Division(manifest=source, split=split, trained=names)
    for other in others:
        both = choice.seen(join([*trained, other]))
        yield _transfer(both, source, split, choice.seen(other))


def _transfer(
    both: Manifest, source: Manifest, split: Split, tested: Manifest
) -> Division:
    """Train on a corpus' own train and valid parts, and test on all of another.

    Both keep the utterances of the labels that they share; the first one's own test
    part is left out, so that the score can be compared with that on this part.

    Raises:
        DataError: Where fewer than two labels are shared, or there are several folds.
    """
    name = tested.corpus.name
    labels = _kept_labels(source, tested, both)
    fold = _only_fold(split)
    of_source = {
        part: _prefixed("" if source.joined else source.corpus.name, ids)
        for part, ids in fold.parts()
    }
    kept = {*of_source["train"], *of_source["valid"]}
    both = both.only(
        labels, kept | _prefixed(name, (one.id for one in tested.utterances))
    )
    held = set(both.contents)
    across = Fold(
        name=fold.name,
        train=tuple(sorted(held & of_source["train"])),
        valid=tuple(sorted(held & of_source["valid"])),
        test=tuple(sorted(held - kept)),
    )
    division = Split(strategy="transfer", version=split.version, folds=(across,))
    check(division, both)
    return Division(manifest=both, split=division, trained=source.names, tested=(name,))


def _kept_labels(source: Manifest, tested: Manifest, both: Manifest) -> Collection[str]:
    """Return the labels that both have; of numbers, which have bins, all."""
    numbers = any(one.value is not None for one in both.utterances)
    return both.labels if numbers else _shared_labels(source, tested)


def _shared_labels(source: Manifest, tested: Manifest) -> Collection[str]:
    """Return the labels that both have, at least two."""
    labels = set(source.labels) & set(tested.labels)
    if len(labels) < 2:
        raise DataError(
            f"{source.corpus.name} and {tested.corpus.name} share {len(labels)} "
            "labels; two are needed to train on one and test on the other. Choose "
            "another --test-corpus."
        )
    return labels


def _only_fold(split: Split) -> Fold:
    if len(split.folds) > 1:
        raise DataError(
            f"'{split.strategy}' has {len(split.folds)} folds, and a test on another "
            "corpus wants one. Choose --split speaker-independent."
        )
    return split.folds[0]


def _prefixed(corpus: str, ids: Iterable[str]) -> set[str]:
    """Return the ids that utterances of a corpus have once it is joined."""
    return {f"{corpus}/{id}" if corpus else id for id in ids}


# ---------------------------------------------------------------- its own split


def _split(manifest: Manifest, choice: SplitChoice) -> Split:
    """Make or read the split, and refuse one that leaks."""
    options = replace(choice.options, files=manifest.corpus.files)
    if choice.file is not None:
        return _stated(choice.file, manifest, options, choice.strategy)
    split = make_split(choice.strategy, manifest.utterances, options)
    check(split, manifest)
    return split


def _stated(
    file: SplitFile,
    manifest: Manifest,
    options: SplitOptions,
    strategy: SplitStrategy,
) -> Split:
    """Return the split of a file, and refuse it unless it is what it states.

    Raises:
        DataError: Where it was made for other data, leaks, or cannot be of the strategy
            that it names.
    """
    _refuse_other_data(file, manifest)
    split = split_of(strategy, file.folds)
    try:
        check(split, manifest)
    except DataError as error:
        raise DataError(f"{file.path}: {error}") from error
    if problem := strategy.mismatch(split.folds, manifest.utterances, options):
        raise DataError(
            f"{file.path} is not a {strategy.name} split: {problem}. {ANEW}"
        )
    return split


def _strategy_of(file: SplitFile, known: Names[SplitStrategy]) -> SplitStrategy:
    """Return the strategy that a file names.

    Raises:
        DataError: Where there is none.
    """
    try:
        return known[file.strategy]
    except UnknownNameError as error:
        raise DataError(
            f"The split file {file.path} cannot be checked: {error}"
        ) from error


def _refuse_other_data(file: SplitFile, manifest: Manifest) -> None:
    """Compare what a split file was made for with the corpus that is here."""
    corpus, path = manifest.corpus, file.path
    if file.corpus != corpus.name:
        raise DataError(
            f"{path} is a split of '{file.corpus}', not of '{corpus.name}'. Run one "
            "corpus at a time with it."
        )
    if file.version != corpus.version:
        raise DataError(
            f"{path} is a split of '{corpus.name}' in version '{file.version}', and "
            f"here is version '{corpus.version}'. {ANEW}"
        )
    if file.manifest_sha256 != manifest.sha256:
        raise DataError(
            f"{path} was made of other utterances, audio, labels or speakers of "
            f"'{corpus.name}' than are used here, though their version is the same. "
            f"{ANEW}"
        )
