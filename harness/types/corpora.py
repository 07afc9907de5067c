"""What a corpus plugin offers: a corpus, and the utterances that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


Gender = Literal["female", "male"]
"""Of a speaker, as the corpora state it."""


NO_NUMBERS: Mapping[str, float] = {}
"""Shared by all utterances without any, of which there may be millions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One recording of one speaker, described without opening its audio.

    Attributes:
        id: Name within the corpus, the same on every machine: the path below the
            root, with ``/`` between folders and in Unicode NFC.
        path: The file's path below the root, spelt as on this disk.
        label: The emotion, in English and lower case; empty where none is stated: then
            it has no value for the target ``emotion``.
        speaker: The corpus' own speaker code.
        gender: ``female`` or ``male``, where the corpus documents it.
        sentence: Code of the spoken text, where the corpus has a fixed set of texts.
        intensity: Intensity of the portrayed emotion, where the corpus codes it.
        language: BCP-47 tag, where it differs from the corpus' first one.
        start: Where the utterance begins in the file, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        part: ``train``, ``valid`` or ``test``, where the data define a split.
        numbers: What was rated as a number, such as ``arousal``, by name.
        value: The number that is predicted, where the target is one; ``label`` is then
            the bin of values that it is in.
    """

    id: str
    path: str
    label: str = ""
    speaker: str
    gender: Gender | None = None
    sentence: str | None = None
    intensity: str | None = None
    language: str | None = None
    start: float = 0.0
    end: float | None = None
    part: str | None = None
    numbers: Mapping[str, float] = field(default_factory=lambda: NO_NUMBERS, hash=False)
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """One line of the published list of a corpus' files.

    Attributes:
        label: The emotion.
        speaker: The speaker.
        part: ``train``, ``valid`` or ``test`` in the published split.
        sha256: Hash of the file's bytes, or empty where it is not known.
    """

    label: str
    speaker: str
    part: str
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The size of a corpus according to some publication.

    Attributes:
        source: The publication, as it is printed: ``Table 1 of Me (2026)``.
        utterances: Number of utterances it states.
        labels: Number of labels it states.
        because: Why a complete corpus may differ from that, as sentences; empty where
            the reason is not known.
    """

    source: str
    utterances: int
    labels: int
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A public download that needs no form and holds a corpus or a part of it.

    Attributes:
        url: Address of a zip, or of a Zenodo record,
            ``https://zenodo.org/api/records/ID``, which lists its files with their
            sizes and hashes.
        only: Regular expression of the names of the files to take from a record.
        size: Size in bytes, or 0 where it is not known beforehand.
        sha256: Hash of the file, or empty where it is not known beforehand.
    """

    url: str
    only: str = r".*\.zip"
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Download:
    """What a server has of a corpus, which need not be a zip.

    Attributes:
        corpus: The description of what is fetched, under its licence; its version, and
            so its name, may be more exact than what the user asked for.
        url: Where it is published.
        size: Size in bytes, or 0 where it is not known beforehand.
        fetch: Downloads it into an empty folder, whole or not at all.
    """

    corpus: Corpus
    url: str
    size: int
    fetch: Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus of emotional speech and how to read its folder.

    Attributes:
        name: Kebab-case; a variant is called ``BASE@VARIANT``.
        title: Full name.
        version: The published version that ``read`` understands.
        languages: BCP-47 tags; the first one holds where an utterance names none.
        labels: Every label that ``read`` may yield, in English; empty where that is
            not known before the corpus is read.
        licence: SPDX id where there is one, else in words.
        homepage: Where it is published.
        citation: The publication to cite.
        obtain: How to get it, as one sentence that ends an error message.
        read: From the corpus' root to its utterances. Opens no audio; raises
            ``DataError`` where the folder is not this corpus.
        about: Text of several lines for ``harness corpus info``.
        counts: Number of utterances of each label in this version, where known.
        versions: Number of utterances of each published version, by its name; this
            one's is under ``version``.
        files: Returns the published list of this version's files by utterance id,
            where known; may read a file that comes with the plugin.
        defects: Files that are known to be damaged and are never read: from the id
            that each would have to what is wrong with it.
        claims: Its size according to publications.
        archives: Downloads that need no form; empty where there are none.
        root: The folder of a corpus that is not below the data root.
        make: Synthesises the corpus into an empty folder; called by a run, never by
            a plan.
        download: Asks a server what it has of the corpus; called by ``harness corpus
            download`` alone, for corpora that are not published as zips.
        options: A frozen dataclass whose fields, all with defaults, are what a user may
            set by ``NAME:field=value``; ``read`` and ``make`` are passed an instance.
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
    read: Callable[..., Iterable[Utterance]]
    about: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    files: Callable[[], Mapping[str, KnownFile]] | None = None
    defects: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    archives: tuple[Archive, ...] = ()
    root: Path | None = None
    make: Callable[..., None] | None = None
    download: Callable[[], Download] | None = None
    options: type[Any] | None = None

    @property
    def base(self) -> str:
        """The name without its variant, ``oreau`` of ``oreau@v2``: also its folder."""
        return self.name.partition("@")[0]

    @property
    def variant(self) -> str:
        """The variant, ``v2`` of ``oreau@v2``; empty for the plain name."""
        return self.name.partition("@")[2]
