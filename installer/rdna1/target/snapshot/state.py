"""The state of a machine, as far as a provisioning changes it."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Sequence

from ..facts import accounts
from ..rootfs import RootFs
from .files import Entries, read_entries, same, without_contents
from .packages import Packages, read_leftovers, read_packages
from .watch import Place, home_places, places

Groups = Dict[str, Dict[str, Any]]


class State(NamedTuple):
    """Packages, groups and files.

    Attributes:
        packages: see `packages.read_packages`.
        leftovers: names of packages of which only the configuration is there.
        groups: name to ``gid`` and ``members``.
        files: path to entry, see `files.read_entry`.
        places: where was looked for files; a path elsewhere is not known to have been missing.
    """

    packages: Packages
    leftovers: list[str]
    groups: Groups
    files: Entries
    places: list[Place]

    def equals(self, other: State) -> bool:
        """Return whether nothing of what counts differs."""
        paths = self.files.keys() | other.files.keys()
        return self[:3] == other[:3] and all(
            same(self.files.get(path), other.files.get(path)) for path in paths
        )

    def without_contents(self) -> State:
        """Return the state as it can be compared, but not restored."""
        return self._replace(files=without_contents(self.files))


def read_state(
    users: tuple[str, ...], *, contents: bool, earlier: Sequence[State] = (), home: str = ""
) -> State:
    """Read the state of the running machine.

    Args:
        users: named users, whose homes are looked at.
        home: the only folder that is looked at, without packages and groups, which its owner
            cannot change; empty for the whole machine.
        contents: whether the entries of files hold their content.
        earlier: states whose places are looked at, too.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's files or those of accounts cannot be read.
        OSError: a file to be written down cannot be read.
    """
    rootfs = RootFs()
    looked_at = {place: None for state in earlier for place in state.places}
    looked_at.update(dict.fromkeys(home_places(home) if home else places(users, list(looked_at))))
    files = read_entries(looked_at, contents=contents)
    if home:
        return State({}, [], {}, files, list(looked_at))
    return State(
        packages=read_packages(rootfs),
        leftovers=read_leftovers(rootfs),
        groups={
            group.name: {"gid": group.gid, "members": sorted(group.members)}
            for group in accounts.groups(rootfs)
        },
        files=files,
        places=list(looked_at),
    )
