"""Bytecode that a real Python writes into an environment made by a real uv."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rdna1.target.venvs.bytecode import BytecodeError, compile_bytecode

# A folder above the environment does not decide what is a test suite.
ENVIRONMENT = Path("tests", "environment")
FILES = {
    "package/__init__.py": "VALUE = 1\n",
    "package/checks.py": "",
    "package/tests/test_value.py": "",
    "package/deeper/test/test_value.py": "",
    "package/testing/_internal/cases.py": "",
    "package/benchmarks/bench_value.py": "",
    "other/__init__.py": "",
    "tests/test_top.py": "",
}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with one package and its test suites."""
    folder = tmp_path / ENVIRONMENT
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
    for path, text in FILES.items():
        file = site(folder) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def site(environment: Path) -> Path:
    return next(environment.glob("lib/python3*/site-packages"))


ALL = {"package/__init__", "package/checks", "other/__init__"}


def compiled(environment: Path) -> set[str]:
    found = site(environment).rglob("*.pyc")
    return {f"{path.parents[1].name}/{path.name.split('.')[0]}" for path in found} - {
        "site-packages/_virtualenv"
    }


def test_all_but_test_suites_is_compiled(environment: Path) -> None:
    compile_bytecode(environment)
    assert compiled(environment) == ALL


def test_one_package_first_and_the_others_later(environment: Path) -> None:
    compile_bytecode(environment, folders=[site(environment) / "other"])
    assert compiled(environment) == {"other/__init__"}
    compile_bytecode(environment)
    assert compiled(environment) == ALL


def test_a_file_for_another_python_is_passed_over(environment: Path) -> None:
    (site(environment) / "package" / "other.py").write_text("print 1\n")
    compile_bytecode(environment)
    assert compiled(environment) == ALL


def test_what_cannot_be_written_is_an_error(environment: Path) -> None:
    (site(environment) / "package" / "__pycache__").write_text("in the way")
    with pytest.raises(BytecodeError, match=r"__pycache__"):
        compile_bytecode(environment)


def test_a_python_that_dies_is_an_error(environment: Path) -> None:
    python = environment / "bin" / "python"
    python.unlink()
    # A double for a Python that cannot start.
    python.write_text("#!/bin/sh\necho no library >&2\nexit 127\n")
    python.chmod(0o755)
    with pytest.raises(BytecodeError, match="no library"):
        compile_bytecode(environment)
