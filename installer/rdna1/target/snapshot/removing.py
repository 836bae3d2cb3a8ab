"""What apt is about to remove, written down until it is gone.

Before it removes anything, apt has dpkg note of every package that it is to go, and drops its own
marks of them. A kill in between leaves packages that are whole, and that the next `dpkg --pending`
of somebody removes.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import NamedTuple, Sequence

from ..rootfs import RootFs
from .packages import read_going, read_packages

_FILE = "removing.json"
SCHEMA_VERSION = 1


class Leavings(NamedTuple):
    """What an interrupted removal left of packages that are there.

    Attributes:
        selected: that dpkg still has to remove.
        auto: that lost apt's mark of having come automatically.
    """

    selected: list[str]
    auto: list[str]


NONE = Leavings([], [])


def write_down(folder: Path, names: Sequence[str], rootfs: RootFs) -> None:
    """Write down packages that apt is about to remove, where runs are recorded at all.

    Args:
        folder: of the records.
        names: of the packages, those of another architecture as ``NAME:ARCHITECTURE``.
        rootfs: of the machine.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's or apt's file cannot be read.
    """
    if not names or not folder.is_dir():
        return
    packages = read_packages(rootfs)
    auto = [name for name in names if packages.get(name, {}).get("auto")]
    content = {"schema_version": SCHEMA_VERSION, "names": sorted(names), "auto": sorted(auto)}
    draft = folder / f".{_FILE}"
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(folder / _FILE)


def leavings(folder: Path, rootfs: RootFs) -> Leavings:
    """Return what the removal that was written down left, as it was interrupted.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's or apt's file cannot be read.
    """
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NONE
    packages, going = read_packages(rootfs), read_going(rootfs)
    there = [name for name in content["names"] if name in packages]
    return Leavings(
        [name for name in there if name in going],
        [name for name in there if name in content["auto"] and not packages[name]["auto"]],
    )


def forget(folder: Path) -> None:
    """Remove what was written down: apt ended, or what it left is taken back."""
    with contextlib.suppress(FileNotFoundError):
        (folder / _FILE).unlink()
