"""What holds for each bundled corpus of files, on a tree of one file or two."""

from __future__ import annotations

import unicodedata

import pytest
from harness_plugins.corpora import (
    aesdd,
    cafe,
    demo,
    demos,
    emodb,
    emomatch,
    emovo,
    eyase,
    oreau,
    shemo,
)

from harness import DataError

MODULES = (*(aesdd, cafe, demo, demos, emodb, emomatch, emovo, eyase, oreau, shemo),)
CORPORA = {
    corpus.name: corpus for module in MODULES for corpus in module.harness_corpora()
}
# name: a file as the archive has it, its id, and an audio file that is foreign to it
FILES = {
    "aesdd": ("anger/a01 (1).wav", "anger/a01 (1).wav", "anger/n01 (1).wav"),
    "aesdd@all": ("anger/a01 (6).wav", "anger/a01 (6).wav", "anger/a01 (7).wav"),
    "cafe": ("Dégoût/Faible/01-D-1-2.wav", "01-D-1-2.wav", "01-D-3-2.wav"),
    "cafe@192k": ("Neutre/03-N-1.aiff", "03-N-1.aiff", "13-N-1.aiff"),
    "demo": ("af1-a1-anger-00.wav", "af1-a1-anger-00.wav", "af4-a1-anger-00.wav"),
    "demos": (
        "DEMOS/PR_m_23_tri00a.wav",
        "DEMOS/PR_m_23_tri00a.wav",
        "DEMOS/m_23_tri.wav",
    ),
    "demos@7": ("DEMOS/NP_f_01_col07b.wav", "DEMOS/NP_f_01_col07b.wav", "x.wav"),
    "demos@no-guilt": ("NEU/m_68_neu05b.wav", "NEU/m_68_neu05b.wav", "x.wav"),
    "emodb": ("wav/03a01Fa.wav", "wav/03a01Fa.wav", "wav/01a01Fa.wav"),
    "emomatch": ("41_Ira_12.WAV", "41_Ira_12.wav", "41_Enfado_12.WAV"),
    "emovo": ("f1/dis-f1-b1.wav", "f1/dis-f1-b1.wav", "f1/dis-f4-b1.wav"),
    "eyase": (
        "Male01/ml01_ang (1).wav",
        "Male01/ml01_ang (1).wav",
        "Male01/ml01_sur (1).wav",
    ),
    "oreau": ("f/sessc/10a01Ca.wav", "f/sessc/10a01Ca.wav", "f/sessc/10a01X.wav"),
    "oreau@v2": ("m/sesss/07z03Sa.wav", "m/sesss/07z03Sa.wav", "m/sesss/07.wav"),
    "shemo": ("female/F01F02.wav", "female/F01F02.wav", "female/F01X02.wav"),
    "shemo@modified": ("male/M56W01.wav", "male/M56W01.wav", "male/M56.wav"),
}

every = pytest.mark.parametrize(
    ("corpus", "archived", "name", "foreign"),
    [(CORPORA[name], *files) for name, files in FILES.items()],
    ids=FILES,
)


def read(corpus, root):
    return [(utterance.id, utterance.path) for utterance in corpus.read(root)]


def test_every_corpus_is_tested_here():
    own_files = [name for name in CORPORA if not name.startswith("demo@")]
    assert sorted(FILES) == own_files


@every
def test_the_archive_may_be_unpacked_at_the_root(tree, corpus, archived, name, foreign):
    assert read(corpus, tree(archived)) == [(name, archived)]


@every
def test_the_archive_may_be_one_folder_deeper(tree, corpus, archived, name, foreign):
    root = tree(f"Le dossier/{archived}")
    assert read(corpus, root) == [(name, f"Le dossier/{archived}")]


@every
def test_names_may_be_decomposed_by_the_file_system(
    tree, corpus, archived, name, foreign
):
    decomposed = unicodedata.normalize("NFD", f"Oréau/{archived}")
    assert read(corpus, tree(decomposed)) == [(name, decomposed)]


@every
def test_the_ending_may_be_in_upper_case(tree, corpus, archived, name, foreign):
    stem, dot, suffix = archived.rpartition(".")
    upper = stem + dot + suffix.upper()
    assert read(corpus, tree(upper)) == [(name, upper)]


@every
def test_hidden_files_and_documents_are_ignored(tree, corpus, archived, name, foreign):
    folder, slash, file = archived.rpartition("/")
    root = tree(
        archived,
        ".DS_Store",
        f"{folder}{slash}._{file}",
        f"__MACOSX/{folder}{slash}{file}",
        f".Trash/{archived}",
        "readme.txt",
        "Documentation.docx",
    )
    assert read(corpus, root) == [(name, archived)]


@every
def test_a_foreign_audio_file_is_named(tree, corpus, archived, name, foreign):
    with pytest.raises(DataError) as error:
        read(corpus, tree(archived, foreign))
    assert f"'{foreign}'" in str(error.value)


@every
def test_a_folder_without_one_of_its_files_says_how_to_get_it(
    tree, corpus, archived, name, foreign
):
    with pytest.raises(DataError) as error:
        read(corpus, tree(foreign))
    assert str(error.value).endswith(corpus.obtain)


@every
def test_two_copies_are_refused(tree, corpus, archived, name, foreign):
    with pytest.raises(DataError, match="more than one copy"):
        read(corpus, tree(f"one/{archived}", f"two/{archived}"))


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_the_description_is_complete(corpus):
    texts = (
        *(corpus.title, corpus.version, corpus.licence, corpus.homepage),
        *(corpus.citation, corpus.obtain, *corpus.languages),
    )
    assert all(texts)
    assert corpus.languages


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_labels_are_declared_once_and_sorted(corpus):
    assert list(corpus.labels) == sorted(set(corpus.labels))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__[-8:])
def test_variants_are_named_after_the_module(module):
    bases = {corpus.base for corpus in module.harness_corpora()}
    assert bases == {module.__name__.rpartition(".")[2]}
