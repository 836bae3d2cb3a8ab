"""What is generated in the documentation is current, and reports fit their published schemas."""

from __future__ import annotations

import functools
import importlib
import json
from pathlib import Path
from typing import Any

import generated_parts
import pytest

from rdna1.catalog.stacks import stack_names
from rdna1.cli.preflight import main
from support.modules import load_by_path

ROOT = Path(__file__).parents[3]
TREES = sorted(path.parent for path in (ROOT / "tests" / "fixtures").glob("*/usr"))

generate = load_by_path(ROOT / "docs" / "generate.py")
# It has no types of its own.
jsonschema: Any = importlib.import_module("jsonschema")


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    pages: dict[Path, str] = generate.generated()
    return pages


def test_every_generated_file_is_current(generated: dict[Path, str]) -> None:
    stale = [path.name for path, text in generated.items() if path.read_text() != text]
    assert stale == [], "run: python docs/generate.py"


def test_every_role_and_page_is_generated(generated: dict[Path, str]) -> None:
    roles = {role / "README.md" for role in (ROOT / "roles").iterdir()}
    names = ("architecture", "benchmarks", "guard", "reliability", "stacks", "troubleshooting")
    pages = {ROOT / "docs" / f"{name}.md" for name in names}
    schemas = set((ROOT / "docs" / "schemas").iterdir())
    assert set(generated) == roles | pages | schemas


def test_the_page_of_stacks_holds_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["matrix", "--format", "markdown"]) == 0
    page = (ROOT / "docs" / "stacks.md").read_text()
    assert f"\n{capsys.readouterr().out}\n<!-- end matrix -->" in page


def test_a_page_without_marks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin matrix -->\nno end\n")
    monkeypatch.setattr(generated_parts, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"page\.md: the marks <!-- begin matrix --> and .* are"):
        generated_parts.filled(page, {"matrix": "table"})


@functools.cache
def validator(name: str) -> Any:
    schema = json.loads(generate.schema_path(name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ("facts", ["facts"]),
        ("advice", ["advise", "--format", "json"]),
        *(("preflight", ["--stack", name, "--format", "json"]) for name in stack_names()),
    ],
    ids=["facts", "advice", *stack_names()],
)
def test_reports_of_all_trees_fit_their_schema(
    capsys: pytest.CaptureFixture[str], schema: str, arguments: list[str], tree: Path
) -> None:
    assert main([*arguments, "--root", str(tree), "--user", "ann"]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    assert list(validator(schema).iter_errors(report)) == []
    # Nothing that is written is missing in the schema either.
    top = validator(schema).schema["$ref"].rpartition("/")[2]
    assert list(report) == list(validator(schema).schema["$defs"][top]["properties"])


def test_the_facts_of_this_machine_and_the_matrix_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["facts"]) == 0
    assert list(validator("facts").iter_errors(json.loads(capsys.readouterr().out))) == []
    assert main(["matrix", "--format", "json"]) == 0
    assert list(validator("matrix").iter_errors(json.loads(capsys.readouterr().out))) == []


@pytest.mark.parametrize(
    ("schema", "damage"),
    [
        ("preflight", {"verdict": "maybe"}),
        ("preflight", {"schema_version": 2}),
        ("advice", {"stacks": [{"stack": "rocm-5.7"}]}),
        ("matrix", {"entries": None}),
        ("facts", {"kernel": []}),
        ("facts", {"schema_version": 2}),
    ],
)
def test_the_schemas_refuse_something(
    capsys: pytest.CaptureFixture[str], schema: str, damage: dict[str, object]
) -> None:
    command = {"preflight": "check", "advice": "advise"}.get(schema, schema)
    arguments = [] if schema == "facts" else ["--format", "json"]
    place = [] if schema == "matrix" else ["--root", str(TREES[0])]
    assert main([command, *arguments, *place]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    assert validator(schema).is_valid(report)
    assert not validator(schema).is_valid(report | damage)
