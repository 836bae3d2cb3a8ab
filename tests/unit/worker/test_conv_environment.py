"""Variables of a worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdna1.worker.variables import worker_environment


def test_databases_and_caches_are_the_runs_own(tmp_path: Path) -> None:
    users = {"MIOPEN_USER_DB_PATH": "/home/me/.config/miopen", "TMPDIR": "/home/me/tmp"}
    variables = worker_environment(users, tmp_path, {})
    for name in ("MIOPEN_USER_DB_PATH", "MIOPEN_CUSTOM_CACHE_DIR", "TMPDIR"):
        place = Path(variables[name])
        assert place.is_dir()
        assert place.parent == tmp_path


def test_find_enforce_never_reaches_a_worker_and_the_rest_does(tmp_path: Path) -> None:
    users = {"MIOPEN_FIND_ENFORCE": "3", "HSA_OVERRIDE_GFX_VERSION": "10.3.0"}
    variables = worker_environment(users, tmp_path, {})
    assert "MIOPEN_FIND_ENFORCE" not in variables
    assert variables["HSA_OVERRIDE_GFX_VERSION"] == "10.3.0"
    assert "PYTHONPATH" not in variables


def test_relative_module_folders_stay_where_they_were(tmp_path: Path) -> None:
    users = {"PYTHONPATH": os.pathsep.join(["lib", "/opt/lib"])}
    variables = worker_environment(users, tmp_path, {})
    assert variables["PYTHONPATH"] == os.pathsep.join([str(Path("lib").absolute()), "/opt/lib"])


def test_variables_are_set_and_removed(tmp_path: Path) -> None:
    variables = worker_environment(
        {"A": "1", "B": "1"}, tmp_path, {"A": "2", "B": None, "C": "3", "MIOPEN_FIND_ENFORCE": "1"}
    )
    assert (variables["A"], variables["C"]) == ("2", "3")
    assert "B" not in variables
    assert variables["MIOPEN_FIND_ENFORCE"] == "1"


def test_the_runs_own_folders_cannot_be_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MIOPEN_USER_DB_PATH: a worker has its own"):
        worker_environment({}, tmp_path, {"MIOPEN_USER_DB_PATH": "/home/me"})
