"""All facts of a machine in one go."""

from __future__ import annotations

from typing import Callable, Sequence

from ..rootfs import RootFs
from .apt_policy import PolicyQuery


def collect(
    root: str = "/",
    users: Sequence[str] = (),
    packages: Sequence[str] = (),
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, object]:
    """Collect the facts of a machine.

    Args:
        root: root folder of the machine: ``/``, a mounted disk, or a tree of files.
        users: names of the users whose groups and start files matter.
        packages: names of the packages whose candidates apt is asked for, and of which is told
            whether they are installed.
        meanwhile: called while apt thinks, for work that would otherwise follow.

    Returns:
        Plain data that JSON can hold. ``unknown`` names each fact that could not be read
        with the reason; the fact itself is None or lacks the part.
    """
    rootfs = RootFs(root)
    # Asked first and heard last: apt thinks while all else is imported and read.
    query = PolicyQuery(rootfs, packages)
    from .probes import facts

    return facts(rootfs, users, query, meanwhile)
