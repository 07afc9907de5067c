"""Names that look alike: one speaker or label, written in two ways."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.types import Utterance

SHOWN = 5
"""How many pairs an error message lists before it only counts them."""

HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
"""Between two letters, where it may as well be a blank; not the minus of a number."""


def likeness(name: str) -> tuple[str | float, ...]:
    """Return what is left of a name without what people write now so, now so.

    That is capitals, the Unicode form, characters that are not seen, blanks and
    underscores, leading zeros, and the ``.0`` of a number.
    """
    seen = (one for one in name if unicodedata.category(one) != "Cf")
    text = unicodedata.normalize("NFKC", "".join(seen)).casefold()
    text = unicodedata.normalize("NFKC", HYPHEN.sub(" ", text)).strip()
    if re.fullmatch(r"\d+\.0*", text, re.ASCII):
        text = text.partition(".")[0]
    pieces = re.findall(r"\d+|[^\W\d_]+|[^\w\s]", text)
    return tuple(int(one) if one.isdecimal() else one for one in pieces) or (name,)


def refuse_lookalikes(corpus: str, utterances: Collection[Utterance]) -> None:
    """Stop where two speakers, or two labels, may be one.

    Raises:
        DataError: With the pairs.
    """
    _refuse(corpus, "speaker", {one.speaker for one in utterances})
    _refuse(corpus, "label", {one.label for one in utterances} - {""})


def _refuse(corpus: str, what: str, names: Iterable[str]) -> None:
    first: dict[tuple[str | float, ...], str] = {}
    pairs = [
        f"'{other}' and '{name}'"
        for name in sorted(names)
        if (other := first.setdefault(likeness(name), name)) != name
    ]
    if pairs:
        more = f" and {len(pairs) - SHOWN} more pairs" if len(pairs) > SHOWN else ""
        raise DataError(
            f"Corpus '{corpus}' writes what may be one {what} in two ways: "
            f"{', '.join(pairs[:SHOWN])}{more}. Write each {what} in one way, or give "
            "them names that differ by more than capitals, accents' forms, blanks and "
            "leading zeros."
        )
