"""This project's wheel in fresh environments: its extras, and the oldest Python that it names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest
import tomllib
from packaging.requirements import Requirement

from rdna1.wheels.project import project_wheel
from support.pythons import find_python
from support.wheels import serve, write_fake_wheel

ROOT = Path(__file__).parents[3]
UV = Path(sys.executable).with_name("uv")
# Modules of extras that are not installed here. A module of the standard library is none of them.
_OF_EXTRAS = ("ansible", "jinja2", "matplotlib", "torch")
_IMPORT_ALL = f"""
import importlib, pkgutil, sys, rdna1
missing = []
for module in pkgutil.walk_packages(rdna1.__path__, "rdna1."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in {_OF_EXTRAS!r}:
            missing.append(f"{{module.name}}: {{error}}")
print(len([n for n in sys.modules if n.startswith("rdna1.")]))
sys.exit("; ".join(missing) or 0)
"""


def imported_by(node: ast.AST) -> list[str]:
    """Names of the modules that a statement imports, relative ones left out."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []


def uv(*arguments: str | Path) -> None:
    command = [str(UV), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel() -> Path:
    """This project's wheel."""
    return project_wheel(ROOT, UV)


def test_measuring_elsewhere_brings_torch(wheel: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    write_fake_wheel(index, "torch", "2.13.0")
    python = tmp_path / "venv" / "bin" / "python"
    uv("venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    with serve(index) as address:
        # What the fake index lacks comes from the usual one.
        uv("pip", "install", "--python", python, "--index", address, f"rdna1[torch] @ {wheel}")
    said = subprocess.run(
        [python, "-c", "import torch, rdna1; print(torch.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "2.13.0\n"


def test_the_wheel_runs_on_the_oldest_python_that_it_names(wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    oldest = re.fullmatch(r">=(3\.\d+)", metadata["Requires-Python"])
    assert oldest is not None
    interpreter = find_python(oldest[1])
    if interpreter is None:
        pytest.skip(f"no Python {oldest[1]} on this machine")
    python = tmp_path / "venv" / "bin" / "python"
    uv("venv", "--quiet", "--python", interpreter, tmp_path / "venv")
    uv("pip", "install", "--python", python, f"rdna1 @ {wheel}")
    done = subprocess.run([python, "-c", _IMPORT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    for command in ("rdna1-preflight", "rdna1-validate"):
        subprocess.run([python.with_name(command), "--help"], capture_output=True, check=True)


def test_the_extras_name_what_the_code_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: {Requirement(text).name for text in requirements}
        for name, requirements in project["optional-dependencies"].items()
    }
    assert {"torch", "report", "provision", "execstack"} <= extras.keys()
    assert extras["torch"] == {"torch"}
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "installer" / "rdna1").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported_by(node)
    }
    own = {Requirement(text).name.lower() for text in project["dependencies"]}
    known = {"pyyaml": "yaml"}
    provided = {known.get(n, n).replace("-", "_") for n in own.union(*extras.values())}
    # jinja2 is never without markupsafe.
    foreign = imported - sys.stdlib_module_names - {"rdna1", "ansible", "markupsafe"}
    assert foreign - provided == set()
