"""What an environment holds, and whether someone changed it by hand."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..target.whole_file import write_whole

# Written last: an environment without it was never finished.
_MARKER = "rdna1-environment.json"
_DISTRIBUTION = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)\.dist-info")


class Difference(NamedTuple):
    """A package that is not as it was installed."""

    package: str
    text: str


def packages(environment: Path) -> dict[str, str]:
    """Normalised name to version of what is installed in the environment itself."""
    return {
        re.sub(r"[-_.]+", "-", match["name"]).lower(): match["version"]
        for folder in _distributions(environment)
        for match in [_DISTRIBUTION.fullmatch(folder.name)]
        if match
    }


def differences(environment: Path, installed: dict[str, str]) -> list[Difference]:
    """How an environment differs from ``installed`` and from the lists of its own files.

    Sizes are compared, not contents: that takes a fraction of a second for PyTorch's ten thousand
    files, and finds what was removed, replaced or edited but for an edit of equal length.
    """
    now = packages(environment)
    found = [
        Difference(name, f"{name} is {now.get(name, 'missing')}, it was {version}")
        for name, version in sorted(installed.items())
        if now.get(name) != version
    ]
    found += [
        Difference(name, f"{name} was added") for name in sorted(now) if name not in installed
    ]
    for folder in _distributions(environment):
        found += _altered(folder)
    return found


def finish(environment: Path, identity: str, installed: dict[str, str]) -> None:
    """Mark an environment as complete, once all of it is on the disk: a power loss cuts files."""
    os.sync()
    text = json.dumps({"identity": identity, "packages": installed}, indent=2) + "\n"
    write_whole(environment / _MARKER, text.encode(), 0o644)


def marker(environment: Path) -> dict[str, Any]:
    """``identity`` and ``packages`` of a complete environment; nothing of any other folder."""
    try:
        content = json.loads((environment / _MARKER).read_text())
    except (OSError, ValueError):
        return {}
    complete = isinstance(content, dict) and {"identity", "packages"} <= content.keys()
    return content if complete else {}


def python_version(environment: Path) -> str:
    """Version of its Python, as pyvenv.cfg has it; empty where that cannot be read."""
    try:
        text = (environment / "pyvenv.cfg").read_text()
    except OSError:
        return ""
    match = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def _distributions(environment: Path) -> list[Path]:
    return sorted(environment.glob("lib/python3*/site-packages/*.dist-info"))


def _altered(distribution: Path) -> list[Difference]:
    """At most one difference of a package: its first file that is missing or of another size."""
    name = distribution.name.partition("-")[0].replace("_", "-").lower()
    try:
        with (distribution / "RECORD").open(newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) == 3]
    except OSError as error:
        return [Difference(name, f"{name}: RECORD: {error.strerror}")]
    site = str(distribution.parent)
    for path, _, size in rows:
        if not size or path.endswith(".pyc"):
            continue
        try:
            altered = os.stat(os.path.join(site, path)).st_size != int(size)  # noqa: PTH116, PTH118 (twice as fast for ten thousand files)
        except OSError:
            altered = True
        if altered:
            return [Difference(name, f"{name}: {path} is missing or was altered")]
    return []
