"""The lock file of a mirror, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rdna1.wheels import LockError, locked

_WHEELS = "wheels/"
_COLLECT = "Remedy: collect the mirror again with playbooks/mirror.yml"


def check_mirror_lock(text: str, files: Iterable[Mapping[str, Any]], own: Path) -> None:
    """Make sure that a mirror has the files of its lock, and no lock but the owner's.

    Args:
        text: of the lock.
        files: of the mirror, as its manifest describes them.
        own: the lock for the same machines next to the inventory, which need not be there.

    Raises:
        LockError: a file is missing, or the owner's own lock is another one.
    """
    if own.is_file() and own.read_text(encoding="utf-8", errors="replace") != text:
        raise LockError(
            f"the mirror has another lock file than {own}. Remedy: collect the mirror again with "
            "that lock file, or compare the two and remove yours if the mirror's is right"
        )
    there = {file["sha256"]: file["path"] for file in files if file["path"].startswith(_WHEELS)}
    packages = locked(text)
    for package in [*packages.environment, *packages.build]:
        if not there.keys() & package.sha256:
            raise LockError(
                f"the mirror has no file of {package.name} {package.version} with a hash of its "
                f"lock file. {_COLLECT}"
            )
