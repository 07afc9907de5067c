"""Corpora of letters, one an utterance, and how they are divided."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import assume, settings
from hypothesis import strategies as st

from harness import DataError, Split, SplitOptions, Utterance
from harness.splits import strategies

OFFERED = {strategy.name: strategy for strategy in strategies.harness_splits()}
STRATEGIES = [name for name in OFFERED if name not in ("column", "published")]
BY_SPEAKER = [name for name in STRATEGIES if OFFERED[name].speaker_independent]
BY_LABEL = [name for name in STRATEGIES if name != "within-speakers"]


def corpus(**speakers: str) -> list[Utterance]:
    """Make a corpus: each speaker with their labels, one letter an utterance."""
    return [
        Utterance(id=f"{who}-{n}", path=f"{who}-{n}.wav", speaker=who, label=label)
        for who, labels in speakers.items()
        for n, label in enumerate(labels)
    ]


def random_corpus(seed: int, speakers: int, labels: str = "aabcd") -> list[Utterance]:
    draw = random.Random(seed)
    return corpus(
        **{
            f"s{number:03}": "".join(draw.choices(labels, k=draw.randint(3, 12)))
            for number in range(speakers)
        }
    )


def make_split(utterances, strategy, **options) -> Split:
    return strategies.make_split(OFFERED[strategy], utterances, SplitOptions(**options))


def mapped(utterances, ids, field):
    values = {utterance.id: getattr(utterance, field) for utterance in utterances}
    return [values[id] for id in ids]


EVEN = corpus(p="aabb", q="aabb", r="aabb", s="aabb", t="aabb")


@st.composite
def corpora(draw, fewest=3, most=5):
    spoken = draw(st.lists(st.text("abc", min_size=1), min_size=fewest, max_size=most))
    assume(min(Counter("".join(spoken)).values()) > 1)
    return corpus(**dict(zip("vwxyz", spoken, strict=False)))


def split_or_discard(utterances, strategy, **options):
    try:
        return make_split(utterances, strategy, **options)
    except DataError:
        assume(False)


quick = settings(max_examples=40, deadline=None)

GOOD = make_split(EVEN, "speaker-independent")
