"""What the documents promise, held by tests."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import tomllib
import types
from pathlib import Path

import pytest
from environments import make_environment, run_line

from harness import hookspecs

ROOT = Path(__file__).parent.parent
HOOKS = {
    name: hook
    for name, hook in vars(hookspecs).items()
    if name.startswith("harness_") and inspect.isfunction(hook)
}


def blocks(name, language):
    """The code blocks of a document, in one language."""
    text = (ROOT / name).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_described_with_its_exact_signature(name):
    signature = str(inspect.signature(HOOKS[name])).replace("'", "")
    described = re.sub(r"\s+", " ", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert f"`{name}{signature}`" in described


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_test_of_its_own(name):
    tests = ast.parse((ROOT / "tests/harness/test_hooks.py").read_text("utf-8"))
    names = {node.name for node in tests.body if isinstance(node, ast.FunctionDef)}
    assert any(test.startswith(f"test_hook_{name}") for test in names)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_used_by_something_bundled(name):
    sources = [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("leaderboard/**/*.py")]
    own = (
        "execution/executors",
        "cli/console",
        "data/targets",
        "splits/strategies",
        "training/metrics",
    )
    sources += [ROOT / "harness" / f"{name}.py" for name in own]
    pattern = re.compile(rf"@hookimpl[^\n]*\n\s*def {name}\(")
    assert any(pattern.search(source.read_text("utf-8")) for source in sources)


def test_every_version_is_pinned_and_the_torch_pair_is_the_one_that_works():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    assert pins["torch"] == pins["torchaudio"] == "2.11.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"]]
    names = {re.split(r"[\[<>=~!]", one)[0].lower().replace("_", "-") for one in wanted}
    assert names <= {name.lower().replace("_", "-") for name in pins}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_python_in_a_document_runs(document):
    for code in blocks(document, "python"):
        code = compile(code, document, "exec", dont_inherit=True)
        exec(code, {"__name__": "document"})


NEXT_STEPS = re.findall(
    r"'  \$\(BIN\)/(harness .*)'", (ROOT / "Makefile").read_text("utf-8")
)
"""What ``make demo`` ends with."""

COMMANDS = [("Makefile", line) for line in NEXT_STEPS] + [
    (document, line)
    for document in DOCUMENTS
    for block in blocks(document, "sh")
    for line in block.replace("\\\n", " ").splitlines()
    if re.search(r"^(\w+=\S+ )*harness (?!corpus download)[^…$]*$", line)
]


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_a_command_in_a_document_is_one_that_the_program_takes(harness, document, line):
    """It runs, or it lacks nothing but a corpus or a model that is not here."""
    words = shlex.split(line, comments=True)
    words = words[words.index("harness") :]
    if words[1] == "run":
        words[1] = "plan"
    code, _, err = harness(*words[1:])
    lacks = r"is not at|harness run|mine\.npz|emodb-loso\.json|read speakers\.csv"
    assert code == 0 or re.search(lacks, err), err


def test_the_page_of_corpora_says_what_their_descriptions_say(registry):
    page = (ROOT / "docs/corpora.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\S+)` \| (.*) \|$", page.split("\n## ")[0], re.MULTILINE)
    stated = {name: row.split(" | ") for name, row in rows}
    published = [corpus for corpus in registry.corpora if corpus.claims]
    assert stated.keys() == {corpus.name for corpus in published}
    for corpus in published:
        language, utterances, labels, table_1, obtain, licence = stated[corpus.name]
        (claim,) = corpus.claims
        assert (language,) == corpus.languages
        assert int(utterances) == corpus.versions[corpus.version]
        assert int(labels) == len(corpus.labels)
        assert table_1 == f"{claim.utterances} of {claim.labels}"
        assert licence == corpus.licence
        assert ("download" in obtain or obtain == "the same") or not corpus.archives


def test_the_suite_in_the_page_of_corpora_can_be_read(registry, tmp_path):
    from harness.execution.suites import read_suite

    (text,) = blocks("docs/corpora.md", "toml")
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    ((matrix,), options) = read_suite(tmp_path / "mine.toml")
    assert [registry.upstreams[name] for name in matrix.upstreams]
    assert options == {"split": "loso", "seeds": "0-2"}


def test_the_project_speaks_of_itself_alone():
    words = re.compile(
        r"(?<![\w.])/(work|root|home)/\w|\bthis session\b|issue #\d", re.I
    )
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/**/*.py"),
    ]:
        ours = not any(part.startswith(".venv") for part in path.parts)
        if ours and path != Path(__file__):
            assert not words.search(path.read_text("utf-8")), path


def run_line_by_line(text, folder, module="module.py"):
    """Run a document's console blocks, and save its Python where it belongs."""
    variables = make_environment(folder / "environment")
    for language, block in re.findall(
        r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    ):
        if language == "python":
            (folder / module).write_text(block, "utf-8")
        for line in block.splitlines() if language == "console" else ():
            run_line(line.removeprefix("$ "), folder, variables)


def test_the_target_of_the_guide_is_predicted():
    from manifests import manifest_of

    from harness import Utterance
    from harness.data.targets import seen
    from harness.registry import Registry, plugin_manager

    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text.partition("## Add a target\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert len(code.splitlines()) <= 20
    module = types.ModuleType("polarity")
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    (target,) = Registry.of(plugin_manager([module])).targets
    spoken = [
        Utterance(id=str(n), path=f"{n}.wav", label=label, speaker="s")
        for n, label in enumerate(["joy", "anger", "neutral", "happiness"])
    ]
    found = seen(manifest_of(spoken), target, ())
    assert [one.label for one in found.utterances] == [
        *("pleasant", "unpleasant", "pleasant")
    ]


def test_adding_a_model_works_line_by_line(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text.partition("## Add your model\n")[2].partition("\n## ")[0]
    assert section.count("```console") == 2
    run_line_by_line(section, tmp_path, "harness-acme/harness_acme.py")


def test_the_tutorial_works_line_by_line(tmp_path):
    text = (ROOT / "docs/tutorial.md").read_text("utf-8")
    assert text.count("```console") == 5
    run_line_by_line(text, tmp_path)
    for made in ("board.tex", "confusion.pdf", "board.html"):
        assert (tmp_path / made).stat().st_size > 500
