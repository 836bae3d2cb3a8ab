"""Import Python files that are in no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def load_by_path(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
