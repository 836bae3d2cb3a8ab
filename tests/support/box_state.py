"""The state of whole boxes, to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from support.boxes import Box

# Logs and caches, what the kernel shows, and what any run of Ansible leaves.
PASSING = (
    *(f"/{name}" for name in ("dev", "proc", "run", "sys", "tmp")),
    *(
        "/root/.ansible",
        "/home/ada/.ansible",
        "/root/.cache",
        "/var/cache",
        "/var/log",
        "/var/lib/apt/lists",
        "/var/lib/dpkg",
        "/etc/ld.so.cache",
    ),
)
# The copies of the state before that the account tools keep.
COPIES = ("!", "-name", "*-", "!", "-name", "*-old")
PACKAGE = "${db:Status-Abbrev} ${binary:Package} ${Version}\\n"

State = dict[str, set[str]]


def state(box: Box, mounts: Sequence[str] = ()) -> State:
    """The whole file system of a box but for `PASSING`, packages with marks, accounts.

    Args:
        box: that runs.
        mounts: folders that are file systems of their own, and belong to it all the same.
    """
    pruned = [word for path in PASSING for word in ("-path", path, "-o")][:-1]
    found = ["find", "/", *mounts, "-xdev", "(", *pruned, ")", "-prune", "-o", *COPIES]
    contents = [*found, "-type", "f", "-exec", "sha256sum", "{}", "+"]
    return {
        "packages": set(box.run("dpkg-query", "-W", "-f", PACKAGE).splitlines()),
        "marked as automatic": set(box.run("apt-mark", "showauto").splitlines()),
        "files": set(box.run(*found, "-printf", r"%p %m %u %g %y %l\n").splitlines()),
        "contents": set(box.run(*contents).splitlines()),
        "groups of the user": {box.run("id", "ada")},
        "groups": set(box.run("cat", "/etc/group").splitlines()),
    }


def difference(one: State, other: State) -> dict[str, list[str]]:
    """What is in one of two states only."""
    found = {part: sorted(one[part] ^ other[part]) for part in one}
    return {part: lines for part, lines in found.items() if lines}


def save(box: Box, file: Path) -> None:
    """Write the state of a box to a file, for a process that compares later."""
    file.write_bytes(msgspec.json.encode(state(box)))


def load(file: Path) -> State:
    """A state that was written."""
    return msgspec.json.decode(file.read_bytes(), type=State)
