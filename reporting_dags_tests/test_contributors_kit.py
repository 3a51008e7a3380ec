"""Files that only the hosting platform and contributors' tools read: a mistake in them shows nowhere else."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
FORMS = sorted(path for path in (PROJECT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
DOCUMENTS = sorted(path.relative_to(PROJECT).as_posix() for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")))
WORKFLOW = PROJECT / ".github" / "workflows" / "ci.yml"
ATTRIBUTES = {
    "markdown": {"value"},
    "input": {"label", "description", "placeholder", "value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
    "checkboxes": {"label", "description", "options"},
}
"""What a field of an issue form may have, by its type."""


def settings(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_has_only_fields_that_the_platform_knows(path: Path) -> None:
    form = settings(path)
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "body", "title", "labels"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields, "the platform refuses a form without a field"
    for field in form["body"]:
        assert field.keys() <= {"type", "id", "attributes", "validations"}
        assert field["attributes"].keys() <= ATTRIBUTES[field["type"]], field
        assert field.get("validations", {}).keys() <= {"required"}
    for field in fields:
        assert re.fullmatch(r"[a-z_-]+", field["id"])
        assert field["attributes"]["label"]
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(labels)) == len(labels)
    assert len({field["id"] for field in fields}) == len(fields)
    boxes = [option for field in fields if field["type"] == "checkboxes" for option in field["attributes"]["options"]]
    assert all(option.keys() <= {"label", "required"} for option in boxes)


def test_there_is_a_form_for_a_bug_a_wrong_number_and_a_network() -> None:
    assert {path.stem for path in FORMS} >= {"bug_report", "wrong_number", "new_network"}


def test_the_workflow_runs_what_must_pass_on_every_supported_version_with_rights_to_read_alone() -> None:
    workflow = settings(WORKFLOW)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, end = map(int, re.findall(r"3\.(\d+)", project["requires-python"]))
    checks = workflow["jobs"]["checks"]
    assert checks["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(lowest, end)]
    assert ".ci/run" in [step.get("run") for step in checks["steps"]]
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in actions), actions
    assert all(not step["with"]["persist-credentials"] for step in steps if "checkout" in step.get("uses", ""))


def test_hooks_are_programs_that_the_lock_holds() -> None:
    lock = (PROJECT / "requirements-dev.lock").read_text(encoding="utf-8")
    packages = {"lint-imports": "import-linter"}
    for repository in settings(PROJECT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local", "a remote hook brings a version of its own"
        for hook in repository["hooks"]:
            assert {"id", "name", "entry", "language"} <= hook.keys()
            assert hook["language"] == "system"
            folder, _, program = hook["entry"].split()[0].rpartition("/")
            assert folder == ".venv/bin"
            assert f"\n{packages.get(program, program)}==" in lock or f"\n{program}[" in lock


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_to_files_of_the_project(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in link or ((PROJECT / name).parent / link).exists(), link


def test_the_changelog_has_the_version_that_the_package_has() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert headings[1].split(" - ")[0].strip("[]") == project["version"]
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
