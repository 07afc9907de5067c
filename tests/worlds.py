"""Worlds whose truth is known: what the statistics are tried on, by test and benchmark.

A world says how speakers, folds, seeds and utterances are drawn. ``draw`` makes the
samples of systems that were tested in it; ``truth`` is their figure where the draw is
so large that nothing depends on it.

Shape letters: S speakers, K seeds, F folds, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from harness_leaderboard.analysis.samples import Sample, TestPart
from harness_leaderboard.analysis.statistics import replicate

MANY = 10_000
"""Speakers of the truth, or folds where these are drawn: it is right to 0.1 points."""


@dataclass(frozen=True, kw_only=True)
class World:
    """How a corpus and the systems on it are drawn; deviations are of accuracy.

    Attributes:
        folds: ``one``, ``each`` for a speaker a fold, or how many.
        seeds: K.
        skill: Mean accuracy above guessing.
        speaker: Deviation between speakers, the same for all systems.
        taste: Of a system for a speaker.
        fold: Of a system's model of a fold, which its speakers share.
        seed: Of a system in a seed, in all speakers alike.
        rest: Of a system in a seed for a speaker.
        utterances: Of a speaker, in the median.
        uneven: Deviation of their logarithm.
        classes: Their shares.
        missing: How often a speaker has none of a class but the first two.
        tail: ``normal``, ``t3``, or ``tenth``: a tenth of the speakers at 20 %.
        learner: Whether a nearest-centroid learner is trained in each fold, instead of
            accuracies being planted.
    """

    folds: str | int = "one"
    seeds: int = 1
    skill: float = 0.75
    speaker: float = 0.1
    taste: float = 0.07
    fold: float = 0.0
    seed: float = 0.0
    rest: float = 0.0
    utterances: int = 40
    uneven: float = 0.0
    classes: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    missing: float = 0.0
    tail: str = "normal"
    learner: bool = False

    def fold_of(self, speakers: int):
        """Number the folds, (S,)."""
        if self.folds == "one":
            return np.zeros(speakers, int)
        count = speakers if self.folds == "each" else int(self.folds)
        return np.arange(speakers) * count // speakers


RARE = (0.5, 0.3, 0.15, 0.05)
WORLDS = {
    "balanced": World(),
    "balanced, loso": World(folds="each"),
    "log-normal sizes": World(uneven=0.7),
    "rare and missing classes": World(classes=RARE, missing=0.3),
    "rare and missing, loso": World(classes=RARE, missing=0.3, folds="each"),
    "high accuracy": World(skill=0.96, speaker=0.03, taste=0.02),
    "near chance": World(skill=0.05, speaker=0.05, taste=0.03),
    "t₃ speakers": World(tail="t3"),
    "a tenth at 20 %": World(tail="tenth", speaker=0.05),
    "few utterances": World(utterances=8),
    "speakers all alike": World(speaker=0.0, taste=0.0),
    "k-fold, planted": World(folds=5, fold=0.05, speaker=0.08),
    "k-fold, a learner": World(folds=5, learner=True),
    "1 seed, common effect": World(seeds=1, seed=0.03, speaker=0.08, rest=0.04),
    "3 seeds, common effect": World(seeds=3, seed=0.03, speaker=0.08, rest=0.04),
    "5 seeds, common effect": World(seeds=5, seed=0.03, speaker=0.08, rest=0.04),
    "3 seeds, no effect": World(seeds=3, speaker=0.08, rest=0.04),
    "very uneven sizes": World(uneven=1.0),
    "2 seeds, common effect": World(seeds=2, seed=0.03, speaker=0.08, rest=0.04),
}


def draw(rng, world: World, speakers: int, lifts=(0.0,)) -> list[Sample]:
    """Draw speakers, and test systems on them, each so much better than the first."""
    if world.learner:
        return learned(rng, world, speakers, lifts)
    fold = world.fold_of(speakers)
    true = labels(rng, world, speakers)
    ability = abilities(rng, world, speakers)
    samples = []
    for lift in lifts:
        taste = world.taste * rng.standard_normal(speakers)
        of_fold = world.fold * rng.standard_normal(fold.max() + 1)
        counts = []
        for _ in range(world.seeds):
            shared = world.seed * rng.standard_normal()
            own = world.rest * rng.standard_normal(speakers)
            skill = ability + lift + taste + of_fold[fold] + shared + own
            counts.append(said(rng, np.clip(skill, 0.0, 0.995), true))
        samples.append(sample_of(counts, fold))
    return samples


def abilities(rng, world: World, speakers: int):
    """Draw how well speakers are understood, (S,)."""
    deviation = rng.standard_normal(speakers)
    if world.tail == "t3":
        deviation = rng.standard_t(3, speakers) / 3**0.5
    ability = world.skill + world.speaker * deviation
    poor = world.tail == "tenth" and rng.random(speakers) < 0.1
    return np.where(poor, 0.2, ability)


def labels(rng, world: World, speakers: int):
    """Draw how many utterances of each class a speaker has, (S, C)."""
    sizes = world.utterances * np.exp(world.uneven * rng.standard_normal(speakers))
    shares = np.repeat(np.array(world.classes)[None], speakers, 0)
    shares[:, 2:] *= rng.random((speakers, len(world.classes) - 2)) >= world.missing
    shares /= shares.sum(1, keepdims=True)
    return rng.multinomial(np.maximum(sizes.round().astype(int), 4), shares)


def said(rng, skill, true):
    """Draw confusions (S, C, C): right with the skill, else guessed."""
    classes = true.shape[1]
    chances = np.full((len(skill), classes, classes), 1 / classes)
    chances *= (1 - skill)[:, None, None]
    chances += skill[:, None, None] * np.eye(classes)
    return rng.multinomial(true, chances)


def sample_of(counts, fold) -> Sample:
    """Put confusions of each seed, (S, C, C), into the parts of their folds."""
    parts = tuple(
        TestPart(
            seed=seed,
            utterances=(str(one),),
            speakers=np.flatnonzero(fold == one),
            counts=of_seed[fold == one].astype(np.float32),
        )
        for seed, of_seed in enumerate(counts)
        for one in range(fold.max() + 1)
    )
    return Sample(speakers=tuple(map(str, range(len(fold)))), parts=parts)


def learned(rng, world: World, speakers: int, lifts) -> list[Sample]:
    """Train a nearest-centroid classifier in each fold, on the other folds."""
    classes, size, dim = len(world.classes), world.utterances, 12
    fold = world.fold_of(speakers)
    true = rng.integers(0, classes, (speakers, size))
    samples = []
    for lift in lifts:
        centres = 0.75 * (1 + 2 * lift) * np.eye(classes, dim)
        voices = 0.55 * rng.standard_normal((speakers, 1, dim))
        styles = 0.3 * rng.standard_normal((speakers, classes, dim))
        own = centres[true] + np.take_along_axis(styles, true[..., None], 1)
        heard = own + voices + 0.6 * rng.standard_normal((speakers, size, dim))
        counts = np.zeros((speakers, classes, classes))
        for one in range(fold.max() + 1):
            train, test = fold != one, fold == one
            means = [
                heard[train][true[train] == label].mean(0) for label in range(classes)
            ]
            far = ((heard[test][:, :, None] - np.array(means)) ** 2).sum(-1)
            place = np.flatnonzero(test)[:, None] + np.zeros_like(true[test])
            np.add.at(counts, (place, true[test], far.argmin(-1)), 1)
        samples.append(sample_of([counts], fold))
    return samples


def figure(of: Sample, metric) -> float:
    ones = np.ones((1, len(of.speakers)), np.float32)
    return float(replicate(of, ones, metric)[0])


def truth(
    rng, world: World, speakers: int, metric, *, lift: float = 0.0, many: int = MANY
) -> float:
    """Return the figure that many speakers, folds and trainings would have."""
    if world.learner:
        drawn = (draw(rng, world, speakers, (lift,))[0] for _ in range(many // 7))
        return float(np.mean([figure(one, metric) for one in drawn]))
    size, whole = 1, world
    if isinstance(world.folds, int):
        size = max(speakers // world.folds, 1)
        whole = replace(world, folds=many)
    whole = replace(
        whole, seed=0.0, seeds=1, rest=float(np.hypot(world.rest, world.seed))
    )
    return figure(draw(rng, whole, many * size, (lift,))[0], metric)
