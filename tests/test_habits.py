"""What people look for in a project before they trust it, held by tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FORMS = [
    path
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    if path.name != "config.yml"
]


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def parsed(name: str) -> Any:
    return yaml.safe_load(text(name))


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(text("pyproject.toml"))["project"]
    return table


def jobs() -> dict[str, Any]:
    table: dict[str, Any] = parsed(".github/workflows/ci.yml")["jobs"]
    return table


def steps() -> list[dict[str, Any]]:
    return [step for job in jobs().values() for step in job["steps"]]


def dependencies() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    names = [*project()["dependencies"], *(name for extra in extras for name in extra)]
    return [Requirement(name) for name in names]


def pins() -> dict[str, str]:
    lines = [line for line in text("constraints.txt").splitlines() if line[0] != "#"]
    return {
        canonicalize_name(name): pin for name, pin in (x.split("==") for x in lines)
    }


def commands_of(target: str) -> list[str]:
    """The commands of a target of the Makefile, as a person types them."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)
    assert recipe is not None
    return [
        line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()
    ]


# ---------------------------------------------------------------- what a machine runs


def test_every_python_that_the_project_names_is_tested():
    named = [one.rpartition(" :: ")[2] for one in project()["classifiers"]]
    named = [one for one in named if re.fullmatch(r"3\.\d+", one)]
    assert jobs()["test"]["strategy"]["matrix"]["python"] == named
    allowed = SpecifierSet(project()["requires-python"])
    lowest = next(minor for minor in range(99) if f"3.{minor}" in allowed)
    assert named == [f"3.{lowest + step}" for step in range(len(named))]


def test_both_generations_of_transformers_are_tested():
    matrix = jobs()["test"]["strategy"]["matrix"]["transformers"]
    (allowed,) = [one for one in dependencies() if one.name == "transformers"]
    lowest = [one.version for one in allowed.specifier if one.operator == ">="]
    assert matrix == [*lowest, pins()["transformers"].partition(".")[0]]


def test_what_continuous_integration_makes_can_be_made_by_hand():
    ran = "\n".join(step.get("run", "") for step in steps())
    made = set(re.findall(r"\bmake ([\w-]+)", ran))
    assert made == {"check", "test", "test-lowest", "test-transformers4"}
    assert all(commands_of(target) for target in made)


def test_continuous_integration_may_only_read():
    workflow = parsed(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in jobs().values())
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize("name", ["check", "test", "lowest", "programs"])
def test_a_job_ends_in_time_and_keeps_no_credentials(name):
    assert jobs()[name]["timeout-minutes"] <= 60
    checkout = jobs()[name]["steps"][0]
    assert checkout["uses"].startswith("actions/checkout@")
    assert checkout["with"] == {"persist-credentials": False}


def test_every_action_is_pinned():
    used = [step["uses"] for step in steps() if "uses" in step]
    assert all(re.search(r"@(v\d+|[0-9a-f]{40})$", one) for one in used)


def test_a_commit_runs_the_tools_of_make_check():
    (repository,) = parsed(".pre-commit-config.yaml")["repos"]
    hooks = repository["hooks"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in hooks] == commands_of("check")
    assert not any(hook["pass_filenames"] for hook in hooks)


# ---------------------------------------------------------------- dependencies


@pytest.mark.parametrize("dependency", dependencies(), ids=str)
def test_a_dependency_has_a_lower_bound_and_is_pinned_within_it(dependency):
    assert {one.operator for one in dependency.specifier} == {">="}
    assert pins()[canonicalize_name(dependency.name)] in dependency.specifier


# ---------------------------------------------------------------- people


def test_the_citation_is_that_of_this_version():
    citation = parsed("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation.keys() >= {"message", "title", "authors"}
    assert citation["title"] == project()["name"]
    assert str(citation["version"]) == project()["version"]
    assert citation["license"] == project()["license"]
    assert project()["urls"]["Homepage"] == citation["repository-code"]


def test_the_citation_names_the_paper_that_the_readme_names():
    (paper,) = parsed("CITATION.cff")["references"]
    readme = " ".join(text("README.md").split())
    assert paper.keys() >= {"type", "title", "authors"}
    assert paper["title"] in readme
    for author in paper["authors"]:
        assert author["family-names"] in readme


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_an_issue_form_asks_for_something(form):
    content = yaml.safe_load(form.read_text("utf-8"))
    assert content["name"]
    assert content["description"]
    ids = [question["id"] for question in content["body"]]
    assert len(set(ids)) == len(ids)
    assert all(question["attributes"] for question in content["body"])
    required = [one.get("validations", {}).get("required") for one in content["body"]]
    assert any(required)


def test_there_is_a_form_for_a_number_a_model_and_a_corpus():
    names = [yaml.safe_load(form.read_text("utf-8"))["name"] for form in FORMS]
    assert names == ["A number looks wrong", "A new model", "A new corpus"]


def test_whoever_doubts_a_number_is_asked_for_all_that_reproduces_it():
    body = parsed(".github/ISSUE_TEMPLATE/1-number.yml")["body"]
    asked = {one["id"] for one in body if one.get("validations", {}).get("required")}
    assert asked >= {"command", "run_id", "row", "versions"}


def test_every_link_leads_to_this_repository_and_every_file_is_there():
    home = project()["urls"]["Homepage"]
    links = [*project()["urls"].values()]
    contacts = parsed(".github/ISSUE_TEMPLATE/config.yml")["contact_links"]
    for link in [*links, *(contact["url"] for contact in contacts)]:
        assert link.startswith(home)
        path = re.sub(r"^/(blob|tree)/main/", "", link.removeprefix(home))
        assert path in ("", "/issues") or (ROOT / path).exists()
