"""The public workflows: pinned, with few rights, and of one mind with the rest of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(job))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_by_commit_and_names_its_version(file: Path) -> None:
    used = re.findall(r"uses: *(.*)", file.read_text())
    assert used
    assert [line for line in used if not re.fullmatch(rf"{PINNED.pattern}  # v[\d.]+", line)] == []


def test_nothing_but_reading_is_allowed() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    # YAML takes the key for a truth value.
    assert set(WORKFLOW[True]) == {"push", "pull_request"}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends_and_keeps_no_token(job: str) -> None:
    assert JOBS[job]["timeout-minutes"] <= 120
    checkout = steps(job)[0]
    assert checkout["uses"].startswith("actions/checkout@")
    assert checkout["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_what_is_there(job: str) -> None:
    usage = (ROOT / "run").read_text()
    for verb, kind in re.findall(r"\./run (\w+)(?: (\w+))?", commands(job)):
        assert f"\n#   {verb} " in usage
        assert verb != "test" or kind in ("unit", "integration", "molecule")
    for path in re.findall(r"(?<!\S)((?:tests|docs)/[\w./]+)", commands(job)):
        assert (ROOT / path).exists()


def test_all_parts_of_the_tests_are_run() -> None:
    run = "\n".join(commands(job) for job in JOBS)
    for part in ("lint", "test unit", "test molecule", "test integration"):
        assert f"./run {part}" in run


def test_every_python_that_is_supported_is_tested() -> None:
    tested = [row["python"] for row in JOBS["unit"]["strategy"]["matrix"]["include"]]
    choice = re.search(r"venv --python '([^']+)'", (ROOT / "run").read_text())
    assert choice is not None
    assert tested == list(SpecifierSet(choice[1]).filter(f"3.{minor}" for minor in range(8, 30)))
    python = steps("measuring")[1]["with"]["python-version"]
    required = re.search(
        r'^requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text(), re.M
    )
    assert required is not None
    assert python == required[1]


def test_the_oldest_and_the_newest_ansible_are_those_of_the_lock() -> None:
    locked = re.findall(
        r"^ansible-core==(\S+) ; (.*?) *\\?$",
        (ROOT / "requirements/development.txt").read_text(),
        re.M,
    )
    for row in JOBS["unit"]["strategy"]["matrix"]["include"]:
        here = {"python_full_version": f"{row['python']}.0"}
        (version,) = (version for version, marker in locked if Marker(marker).evaluate(here))
        assert version.startswith(f"{row['ansible']}.")
    required = re.search(r'"ansible-core>=(.*?)"', (ROOT / "pyproject.toml").read_text())
    assert required is not None
    assert (
        min(row["ansible"] for row in JOBS["unit"]["strategy"]["matrix"]["include"]) == required[1]
    )


def test_molecule_takes_real_images() -> None:
    page = (ROOT / "molecule" / "README.md").read_text()
    images = {name for name in JOBS["molecule"]["env"] if name.startswith("RDNA1_BOX_IMAGE")}
    assert images == set(re.findall(r"^\| `(RDNA1_BOX_IMAGE\w+)`", page, re.M))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_asks_for_the_report_of_preflight(form: Path) -> None:
    fields = yaml.safe_load(form.read_text())["body"]
    (asked,) = (field for field in fields if field.get("id") == "preflight")
    assert asked["validations"] == {"required": True}
    assert "rdna1-preflight --format json" in asked["attributes"]["description"]
