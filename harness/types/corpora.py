"""What a corpus plugin offers: a corpus, and the utterances that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


Gender = Literal["female", "male"]


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recording of one speaker, as a corpus describes it (audio unopened).

    Attributes:
        id: Stable name within the corpus: the path below the root, with ``/``
            between folders and in Unicode NFC, so that it is the same everywhere.
        path: The same file's path below the root, spelt as on this disk.
        label: The emotion, in English and lower case.
        speaker: The corpus' own speaker code.
        gender: Where the corpus is certain of it.
        sentence: Code of the text that is spoken, where the corpus has a fixed one.
        intensity: How strongly it was asked to be expressed, where coded.
        language: BCP-47 tag, where it differs from the corpus' first one.
        start: Where the utterance begins in the file, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        part: ``train``, ``valid`` or ``test``, where the data say so themselves.
    """

    id: str
    path: str
    label: str
    speaker: str
    gender: Gender | None = None
    sentence: str | None = None
    intensity: str | None = None
    language: str | None = None
    start: float = 0.0
    end: float | None = None
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """What is known of an utterance of a published corpus before its file is seen.

    Attributes:
        label: Its emotion.
        speaker: Its speaker.
        part: ``train``, ``valid`` or ``test`` in the published split.
        sha256: Of the file's bytes, or empty where we have not seen them.
    """

    label: str
    speaker: str
    part: str
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What somebody says about a corpus' size.

    Attributes:
        source: Who says so.
        utterances: How many there are.
        labels: How many different ones.
        because: Why a corpus that is whole may differ from that, as far as is known.
    """

    source: str
    utterances: int
    labels: int
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file that a corpus, or a part of it, can be downloaded as, with no form.

    Attributes:
        url: Of a zip, or of a Zenodo record, ``https://zenodo.org/api/records/ID``,
            which says itself which files there are, how large, and with which hash.
        only: Of a record, the names of the files, as a regular expression.
        size: In bytes, or 0 where it is not known beforehand.
        sha256: Of the file, or empty where it is not known beforehand.
    """

    url: str
    only: str = r".*\.zip"
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus of emotional speech and how to read its folder.

    Attributes:
        name: Kebab-case; also the folder below the data root.
        title: Its full name.
        version: Which published version ``read`` understands.
        languages: BCP-47 tags, the first one holds where an utterance names none.
        labels: Every label that ``read`` may give, in English.
        licence: SPDX id where there is one, else in words.
        homepage: Where it is published.
        citation: Whom to cite.
        obtain: How to get it, as one sentence that ends an error message.
        read: From the corpus' root to its utterances. Opens no audio; raises
            ``DataError`` where the folder is not this corpus.
        about: What a user should know of it, on several lines.
        counts: How many utterances of each label this version has, where known.
        versions: How many utterances the published versions have, by their names;
            this one's is under ``version``.
        files: Gives every utterance of this version by id, where known; may read a
            file that comes with the plugin.
        defects: Files that are known to be broken and are never read: from the id
            that each would have to what is wrong with it.
        claims: What is said elsewhere about its size.
        archives: How it can be downloaded with no form; empty where it cannot.
        root: Its folder, for a corpus that does not lie below the data root.
    """

    name: str
    title: str
    version: str
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    licence: str
    homepage: str
    citation: str
    obtain: str
    read: Callable[[Path], Iterable[Utterance]]
    about: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    files: Callable[[], Mapping[str, KnownFile]] | None = None
    defects: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    archives: tuple[Archive, ...] = ()
    root: Path | None = None
